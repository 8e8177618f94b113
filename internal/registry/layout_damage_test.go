package registry

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/artifactctl/artifactctl/internal/artifact"
)

// TestLayoutCrash stops a publish before every single write and rename. What is there afterwards is whole, a tag names
// only what is signed, and the next publish ends with the same bytes as one that nothing stopped.
func TestLayoutCrash(t *testing.T) {
	ctx, a := t.Context(), build(t, "a")
	whole := t.TempDir()
	if err := publish(ctx, openLayout(t, whole), a); err != nil {
		t.Fatal(err)
	}
	want := tree(t, whole)
	errKilled := errors.New("killed")
	for n := 1; ; n++ {
		dir := t.TempDir()
		l := openLayout(t, dir)
		steps := 0
		l.fault = func(string) error {
			if steps++; steps == n {
				return errKilled
			}
			return nil
		}
		err := publish(ctx, l, a)
		if err == nil {
			if n < 20 {
				t.Errorf("only %d steps", n)
			}
			return
		}
		if !errors.Is(err, errKilled) {
			t.Fatalf("step %d: %v", n, err)
		}
		l = openLayout(t, dir)
		if _, err := l.Resolve(ctx, "team/app", "edge"); err == nil {
			if s, err := l.Signatures(ctx, "team/app", a.Manifest.Descriptor); err != nil || len(s) != 2 {
				t.Errorf("step %d: the tag names what has signatures %v %v", n, plain(s), err)
			}
		} else if !errors.Is(err, artifact.ErrNotFound) {
			t.Errorf("step %d: Resolve: %v", n, err)
		}
		if _, err := l.Signatures(ctx, "team/app", a.Manifest.Descriptor); err != nil {
			t.Errorf("step %d: Signatures: %v", n, err)
		}
		if err := publish(ctx, l, a); err != nil {
			t.Errorf("step %d: the next run: %v", n, err)
		}
		if got := tree(t, dir); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("step %d: the next run ends with other bytes", n)
		}
	}
}

// TestLayoutCorrupt: damaged files are never served, and a push mends a blob.
func TestLayoutCorrupt(t *testing.T) {
	ctx, a := t.Context(), build(t, "a")
	dir := t.TempDir()
	l := openLayout(t, dir)
	if err := publish(ctx, l, a); err != nil {
		t.Fatal(err)
	}
	repository := filepath.Join(dir, "team", "app")
	damage := func(file string, change func([]byte) []byte) {
		t.Helper()
		b, err := os.ReadFile(file)
		if err == nil {
			err = os.WriteFile(file, change(b), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	flip := func(b []byte) []byte { b[len(b)/2] ^= 1; return b }
	cut := func(b []byte) []byte { return b[:len(b)/2] }
	for name, change := range map[string]func([]byte) []byte{"flipped": flip, "cut": cut} {
		damage(blobPath(repository, a.Layer.Digest), change)
		if _, err := l.Fetch(ctx, "team/app", a.Layer.Descriptor); !errors.Is(err, artifact.ErrMismatch) {
			t.Errorf("%s layer: %v", name, err)
		}
		if err := l.Push(ctx, "team/app", a); err != nil {
			t.Fatal(err)
		}
		if _, err := l.Fetch(ctx, "team/app", a.Layer.Descriptor); err != nil {
			t.Errorf("a push must mend a %s layer: %v", name, err)
		}
	}
	s, err := l.Signatures(ctx, "team/app", a.Manifest.Descriptor)
	if err != nil {
		t.Fatal(err)
	}
	damage(blobPath(repository, artifact.Describe("", s[0].Content).Digest), flip)
	if _, err := l.Signatures(ctx, "team/app", a.Manifest.Descriptor); !errors.Is(err, artifact.ErrMismatch) {
		t.Errorf("a damaged bundle is not \"unsigned\": %v", err)
	}
	damage(blobPath(repository, a.Manifest.Digest), flip)
	if _, err := l.Resolve(ctx, "team/app", "edge"); !errors.Is(err, artifact.ErrMismatch) {
		t.Errorf("flipped manifest: %v", err)
	}
	if err := os.Remove(blobPath(repository, a.Manifest.Digest)); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Resolve(ctx, "team/app", "edge"); !errors.Is(err, artifact.ErrMismatch) || errors.Is(err, artifact.ErrNotFound) {
		t.Errorf("missing manifest: %v", err)
	}
	for file, text := range map[string]string{"index.json": "{", "oci-layout": `{"imageLayoutVersion":"2.0.0"}`} {
		damage(filepath.Join(repository, file), func([]byte) []byte { return []byte(text) })
		_, resolve := l.Resolve(ctx, "team/app", "edge")
		_, tags := l.Tags(ctx, "team/app")
		_, signatures := l.Signatures(ctx, "team/app", a.Manifest.Descriptor)
		for name, err := range map[string]error{"Resolve": resolve, "Tags": tags, "Signatures": signatures, "Tag": l.Tag(ctx, "team/app", a.Manifest, "x")} {
			if err == nil || errors.Is(err, artifact.ErrNotFound) || !strings.Contains(err.Error(), file) {
				t.Errorf("broken %s: %s: %v", file, name, err)
			}
		}
		damage(filepath.Join(repository, "index.json"), func([]byte) []byte { return []byte(`{"schemaVersion":2,"manifests":[]}`) })
	}
}

// TestLayoutSweep removes what killed processes left long ago, and nothing else.
func TestLayoutSweep(t *testing.T) {
	dir := t.TempDir()
	l := openLayout(t, dir)
	if err := publish(t.Context(), l, build(t, "a")); err != nil {
		t.Fatal(err)
	}
	old, fresh := filepath.Join(dir, "team/app", tempPrefix+"old"), filepath.Join(dir, "team/app", tempPrefix+"fresh")
	for _, file := range []string{old, fresh} {
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	past := time.Now().Add(-2 * staleTemp)
	if err := os.Chtimes(old, past, past); err != nil {
		t.Fatal(err)
	}
	if err := l.Push(t.Context(), "team/app", build(t, "b")); err != nil {
		t.Fatal(err)
	}
	_, oldErr := os.Stat(old)
	_, freshErr := os.Stat(fresh)
	if !errors.Is(oldErr, fs.ErrNotExist) || freshErr != nil {
		t.Errorf("old: %v, fresh: %v", oldErr, freshErr)
	}
}

// TestLayoutUnwritable: what the system refuses is an error that names the place.
func TestLayoutUnwritable(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "app"), nil, 0o600); err != nil { // where the repository should be
		t.Fatal(err)
	}
	l := openLayout(t, dir)
	if err := l.Push(t.Context(), "app", build(t, "a")); err == nil || !strings.Contains(err.Error(), "app") {
		t.Errorf("Push: %v", err)
	}
	if _, err := l.Resolve(t.Context(), "app", "edge"); err == nil || errors.Is(err, artifact.ErrNotFound) {
		t.Errorf("Resolve: %v", err)
	}
}
