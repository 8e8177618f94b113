package registry

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/artifactctl/artifactctl/internal/artifact"
)

// authority is a private CA that issues certificates into files.
type authority struct {
	t    *testing.T
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	file string
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{t: t, dir: t.TempDir()}
	a.file, _, a.cert, a.key = a.issue("ca", &x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign})
	return a
}

func (a *authority) issue(name string, template *x509.Certificate) (certFile, keyFile string, cert *x509.Certificate, key *ecdsa.PrivateKey) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	template.SerialNumber, template.Subject = big.NewInt(time.Now().UnixNano()), pkix.Name{CommonName: name}
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		a.t.Fatal(err)
	}
	if cert, err = x509.ParseCertificate(der); err != nil {
		a.t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	certFile, keyFile = filepath.Join(a.dir, name+".pem"), filepath.Join(a.dir, name+".key")
	err = errors.Join(
		os.WriteFile(certFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600),
		os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}), 0o600),
	)
	if err != nil {
		a.t.Fatal(err)
	}
	return certFile, keyFile, cert, key
}

func TestTLS(t *testing.T) {
	ca := newAuthority(t)
	certFile, keyFile, _, _ := ca.issue("server", &x509.Certificate{IPAddresses: []net.IP{net.ParseIP("127.0.0.1")}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
	clientCert, clientKey, _, _ := ca.issue("client", &x509.Certificate{ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	pair, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(ca.cert)
	var versions []string
	f, _ := newFake(t, true)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		versions = append(versions, r.Proto)
		f.ServeHTTP(w, r)
	}))
	server.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool}
	server.EnableHTTP2 = true
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	host := strings.TrimPrefix(server.URL, "https://")
	other := newAuthority(t)

	try := func(with func(*RemoteOptions)) error {
		t.Helper()
		o := RemoteOptions{Host: host, backoff: new(waits).backoff(1)}
		with(&o)
		r, err := NewRemote(o)
		if err != nil {
			return err
		}
		defer r.Close()
		_, err = r.Resolve(t.Context(), "app", "edge")
		return err
	}
	if err := try(func(o *RemoteOptions) { o.CAFile, o.CertFile, o.KeyFile = ca.file, clientCert, clientKey }); !errors.Is(err, artifact.ErrNotFound) {
		t.Errorf("with everything right: %v", err)
	}
	if len(versions) != 1 || versions[0] != "HTTP/2.0" {
		t.Errorf("protocol: %q", versions)
	}
	bad := map[string]struct {
		with func(*RemoteOptions)
		hint string
	}{
		"unknown authority":     {func(o *RemoteOptions) { o.CAFile, o.CertFile, o.KeyFile = other.file, clientCert, clientKey }, "registry.tls.ca"},
		"no client certificate": {func(o *RemoteOptions) { o.CAFile = ca.file }, "registry.tls.cert"},
		"plain":                 {func(*RemoteOptions) {}, "HTTPS"},
	}
	for name, tt := range bad {
		err := try(tt.with)
		var e *Error
		if err == nil || !errors.As(err, &e) || !strings.Contains(e.Hint(), tt.hint) {
			t.Errorf("%s: %v, hint %q", name, err, e.Hint())
		}
	}
	for name, with := range map[string]func(*RemoteOptions){
		"no such CA":       func(o *RemoteOptions) { o.CAFile = "nowhere.pem" },
		"CA without PEM":   func(o *RemoteOptions) { o.CAFile = clientKey },
		"cert without key": func(o *RemoteOptions) { o.CertFile = clientCert },
	} {
		if err := try(with); err == nil || errors.As(err, new(*Error)) {
			t.Errorf("%s must fail before anything is sent: %v", name, err)
		}
	}
}

// TestConnectionHints: what goes wrong before a registry answers tells what to do, too.
func TestConnectionHints(t *testing.T) {
	_, server := newFake(t, true)
	host := strings.TrimPrefix(server.URL, "http://")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	free := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	ca := newAuthority(t)
	for name, tt := range map[string]struct {
		o    RemoteOptions
		hint string
	}{
		"nothing listens":     {RemoteOptions{Host: free}, "nothing listens at " + free},
		"http for https":      {RemoteOptions{Host: host, CAFile: ca.file}, "registry.insecure"},
		"name does not exist": {RemoteOptions{Host: "registry.invalid", Transport: failing{&net.DNSError{Err: "no such host", Name: "registry.invalid", IsNotFound: true}}}, "does not exist"},
		"proxy":               {RemoteOptions{Host: "r.example", Transport: failing{&net.OpError{Op: "proxyconnect", Err: errors.New("refused")}}}, "NO_PROXY"},
	} {
		var w waits
		tt.o.backoff = w.backoff(3)
		r, err := NewRemote(tt.o)
		if err != nil {
			t.Fatal(err)
		}
		_, err = r.Resolve(t.Context(), "app", "edge")
		var e *Error
		if err == nil || !errors.As(err, &e) || !strings.Contains(e.Hint(), tt.hint) {
			t.Errorf("%s: %v, hint %q", name, err, e.Hint())
		}
		if len(w.taken()) != 0 {
			t.Errorf("%s: retried %v", name, w.taken())
		}
		r.Close()
	}
}

type failing struct{ err error }

func (f failing) RoundTrip(*http.Request) (*http.Response, error) { return nil, f.err }

func TestImmutableHint(t *testing.T) {
	for _, answer := range []func(w http.ResponseWriter){
		func(w http.ResponseWriter) { w.WriteHeader(405) },
		func(w http.ResponseWriter) {
			refuse(w, 400, "TAG_INVALID", "The image tag 'v1' already exists and cannot be overwritten because the repository is immutable.")
		},
		func(w http.ResponseWriter) { refuse(w, 412, "PRECONDITION", "configured as immutable") },
	} {
		f, server := newFake(t, true)
		f.Before(func(w http.ResponseWriter, _ *http.Request) bool { answer(w); return true })
		err := dial(t, server).Tag(t.Context(), "app", build(t, "a").Manifest, "v1")
		var e *Error
		if !errors.As(err, &e) || !strings.Contains(e.Hint(), "immutable") {
			t.Errorf("%v", err)
		}
	}
	f, server := newFake(t, true)
	f.Before(func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPost {
			refuse(w, 404, "NAME_UNKNOWN", "repository does not exist")
			return true
		}
		return false
	})
	err := dial(t, server).Push(t.Context(), "app", build(t, "a"))
	var e *Error
	if !errors.As(err, &e) || !strings.Contains(e.Hint(), "create it first") || errors.Is(err, artifact.ErrNotFound) {
		t.Errorf("push to a repository that is missing: %v", err)
	}
}

func TestOptions(t *testing.T) {
	for host, plain := range map[string]bool{
		"localhost": true, "localhost:5000": true, "a.localhost:5000": true, "127.0.0.1:1": true, "127.9.9.9": true, "[::1]:5000": true,
		"ghcr.io": false, "10.0.0.1:5000": false, "localhost.example.com": false, "[2001:db8::1]": false,
	} {
		r, err := NewRemote(RemoteOptions{Host: host})
		if err != nil || r.plain != plain {
			t.Errorf("%s: plain %v %v", host, r != nil && r.plain, err)
		}
	}
	for _, host := range []string{"", "a/b", "https://ghcr.io", "user@ghcr.io", "a b", "a?b"} {
		if _, err := NewRemote(RemoteOptions{Host: host}); err == nil {
			t.Errorf("host %q", host)
		}
	}
	f, server := newFake(t, true)
	r := dial(t, server, func(o *RemoteOptions) { o.UserAgent, o.Prefix = "artifactctl/1.2.3", "/a/b/" })
	if _, err := r.Resolve(t.Context(), "app", "edge"); !errors.Is(err, artifact.ErrNotFound) {
		t.Fatal(err)
	}
	if got := f.log[0].UserAgent(); got != "artifactctl/1.2.3" || f.log[0].URL.Path != "/v2/a/b/app/manifests/edge" {
		t.Errorf("%s %s", got, f.log[0].URL)
	}
	if r.transport == http.DefaultTransport {
		t.Error("the transport must be our own")
	}
}

// TestConcurrency: no more requests are in flight than allowed.
func TestConcurrency(t *testing.T) {
	f, server := newFake(t, true)
	inFlight, most := make(chan struct{}, 100), 0
	f.Before(func(http.ResponseWriter, *http.Request) bool {
		inFlight <- struct{}{}
		f.mu.Lock()
		most = max(most, len(inFlight))
		f.mu.Unlock()
		<-inFlight
		return false
	})
	r := dial(t, server, func(o *RemoteOptions) { o.Concurrency = 2 })
	done := make(chan error)
	for i := range 20 {
		go func() { done <- r.Push(t.Context(), "app", build(t, strings.Repeat("x", i))) }()
	}
	for range 20 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if most > 2 || most == 0 {
		t.Errorf("%d requests in flight", most)
	}
}

// TestProxy runs in a process of its own, since net/http reads the proxy variables once.
func TestProxy(t *testing.T) {
	if os.Getenv("REGISTRY_TEST_PROXY") == "" {
		f, server := newFake(t, true)
		var hosts []string
		proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			hosts = append(hosts, r.URL.Host)
			f.ServeHTTP(w, r)
		}))
		t.Cleanup(proxy.Close)
		server.Close()
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestProxy$", "-test.v")
		cmd.Env = append(os.Environ(), "REGISTRY_TEST_PROXY=1", "HTTP_PROXY="+proxy.URL, "http_proxy="+proxy.URL, "NO_PROXY=", "no_proxy=")
		out, err := cmd.CombinedOutput()
		if err != nil || len(hosts) != 1 || hosts[0] != "registry.example:5000" {
			t.Errorf("%v: the proxy saw %q\n%s", err, hosts, out)
		}
		return
	}
	r, err := NewRemote(RemoteOptions{Host: "registry.example:5000", PlainHTTP: true, Retries: -1})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Resolve(t.Context(), "app", "edge"); !errors.Is(err, artifact.ErrNotFound) {
		t.Errorf("Resolve: %v", err)
	}
}
