package registry

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"oras.land/oras-go/v2"
	"oras.land/oras-go/v2/content"
	"oras.land/oras-go/v2/content/oci"
	ociregistry "oras.land/oras-go/v2/registry"

	"github.com/artifactctl/artifactctl/internal/artifact"
)

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
