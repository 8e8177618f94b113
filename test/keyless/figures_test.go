package keyless_test

import (
	"testing"
	"time"

	"github.com/artifactctl/artifactctl/test/keyless/stack"
	"github.com/artifactctl/artifactctl/test/peers"
)

// What a fleet costs is counted at the services themselves: one certificate for any number of artifacts, one log entry
// for each, or for all in a batch. Rekor takes about a second for an entry whatever the load, so entries are made
// together.
func TestFigures(t *testing.T) {
	s := stack.Start(t)
	judge := newCosign(t, s)
	for _, c := range []struct {
		name    string
		apps    int
		batch   bool
		entries int
		within  time.Duration // for a loaded machine; one entry after another would take longer
	}{
		{"20 apps", 20, false, 20, 18 * time.Second},
		{"100 apps", 100, false, 100, 60 * time.Second},
		{"100 apps in a batch", 100, true, 1, 60 * time.Second},
	} {
		f, r := newFleet(t, s, settings{apps: c.apps, batch: c.batch}), newRegistry(t, peers.ReferrersKind)
		certificates, entries, began := s.Certificates(), s.Entries(t), time.Now()
		f.must(t, r, "publish")
		took := time.Since(began)
		t.Logf("%s: %s, %d certificates, %d log entries", c.name, took.Round(10*time.Millisecond), s.Certificates()-certificates, s.Entries(t)-entries)
		if n := s.Certificates() - certificates; n != 1 {
			t.Errorf("%s: Fulcio was asked for %d certificates, want 1", c.name, n)
		}
		if n := s.Entries(t) - entries; n != c.entries {
			t.Errorf("%s: Rekor has %d entries more, want %d", c.name, n, c.entries)
		}
		if took > c.within {
			t.Errorf("%s: it took %s, want less than %s", c.name, took, c.within)
		}
		edge := r.tagged("edge")
		if len(edge) != c.apps {
			t.Fatalf("%s: %d apps are published", c.name, len(edge))
		}
		judge.accepts(t, s, edge[:3])
	}
}
