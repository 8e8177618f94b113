package cluster_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/artifactctl/artifactctl/test/cluster"
	"github.com/artifactctl/artifactctl/test/fixture"
	"github.com/artifactctl/artifactctl/test/peers"
)

// A cluster is given one source and one key by hand, and gets everything else from there: the sources of the apps are
// themselves a signed artifact of the fleet. A new app comes without anybody touching the cluster.
func testBootstrap(t *testing.T, w *world) {
	const tree = "clusters/prod"
	f := newFleet(t, w, peers.Distribution(t), "bootstrap", withKey(fixture.NewKey(t, "p256")), "web", "database")
	f.rules = ", {path: " + tree + ", name: flux-system, render: none}"
	generate := func() {
		t.Helper()
		f.must(t, "generate", "flux", "--branch", "main", "--namespace", f.name, "--depends-on", "web=database", "--out", tree)
		f.commit(t, "sources")
		f.must(t, "publish")
	}
	f.write(t, tree+"/README.md", "Generated.\n")
	f.sign(t, withKey(fixture.NewKey(t, "p256")))
	generate()
	for _, file := range []string{"signing-keys.yaml", "flux-system.yaml"} {
		manifests, err := os.ReadFile(filepath.Join(f.dir, tree, file))
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Apply(t.Context(), manifests); err != nil {
			t.Fatal(err)
		}
	}
	f.tree(t)
	for _, app := range f.apps {
		f.runs(t, app, f.digest(t, app, channel), "1")
	}
	f.change(t, "queue", "1")
	generate()
	f.look(t, "flux-system")
	f.tree(t)
	f.runs(t, "queue", f.digest(t, "queue", channel), "1")
	f.change(t, "web", "2")
	f.must(t, "publish")
	f.look(t, "web")
	f.runs(t, "web", f.digest(t, "web", channel), "2")
}

// tree waits until the tree that the cluster starts from is verified and applied.
func (f *fleet) tree(t *testing.T) {
	t.Helper()
	digest := f.digest(t, "flux-system", channel)
	o, err := f.world.Wait(t.Context(), cluster.Kustomization(f.name, "flux-system"), func(o cluster.Object) bool {
		return o.Is("Ready", "True") && o.Applied() == digest
	})
	if err != nil {
		t.Fatalf("%s: %v", o, err)
	}
}
