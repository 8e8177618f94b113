// Package cloud plays the hosts of AWS, Google Cloud and Azure that a signer asks, over real TLS on loopback, with real
// keys and the services' own protocols and errors. A program reaches them under their real names through a proxy that
// knows no other host. What it cannot show: that the real services answer just so.
package cloud

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// Internet is a proxy in front of some hosts.
type Internet struct {
	proxy  *httptest.Server
	server *httptest.Server // all hosts behind one TLS listener
	caFile string
	ca     *x509.Certificate
	caKey  *ecdsa.PrivateKey

	mu    sync.Mutex
	hosts map[string]http.Handler
	asked []string
	certs map[string]*tls.Certificate
}

// Start starts an internet without hosts for the time of a test.
func Start(t testing.TB) *Internet {
	t.Helper()
	n := &Internet{hosts: map[string]http.Handler{}, certs: map[string]*tls.Certificate{}}
	if err := n.makeCA(filepath.Join(t.TempDir(), "ca.pem")); err != nil {
		t.Fatal(err)
	}
	quiet := log.New(io.Discard, "", 0)
	n.server = httptest.NewUnstartedServer(http.HandlerFunc(n.serveHost))
	n.server.TLS = &tls.Config{GetCertificate: n.certificate, NextProtos: []string{"h2", "http/1.1"}}
	n.server.EnableHTTP2, n.server.Config.ErrorLog = true, quiet
	n.server.StartTLS()
	n.proxy = httptest.NewUnstartedServer(http.HandlerFunc(n.serveProxy))
	n.proxy.Config.ErrorLog = quiet
	n.proxy.Start()
	t.Cleanup(func() {
		n.proxy.CloseClientConnections()
		n.server.CloseClientConnections()
		n.proxy.Close()
		n.server.Close()
	})
	return n
}

// Env is what a program needs to see this internet and no other.
func (n *Internet) Env() []string {
	return []string{"HTTPS_PROXY=" + n.proxy.URL, "HTTP_PROXY=" + n.proxy.URL, "SSL_CERT_FILE=" + n.caFile}
}

// Address is where the hosts listen, for programs that are told HOST:PORT of an endpoint. Its certificate is for
// localhost.
func (n *Internet) Address() string {
	_, port, _ := net.SplitHostPort(n.server.Listener.Addr().String()) // a listener's own address is well formed
	return "localhost:" + port
}

// Handle makes a host known.
func (n *Internet) Handle(host string, h http.Handler) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.hosts[host] = h
}

// Asked returns the hosts that were asked for, known and unknown, each once and in alphabetical order.
func (n *Internet) Asked() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	all := slices.Clone(n.asked)
	slices.Sort(all)
	return slices.Compact(all)
}

func (n *Internet) host(hostport string) http.Handler {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = hostport
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.asked = append(n.asked, host)
	return n.hosts[host]
}

func (n *Internet) serveHost(w http.ResponseWriter, r *http.Request) {
	h := n.host(r.Host)
	if h == nil {
		http.Error(w, "no such host", http.StatusMisdirectedRequest)
		return
	}
	h.ServeHTTP(w, r)
}

// serveProxy connects to known hosts; what would go to any other place ends here.
func (n *Internet) serveProxy(w http.ResponseWriter, r *http.Request) {
	if n.host(r.Host) == nil || r.Method != http.MethodConnect {
		http.Error(w, "this proxy knows no such host", http.StatusBadGateway)
		return
	}
	server, err := (&net.Dialer{}).DialContext(r.Context(), "tcp", n.server.Listener.Addr().String())
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	client, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		_ = server.Close()
		return
	}
	_, _ = io.WriteString(client, "HTTP/1.1 200 Connection established\r\n\r\n") // a client that is gone ends the pipes
	go pipe(server, buffered, client)
	pipe(client, server, server)
}

// pipe copies until one side ends, and then ends both.
func pipe(to net.Conn, from io.Reader, closer net.Conn) {
	_, _ = io.Copy(to, from)
	_ = to.Close()
	_ = closer.Close()
}

func (n *Internet) makeCA(path string) (err error) {
	if n.caKey, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority of a test"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, n.caKey.Public(), n.caKey)
	if err != nil {
		return err
	}
	if n.ca, err = x509.ParseCertificate(der); err != nil {
		return err
	}
	n.caFile = path
	return os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600)
}

func (n *Internet) certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if c := n.certs[hello.ServerName]; c != nil {
		return c, nil
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(int64(len(n.certs) + 2)), DNSNames: []string{strings.ToLower(hello.ServerName)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	der, err := x509.CreateCertificate(rand.Reader, template, n.ca, key.Public(), n.caKey)
	if err != nil {
		return nil, err
	}
	n.certs[hello.ServerName] = &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
	return n.certs[hello.ServerName], nil
}

// Fault spoils answers: it writes one itself and returns true, or returns false to leave it to the service. n counts the
// calls of the same action from 1.
type Fault func(ctx context.Context, w http.ResponseWriter, action string, n int) bool

// faults is the part of each service that spoils and counts.
type faults struct {
	mu    sync.Mutex
	fault Fault
	count map[string]int
}

// Break sets the fault; nil ends it.
func (f *faults) Break(fault Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fault = fault
}

// Count is how often an action was asked for.
func (f *faults) Count(action string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.count[action]
}

func (f *faults) arrived(action string) (Fault, int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.count == nil {
		f.count = map[string]int{}
	}
	f.count[action]++
	return f.fault, f.count[action]
}

func (f *faults) spoiled(w http.ResponseWriter, r *http.Request, action string) bool {
	fault, n := f.arrived(action)
	return fault != nil && fault(r.Context(), w, action, n)
}

// Silent is the address of a server that takes connections and never answers, like a metadata service behind a firewall.
func Silent(t testing.TB) string {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { _ = connection.Close() })
		}
	}()
	return listener.Addr().String()
}
