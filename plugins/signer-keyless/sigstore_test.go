package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/digitorus/timestamp"
	"github.com/sigstore/sigstore-go/pkg/testing/ca"
)

// standIn answers as the services of a Sigstore do, where it is not told to fail: real ones are tested against in the
// module of the oracles. Its log entries prove nothing.
type standIn struct {
	fulcio, rekor, tsa string // URLs

	certificates, entries atomic.Int64
	validity              time.Duration // of certificates
	// before answers a request in place of the service, if it says so. It is set before the first request.
	before func(service string, n int64, w http.ResponseWriter) bool

	intermediate    *x509.Certificate
	intermediateKey *ecdsa.PrivateKey
	stamper         *x509.Certificate
	stamperKey      *ecdsa.PrivateKey
	stamps          atomic.Int64
}

func newStandIn(t *testing.T) *standIn {
	t.Helper()
	must := func(err error) {
		if err != nil {
			t.Helper()
			t.Fatal(err)
		}
	}
	s := &standIn{validity: 10 * time.Minute, before: func(string, int64, http.ResponseWriter) bool { return false }}
	root, rootKey, err := ca.GenerateRootCa()
	must(err)
	s.intermediate, s.intermediateKey, err = ca.GenerateFulcioIntermediate(root, rootKey)
	must(err)
	above, aboveKey, err := ca.GenerateTSAIntermediate(root, rootKey)
	must(err)
	s.stamperKey, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(err)
	s.stamper, err = ca.GenerateTSALeafCert(time.Now().Add(-time.Minute), s.stamperKey, above, aboveKey)
	must(err)
	s.fulcio = s.serve(t, "fulcio", &s.certificates, s.certify)
	s.rekor = s.serve(t, "rekor", &s.entries, s.log)
	s.tsa = s.serve(t, "tsa", &s.stamps, s.stamp)
	return s
}

func (s *standIn) serve(t *testing.T, name string, count *atomic.Int64, handle http.HandlerFunc) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !s.before(name, count.Add(1), w) {
			handle(w, r)
		}
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func (s *standIn) certify(w http.ResponseWriter, r *http.Request) {
	var request struct {
		PublicKeyRequest struct {
			PublicKey struct{ Content string }
		}
	}
	if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	block, _ := pem.Decode([]byte(request.PublicKeyRequest.PublicKey.Content))
	if block == nil || !strings.HasPrefix(r.Header.Get("Authorization"), "Bearer ey") {
		http.Error(w, "no key or no token", http.StatusBadRequest)
		return
	}
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	now := time.Now()
	template, err := ca.GenerateLeafCert("ci@example.com", "https://issuer.example.com", now, s.intermediateKey, s.intermediate, s.intermediateKey)
	if err == nil {
		template.NotBefore, template.NotAfter, template.ExtraExtensions = now, now.Add(s.validity), template.Extensions
		template.Raw, err = x509.CreateCertificate(rand.Reader, template, s.intermediate, key, s.intermediateKey)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	chain := []string{string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: template.Raw}))}
	answer := map[string]any{"signedCertificateEmbeddedSct": map[string]any{"chain": map[string]any{"certificates": chain}}}
	_ = json.NewEncoder(w).Encode(answer) // a client that went away misses it
}

func (s *standIn) log(w http.ResponseWriter, _ *http.Request) {
	w.WriteHeader(http.StatusCreated)
	fmt.Fprintf(w, `{"logIndex": "7", "kindVersion": {"kind": "hashedrekord", "version": "0.0.2"}}`)
}

func (s *standIn) stamp(w http.ResponseWriter, r *http.Request) {
	text, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	request, err := timestamp.ParseRequest(text)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	stamp := timestamp.Timestamp{
		HashAlgorithm: request.HashAlgorithm, HashedMessage: request.HashedMessage, Time: time.Now(), Policy: asn1.ObjectIdentifier{1, 2, 3},
	}
	answer, err := stamp.CreateResponseWithOpts(s.stamper, s.stamperKey, crypto.SHA256)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	_, _ = w.Write(answer)
}

// with are options that name the services.
func (s *standIn) with() map[string]any {
	return map[string]any{"fulcioURL": s.fulcio, "rekorURL": s.rekor, "tsaURL": s.tsa + "/api/v1/timestamp"}
}

// jwt is an identity token that is good for so long; nobody has signed it.
func jwt(valid time.Duration) string {
	part := base64.RawURLEncoding.EncodeToString
	claims := fmt.Sprintf(`{"iss":"https://issuer.example.com","sub":"ci","aud":["sigstore"],"exp":%d}`, time.Now().Add(valid).Unix())
	return part([]byte(`{"alg":"none"}`)) + "." + part([]byte(claims)) + "." + part([]byte("s3cret"))
}

// clean gives the test an environment in which there is no identity token.
func clean(t *testing.T) {
	t.Helper()
	for _, name := range []string{
		defaultToken, githubURL, githubToken, buildkiteToken, buildkiteJob, buildkiteEndpoint, circleToken, spiffeSocket, googleHost, googleAccount,
		"GITEA_ACTIONS", "FORGEJO_ACTIONS", "CI", "GITHUB_ACTIONS", "GITLAB_CI", "BUILDKITE", "CIRCLECI", "JENKINS_URL", "TF_BUILD",
	} {
		t.Setenv(name, "")
	}
}

// nowhere is a place that has no token and no terminal.
func nowhere(t *testing.T) place {
	t.Helper()
	none := filepath.Join(t.TempDir(), "none")
	return place{kubernetesToken: none + "/oidc-token", productName: none, terminal: func() (io.WriteCloser, error) { return nil, os.ErrNotExist }}
}

func withAudience(o options) options {
	o.audience = defaultAudience
	return o
}

// impatient is a signer that does not wait long between attempts.
func impatient() *keylessSigner {
	s := newKeylessSigner()
	s.network.pause = time.Microsecond
	return s
}
