package keyless_test

import (
	"fmt"
	"net/http"
	"path/filepath"
	"testing"

	"github.com/artifactctl/artifactctl/test/keyless/stack"
	"github.com/artifactctl/artifactctl/test/peers"
)

// The services of a Sigstore, what their answers are checked with, and what trust goes by come from its TUF mirror. The
// host and its signer share a copy, and ask once a day between them. Without the mirror and a copy nothing is published.
func TestPublishByMirror(t *testing.T) {
	s := stack.Start(t)
	m := s.Mirror(t)
	front := newFront(t, m.URL)
	with := func(dir string) string {
		return fmt.Sprintf("tufMirror: %q, tufRoot: tuf_root.json, tufCache: %q", front.url, filepath.Join(dir, "tuf"))
	}
	trust := fmt.Sprintf("issuer: %q, subject: %s, tufMirror: %q, tufRoot: tuf_root.json", s.Issuer.URL, email, front.url+"/")
	cache, fresh := t.TempDir(), t.TempDir()
	f, r := newFleet(t, s, settings{apps: 1, with: with(cache), trust: trust}), newRegistry(t, peers.ReferrersKind)
	f.write(t, "tuf_root.json", string(m.Root))
	f.must(t, r, "publish", "--allow-dirty", "--cache-dir", cache)
	newCosign(t, s).accepts(t, s, r.tagged("edge"))
	if n := front.requests.Load(); n != 6 { // the next root, timestamp, snapshot, targets, and two files
		t.Errorf("the mirror was asked %d times, want 6", n)
	}
	front.spoil(func(_ int64, w http.ResponseWriter, _ *http.Request) bool {
		w.WriteHeader(http.StatusForbidden)
		return true
	})
	f.must(t, r, "verify", "--cache-dir", cache)
	f.must(t, newRegistry(t, peers.ReferrersKind), "publish", "--allow-dirty", "--cache-dir", cache)
	if n := front.requests.Load(); n != 6 {
		t.Errorf("the mirror was asked %d times more on the same day", n-6)
	}
	if n := refuse(t, f, "fetch the trusted root: ", "--allow-dirty", "--cache-dir", fresh); n != 0 {
		t.Errorf("the registries were written to %d times", n)
	}
	other := newFleet(t, s, settings{apps: 1, with: with(fresh)})
	other.write(t, "tuf_root.json", string(m.Root))
	refuse(t, other, "the TUF mirror", "--allow-dirty")
}

// A mirror of another Sigstore vouches for nobody here.
func TestTrustByAnotherMirror(t *testing.T) {
	s, other := stack.Start(t), stack.Start(t)
	m := other.Mirror(t)
	f := newFleet(t, s, settings{apps: 1, trust: fmt.Sprintf("issuer: %q, subject: %s, tufMirror: %q, tufRoot: tuf_root.json", s.Issuer.URL, email, m.URL)})
	f.write(t, "tuf_root.json", string(m.Root))
	if n := refuse(t, f, "no authority of the trusted root issued the certificate", "--allow-dirty"); n != 0 {
		t.Errorf("the registries were written to %d times", n)
	}
}
