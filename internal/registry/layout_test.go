package registry

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2"
	"oras.land/oras-go/v2/content"
	"oras.land/oras-go/v2/content/oci"
	ociregistry "oras.land/oras-go/v2/registry"

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

// TestLayoutForOras: oras-go finds tags, content and referrers of a layout of ours.
func TestLayoutForOras(t *testing.T) {
	ctx, a := t.Context(), build(t, "a")
	dir := t.TempDir()
	if err := publish(ctx, openLayout(t, dir), a); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "team", "app")
	s, err := oci.NewFromFS(ctx, os.DirFS(path))
	if err != nil {
		t.Fatal(err)
	}
	d, err := s.Resolve(ctx, "edge")
	if err != nil || d.Digest != a.Manifest.Digest {
		t.Fatal(d, err)
	}
	layer, err := content.FetchAll(ctx, s, a.Layer.Descriptor)
	if err != nil || !bytes.Equal(layer, a.Layer.Content) {
		t.Error(err)
	}
	list, err := ociregistry.Referrers(ctx, s, d, "")
	if err != nil || len(list) != 1 || list[0].ArtifactType != "application/vnd.dev.sigstore.bundle.v0.3+json" {
		t.Errorf("Referrers: %+v %v", list, err)
	}
	predecessors, err := s.Predecessors(ctx, d)
	if err != nil || len(predecessors) != 1 {
		t.Errorf("Predecessors: %+v %v", predecessors, err)
	}
}

// TestLayoutByOras: a layout that oras-go copied (which lists referrers without their artifact type, and writes index.json
// in its own way) is ours to read and to go on with.
func TestLayoutByOras(t *testing.T) {
	ctx, a := t.Context(), build(t, "a")
	from, to := t.TempDir(), t.TempDir()
	if err := publish(ctx, openLayout(t, from), a); err != nil {
		t.Fatal(err)
	}
	src, err := oci.New(filepath.Join(from, "team", "app"))
	if err != nil {
		t.Fatal(err)
	}
	dst, err := oci.New(filepath.Join(to, "copy"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := oras.ExtendedCopy(ctx, src, "edge", dst, "edge", oras.DefaultExtendedCopyOptions); err != nil {
		t.Fatal(err)
	}
	l := openLayout(t, to)
	m, err := l.Resolve(ctx, "copy", "edge")
	if err != nil || m.Digest != a.Manifest.Digest {
		t.Fatal(err)
	}
	if err := l.Attach(ctx, "copy", m.Descriptor, bundle("2")); err != nil {
		t.Fatal(err)
	}
	if s, err := l.Signatures(ctx, "copy", m.Descriptor); err != nil || len(s) != 2 {
		t.Errorf("Signatures: %v %v", plain(s), err)
	}
}

// TestLayoutProcesses: several processes write to one repository and nothing gets lost.
func TestLayoutProcesses(t *testing.T) {
	const processes, writes = 4, 6
	if dir := os.Getenv("REGISTRY_TEST_LAYOUT"); dir != "" {
		l, a := openLayout(t, dir), build(t, "a")
		for i := range writes {
			name := fmt.Sprint(os.Getenv("REGISTRY_TEST_NUMBER"), "-", i)
			err := errors.Join(
				l.Push(t.Context(), "app", a),
				l.Attach(t.Context(), "app", a.Manifest.Descriptor, bundle(name)),
				l.Attach(t.Context(), "app", a.Manifest.Descriptor, artifact.Signature{Format: artifact.FormatLegacy, Content: []byte(name), Value: []byte(name)}),
				l.Tag(t.Context(), "app", a.Manifest, "tag-"+name),
			)
			if err != nil {
				t.Error(err)
			}
		}
		return
	}
	dir := t.TempDir()
	var running []*exec.Cmd
	for i := range processes {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestLayoutProcesses$")
		cmd.Env = append(os.Environ(), "REGISTRY_TEST_LAYOUT="+dir, fmt.Sprint("REGISTRY_TEST_NUMBER=", i))
		cmd.Stderr = os.Stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		running = append(running, cmd)
	}
	for _, cmd := range running {
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	}
	l := openLayout(t, dir)
	tags, err := l.Tags(t.Context(), "app")
	if err != nil || len(tags) != processes*writes+1 {
		t.Errorf("%d tags %v", len(tags), err)
	}
	if s, err := l.Signatures(t.Context(), "app", build(t, "a").Manifest.Descriptor); err != nil || len(s) != 2*processes*writes {
		t.Errorf("%d signatures %v", len(s), err)
	}
}

// TestLayoutLock: waiting for a lock ends with the context.
func TestLayoutLock(t *testing.T) {
	file := filepath.Join(t.TempDir(), "lock")
	unlock, err := lockFile(t.Context(), file)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := lockFile(ctx, file); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a second lock: %v", err)
	}
	unlock()
	unlock, err = lockFile(t.Context(), file)
	if err != nil {
		t.Fatal(err)
	}
	unlock()
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
