package registry

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/artifactctl/artifactctl/internal/artifact"
)

func cacheFiles(t *testing.T, dir string) []string {
	t.Helper()
	var files []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		want := fs.FileMode(0o600)
		if d.IsDir() {
			want = 0o700
		} else {
			files = append(files, path)
		}
		if path != dir && info.Mode().Perm() != want {
			t.Errorf("%s: mode %v", path, info.Mode())
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// TestCacheKeeps: what was put is found, by whoever uses the directory; nothing else ever is.
func TestCacheKeeps(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	c := NewCache(dir)
	content := []byte("a bundle")
	d := artifact.Describe("x", content)
	if c.blob(d) != nil || c.manifest("r/app", d.Digest.String(), true) != nil {
		t.Error("an empty cache has something")
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			other := NewCache(dir)
			other.putBlob(d.Digest.String(), content)
			other.putManifest("r/app", d.Digest.String(), content)
			if got := other.blob(d); string(got) != string(content) {
				t.Errorf("blob: %q", got)
			}
			if got := other.manifest("r/app", d.Digest.String(), true); string(got) != string(content) {
				t.Errorf("manifest: %q", got)
			}
		})
	}
	wg.Wait()
	if c.manifest("r/other", d.Digest.String(), true) != nil {
		t.Error("what one repository has says nothing about another")
	}
	c.putBlob(digest.FromString("other").String(), content)
	c.putManifest("r/app", digest.FromString("other").String(), content)
	files := cacheFiles(t, dir)
	if len(files) != 2 {
		t.Errorf("files: %q", files)
	}
	if s := c.Stats(); s != (CacheStats{Misses: 3}) {
		t.Errorf("stats: %+v", s)
	}
	for _, damage := range []string{"", "a bundlE", "seen 2026-11-22T00:00:00Z\na bundlE", "seen soon\na bundle"} {
		for _, file := range files {
			if err := os.WriteFile(file, []byte(damage), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if b, m := c.blob(d), c.manifest("r/app", d.Digest.String(), true); b != nil || m != nil {
			t.Errorf("damaged by %q: %q %q", damage, b, m)
		}
		if left := cacheFiles(t, dir); len(left) != 0 {
			t.Errorf("damaged by %q: left %q", damage, left)
		}
		c.putBlob(d.Digest.String(), content)
		c.putManifest("r/app", d.Digest.String(), content)
	}
	if wrong := (artifact.Descriptor{Digest: d.Digest, Size: 3}); c.blob(wrong) != nil || c.blob(d) == nil {
		t.Error("a wrong size must not be found, nor do harm")
	}
}

// TestCacheAbsent: no cache, and one that cannot be written, only remember nothing.
func TestCacheAbsent(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	d := artifact.Describe("x", []byte("y"))
	for _, c := range []*Cache{nil, NewCache(file), NewCache(filepath.Join(file, "below"))} {
		c.putBlob(d.Digest.String(), []byte("y"))
		c.putManifest("r/app", d.Digest.String(), []byte("y"))
		if c.blob(d) != nil || c.manifest("r/app", d.Digest.String(), true) != nil || c.Stats().Stored != 0 {
			t.Error("it remembers")
		}
	}
	if p, err := (*Cache)(nil).Prune(t.Context(), 0); err != nil || p != (Pruned{}) {
		t.Errorf("Prune: %+v %v", p, err)
	}
	if p, err := NewCache(filepath.Join(t.TempDir(), "none")).Prune(t.Context(), 0); err != nil || p != (Pruned{}) {
		t.Errorf("Prune: %+v %v", p, err)
	}
}

// TestCacheRecheck: what a fallback tag lists is believed for less than a day, and not by all for equally long.
func TestCacheRecheck(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	c := NewCache(t.TempDir())
	c.now = func() time.Time { return now }
	content := []byte("m")
	d := digest.FromBytes(content).String()
	const entries = 50
	believed := func(listed bool) (n int) {
		for i := range entries {
			if c.manifest(fmt.Sprint("r/app", i), d, listed) != nil {
				n++
			}
		}
		return n
	}
	for i := range entries {
		c.putManifest(fmt.Sprint("r/app", i), d, content)
	}
	for _, tt := range []struct {
		after       time.Duration
		least, most int
	}{{0, entries, entries}, {11 * time.Hour, entries, entries}, {18 * time.Hour, 10, 40}, {25 * time.Hour, 0, 0}, {-time.Hour, 0, 0}} {
		now = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC).Add(tt.after)
		if n := believed(false); n < tt.least || n > tt.most {
			t.Errorf("after %s %d are believed", tt.after, n)
		}
		if n := believed(true); n != entries {
			t.Errorf("after %s %d are believed of a list that the registry keeps", tt.after, n)
		}
	}
}

func TestCachePrune(t *testing.T) {
	dir := t.TempDir()
	c := NewCache(dir)
	start := time.Now()
	for i := range 10 {
		content := []byte(strings.Repeat(fmt.Sprint(i), 100))
		c.putBlob(digest.FromBytes(content).String(), content)
		file := c.file(digest.FromBytes(content).Encoded() + ".blob")
		if err := os.Chtimes(file, start, start.Add(time.Duration(i-20)*time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	oldest := []byte(strings.Repeat("0", 100))
	if c.blob(artifact.Describe("", oldest)) == nil { // which makes it the youngest
		t.Fatal("the oldest is gone already")
	}
	put := func(name string, age time.Duration) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(filepath.Join(dir, name), start, start.Add(-age)); err != nil {
			t.Fatal(err)
		}
	}
	put("README", 1000*time.Hour)
	put(tempPrefix+"old", 2*time.Hour)
	put(tempPrefix+"new", 0)
	p, err := c.Prune(t.Context(), 402)
	if err != nil || p != (Pruned{Removed: 7, Freed: 601, Files: 5, Bytes: 401}) {
		t.Errorf("Prune: %+v %v", p, err)
	}
	for i := range 10 {
		content := []byte(strings.Repeat(fmt.Sprint(i), 100))
		if kept := c.blob(artifact.Describe("", content)) != nil; kept != (i == 0 || i > 6) {
			t.Errorf("%d: kept %v", i, kept)
		}
	}
	p, err = c.Prune(t.Context(), 0)
	if err != nil || p.Files != 1 || p.Removed != 4 {
		t.Errorf("Prune of all: %+v %v", p, err)
	}
	if _, err := os.Stat(filepath.Join(dir, "README")); err != nil {
		t.Error(err)
	}
}
