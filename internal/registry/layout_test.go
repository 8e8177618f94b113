package registry

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/artifactctl/artifactctl/internal/artifact"
)

func openLayout(t *testing.T, dir string) *Layout {
	t.Helper()
	l, err := NewLayout(dir)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// publish is what a run does to one app.
func publish(ctx context.Context, r port, a *artifact.Artifact) error {
	if err := r.Push(ctx, "team/app", a); err != nil {
		return err
	}
	if err := r.Attach(ctx, "team/app", a.Manifest.Descriptor, bundle("1")); err != nil {
		return err
	}
	if err := r.Attach(ctx, "team/app", a.Manifest.Descriptor, legacy("1")); err != nil {
		return err
	}
	return r.Tag(ctx, "team/app", a.Manifest, "edge")
}

// tree is all that a directory holds, temporary and lock files left out.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasPrefix(d.Name(), ".") {
			return err
		}
		b, err := os.ReadFile(path)
		files[strings.TrimPrefix(path, dir)] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// TestLayoutIdempotent: doing all again writes nothing.
func TestLayoutIdempotent(t *testing.T) {
	ctx, a := t.Context(), build(t, "a")
	l := openLayout(t, t.TempDir())
	if err := publish(ctx, l, a); err != nil {
		t.Fatal(err)
	}
	l.fault = func(step string) error { return errors.New("unexpected: " + step) }
	if err := publish(ctx, l, a); err != nil {
		t.Error(err)
	}
}

// TestLayoutReading leaves no trace.
func TestLayoutReading(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "not", "there")
	contractNothing(t, openLayout(t, dir))
	if _, err := os.Stat(filepath.Dir(dir)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("reading made %s: %v", dir, err)
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := NewLayout(file); err == nil {
		t.Error("a file is no layout")
	}
}

func TestLayoutReservedNames(t *testing.T) {
	l := openLayout(t, t.TempDir())
	for _, repository := range []string{"a/blobs", "blobs/x", "a/index.json", "oci-layout", "a/blobs/sha256"} {
		if err := l.Push(t.Context(), repository, build(t, "a")); err == nil {
			t.Errorf("Push to %s", repository)
		}
	}
	for _, repository := range []string{"a", "a/b", "a/b/c"} { // a repository inside another
		if err := l.Push(t.Context(), repository, build(t, "a")); err != nil {
			t.Errorf("Push to %s: %v", repository, err)
		}
	}
}

// TestLayoutTagMoves: what a tag named before is still there by its digest.
func TestLayoutTagMoves(t *testing.T) {
	ctx, a, b := t.Context(), build(t, "a"), build(t, "b")
	l := openLayout(t, t.TempDir())
	for _, err := range []error{publish(ctx, l, a), l.Tag(ctx, "team/app", a.Manifest, "v1"), publish(ctx, l, b), l.Tag(ctx, "team/app", b.Manifest, "v1")} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if m, err := l.Resolve(ctx, "team/app", a.Manifest.Digest.String()); err != nil || m.Digest != a.Manifest.Digest {
		t.Error(err)
	}
	if s, err := l.Signatures(ctx, "team/app", a.Manifest.Descriptor); err != nil || len(s) != 2 {
		t.Errorf("signatures of what lost its tags: %v %v", plain(s), err)
	}
}

// TestSetTag checks the entries of index.json directly: a manifest has as many as it has tags, and one if none.
func TestSetTag(t *testing.T) {
	var index ocispec.Index
	one, two := build(t, "1").Manifest.Descriptor, build(t, "2").Manifest.Descriptor
	index.Manifests = []ocispec.Descriptor{one, two}
	for _, step := range []struct {
		d    ocispec.Descriptor
		tag  string
		want bool
	}{{one, "a", true}, {one, "a", false}, {one, "b", true}, {two, "a", true}, {two, "b", true}, {two, "b", false}} {
		if got := setTag(&index, step.d, step.tag); got != step.want {
			t.Errorf("%+v: %v", step, got)
		}
	}
	var got []string
	for _, d := range index.Manifests {
		got = append(got, strings.NewReplacer(one.Digest.String(), "one", two.Digest.String(), "two").Replace(d.Digest.String())+":"+d.Annotations[ocispec.AnnotationRefName])
	}
	if slices.Sort(got); !slices.Equal(got, []string{"one:", "two:a", "two:b"}) {
		b, _ := json.Marshal(index)
		t.Errorf("%q %s", got, b)
	}
}
