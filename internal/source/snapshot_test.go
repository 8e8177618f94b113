package source

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestSnapshot(t *testing.T) {
	r := newRepo(t)
	r.write("fleet/app/a", "one")
	r.write("fleet/gone", "one")
	r.write("index", "a file of this name")
	first := r.commit("first")
	r.write("fleet/app/a", "two")
	r.git("rm", "--quiet", "fleet/gone")
	r.commit("second")
	r.write("fleet/app/a", "three, in no commit")
	before := r.git("status", "--porcelain")

	h := r.history()
	h.Dir = filepath.Join(h.Dir, "fleet")
	dir, ok, err := h.Snapshot(t.Context(), first, t.TempDir())
	if err != nil || !ok || filepath.Base(dir) != "fleet" {
		t.Fatalf("%q, %v, %v", dir, ok, err)
	}
	for path, want := range map[string]string{"app/a": "one", "gone": "one", "../index": "a file of this name"} {
		if got, err := os.ReadFile(filepath.Join(dir, path)); err != nil || string(got) != want {
			t.Errorf("%s is %q (%v), want %q", path, got, err, want)
		}
	}
	if after := r.git("status", "--porcelain"); after != before {
		t.Errorf("the repository was changed: %q, before %q", after, before)
	}
	for _, commit := range []string{strings.Repeat("a", 40), "main", ""} {
		if _, ok, err := h.Snapshot(t.Context(), commit, t.TempDir()); ok || err != nil {
			t.Errorf("%q: %v, %v", commit, ok, err)
		}
	}
}
