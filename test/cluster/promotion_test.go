package cluster_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/artifactctl/artifactctl/test/fixture"
	"github.com/artifactctl/artifactctl/test/peers"
)

// A cluster of production is pinned to digests. What is published to staging does not concern it, nor do production's tags
// when they move; the diff that a promotion leaves in the GitOps directory does, and rolls exactly the promoted digest.
func testPromotion(t *testing.T, w *world) {
	for _, kinds := range [][2]string{{peers.DistributionKind, peers.ReferrersKind}, {peers.ReferrersKind, peers.DistributionKind}} {
		t.Run(strings.Join(kinds[:], " to "), func(t *testing.T) {
			t.Parallel()
			const pins = "clusters/production"
			registries := map[string]*peers.Registry{peers.DistributionKind: peers.Distribution(t), peers.ReferrersKind: peers.WithReferrers(t)}
			key := withKey(fixture.NewKey(t, "p256"))
			f := newFleet(t, w, registries[kinds[0]], "promoted-from-"+kinds[0], key, "web", "database")
			f.more = fmt.Sprintf("environments:\n  production: {registry: {url: \"oci://%s/%s\"}}\n", registries[kinds[1]].Host, f.name)
			f.sign(t, key)
			apply := func() {
				t.Helper()
				if _, err := w.Kubectl(t.Context(), nil, "apply", "-k", filepath.Join(f.dir, pins)); err != nil {
					t.Fatal(err)
				}
			}
			f.must(t, "publish")
			f.must(t, "promote", "--env", "production")
			f.must(t, "generate", "flux", "--env", "production", "--branch", "main", "--digest", "--namespace", f.name, "--out", pins)
			f.commit(t, "pins")
			apply()
			old := map[string]string{}
			for _, app := range f.apps {
				old[app] = f.digest(t, app, channel)
				f.runs(t, app, old[app], "1")
			}
			f.change(t, "web", "2")
			f.change(t, "database", "2")
			f.must(t, "publish")
			f.must(t, "promote", "--env", "production", "--only", "web", "--write-pins", pins)
			if changed := f.changed(t); changed != pins+"/apps/web.yaml" {
				t.Errorf("the promotion of web changes %q", changed)
			}
			f.look(t, "web")
			f.runs(t, "web", old["web"], "1") // nobody has applied the diff
			f.commit(t, "promote web")
			apply()
			f.runs(t, "web", f.digest(t, "web", channel), "2")
			f.look(t, "database")
			f.runs(t, "database", old["database"], "1")
		})
	}
}

// changed are the files that differ from the last commit.
func (f *fleet) changed(t *testing.T) string {
	t.Helper()
	return f.git(t, "diff", "--name-only")
}
