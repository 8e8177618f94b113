package keyless_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/artifactctl/artifactctl/test/keyless/stack"
	"github.com/artifactctl/artifactctl/test/peers"
)

// The services of a Sigstore, and what their answers are checked with, come from its TUF mirror, which is asked once a
// day. Without it and a copy nothing is published.
func TestPublishByMirror(t *testing.T) {
	s := stack.Start(t)
	m := s.Mirror(t)
	before := newFront(t, m.URL)
	cache := filepath.Join(t.TempDir(), "tuf")
	with := fmt.Sprintf("tufMirror: %q, tufRoot: tuf_root.json, tufCache: %q", before.url, cache)
	f, r := newFleet(t, s, settings{apps: 1, with: with}), newRegistry(t, peers.ReferrersKind)
	f.write(t, "tuf_root.json", string(m.Root))
	f.must(t, r, "publish", "--allow-dirty")
	newCosign(t, s).accepts(t, s, r.tagged("edge"))
	asked := before.requests.Load()
	f.must(t, newRegistry(t, peers.ReferrersKind), "publish", "--allow-dirty")
	if n := before.requests.Load() - asked; n != 0 || asked == 0 {
		t.Errorf("the mirror was asked %d times at first, and %d times on the same day", asked, n)
	}
	with = strings.Replace(with, cache, t.TempDir(), 1)
	other := newFleet(t, s, settings{apps: 1, with: strings.Replace(with, before.url, "http://127.0.0.1:1", 1)})
	other.write(t, "tuf_root.json", string(m.Root))
	refuse(t, other, "the TUF mirror", "--allow-dirty")
}
