package render

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// based has a base outside of the app's directory, a link, a file that is asked for twice and one that nobody reads.
const based = `
-- app/kustomization.yaml --
resources: [../base]
configMapGenerator: [{name: a, files: [one=app.conf, two=app.conf]}]
-- app/app.conf --
x=1
-- app/unused.yaml --
-- base/kustomization.yaml --
resources: [a.yaml]
-- base/a.yaml --
apiVersion: v1
kind: ConfigMap
metadata: {name: b}
`

// checkFiles wants exactly these files, with the sums that they have on disk.
func checkFiles(t *testing.T, root string, got []Material, want ...string) {
	t.Helper()
	var paths []string
	for _, m := range got {
		content, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(m.Path)))
		if sum := sha256.Sum256(content); err != nil || m.SHA256 != hex.EncodeToString(sum[:]) {
			t.Errorf("%s has another sum (%v)", m.Path, err)
		}
		paths = append(paths, m.Path)
	}
	if !slices.Equal(paths, want) {
		t.Errorf("got %q, want %q", paths, want)
	}
}

func TestMaterials(t *testing.T) {
	root := t.TempDir()
	unpackInto(t, root, based)
	if err := os.Symlink("kustomization.real", filepath.Join(root, "app", "kustomization.yml")); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(root, "app", "kustomization.yaml"), filepath.Join(root, "app", "kustomization.real")); err != nil {
		t.Fatal(err)
	}
	recording := poolOptions(roleWorker)
	recording.Record = true
	cached := remembering(t)
	for name, pool := range map[string]*Pool{"recorded": newPool(t, recording), "rendered": cached, "cached": cached} {
		result, err := pool.Render(t.Context(), request(root))
		if err != nil {
			t.Fatal(err)
		}
		m, err := MaterialsOf(request(root), result)
		if err != nil || len(m.Remotes)+len(m.Charts) > 0 {
			t.Errorf("%s: %+v, %v", name, m, err)
		}
		checkFiles(t, root, m.Files, "app/app.conf", "app/kustomization.real", "base/a.yaml", "base/kustomization.yaml")
	}
	// Nothing is claimed when nothing was recorded.
	result, err := newPool(t, poolOptions(roleWorker)).Render(t.Context(), request(root))
	if err != nil {
		t.Fatal(err)
	}
	if m, err := MaterialsOf(request(root), result); err != nil || m.Files != nil {
		t.Errorf("not recorded: %+v, %v", m, err)
	}
}

func TestMaterialsOfATree(t *testing.T) {
	root := t.TempDir()
	unpackInto(t, root, based)
	r := request(root)
	r.Mode, r.Dir, r.RemoteBases = Tree, filepath.Join(root, "base"), true
	result, err := newPool(t, poolOptions(roleWorker)).Render(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	m, err := MaterialsOf(r, result)
	if err != nil {
		t.Fatal(err)
	}
	checkFiles(t, root, m.Files, "base/a.yaml", "base/kustomization.yaml")
}

// A base that was fetched is named, without the credentials in its URL, and the files beside it are not known.
func TestMaterialsElsewhere(t *testing.T) {
	root := t.TempDir()
	unpackInto(t, root, `
-- app/kustomization.yaml --
resources: [../base, "https://user:hunter2@example.com/crd.yaml", "github.com/org/base//web?ref=v1"]
helmCharts: [{name: podinfo, version: 6.5.0, repo: "https://user:hunter2@charts.example.com"}, {name: local}]
-- base/kustomization.yaml --
resources: [../app, ../../outside, "https://user:hunter2@example.com/crd.yaml", missing.yaml]
components: ["git@example.com:org/base"]
`)
	r := request(root)
	r.RemoteBases, r.Helm = true, true
	m, err := MaterialsOf(r, Result{})
	want := []string{"git@example.com:org/base", "github.com/org/base//web?ref=v1", "https://example.com/crd.yaml"}
	if err != nil || m.Files != nil || !slices.Equal(m.Remotes, want) {
		t.Errorf("got %+v, %v", m, err)
	}
	if charts := []Chart{{Name: "podinfo", Version: "6.5.0", Repository: "https://charts.example.com"}}; !slices.Equal(m.Charts, charts) {
		t.Errorf("got %+v", m.Charts)
	}
	r.Helm = false
	if m, err := MaterialsOf(r, Result{}); err != nil || len(m.Charts) != 0 {
		t.Errorf("without helm: %+v, %v", m, err)
	}
	r.RemoteBases = false
	if m, err := MaterialsOf(r, Result{}); err != nil || len(m.Remotes) != 0 {
		t.Errorf("without remote bases: %+v, %v", m, err)
	}
}
