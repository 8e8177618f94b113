package registry

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/artifactctl/artifactctl/internal/artifact"
)

func contractNothing(t *testing.T, r port) {
	ctx := t.Context()
	d := artifact.Describe(artifact.ManifestMediaType, []byte("{}"))
	for _, ref := range []string{"edge", d.Digest.String()} {
		if _, err := r.Resolve(ctx, "app", ref); !errors.Is(err, artifact.ErrNotFound) {
			t.Errorf("Resolve %s: %v", ref, err)
		}
	}
	if _, err := r.Fetch(ctx, "app", d); !errors.Is(err, artifact.ErrNotFound) {
		t.Errorf("Fetch: %v", err)
	}
	if tags, err := r.Tags(ctx, "app"); err != nil || len(tags) != 0 {
		t.Errorf("Tags: %v %v", tags, err)
	}
	if s, err := r.Signatures(ctx, "app", d); err != nil || len(s) != 0 {
		t.Errorf("Signatures: %v %v", s, err)
	}
}

func contractPush(t *testing.T, r port) {
	ctx := t.Context()
	a := build(t, "kind: ConfigMap")
	for range 2 {
		if err := r.Push(ctx, "deep/er/app", a); err != nil {
			t.Fatal(err)
		}
	}
	m, err := r.Resolve(ctx, "deep/er/app", a.Manifest.Digest.String())
	if err != nil {
		t.Fatal(err)
	}
	if string(m.Bytes) != string(a.Manifest.Bytes) || m.Digest != a.Manifest.Digest || m.Size != a.Manifest.Size ||
		m.MediaType != artifact.ManifestMediaType || m.Annotations[artifact.AnnotationContent] == "" {
		t.Errorf("Resolve: %+v", m)
	}
	layer, err := r.Fetch(ctx, "deep/er/app", m.Layers[0])
	if err != nil || string(layer) != string(a.Layer.Content) {
		t.Errorf("Fetch: %v", err)
	}
	if _, err := r.Resolve(ctx, "deep/er/app", "edge"); !errors.Is(err, artifact.ErrNotFound) {
		t.Errorf("a push must not tag: %v", err)
	}
	if tags, err := r.Tags(ctx, "deep/er/app"); err != nil || len(tags) != 0 {
		t.Errorf("a push must not tag: %v %v", tags, err)
	}
}

func contractTags(t *testing.T, r port) {
	ctx := t.Context()
	one, two := build(t, "one"), build(t, "two")
	for _, a := range []*artifact.Artifact{one, two} {
		if err := r.Push(ctx, "app", a); err != nil {
			t.Fatal(err)
		}
	}
	for _, tag := range []string{"v1.2.3_x", "edge", "sha-1"} {
		if err := r.Tag(ctx, "app", one.Manifest, tag); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		if err := r.Tag(ctx, "app", two.Manifest, "edge"); err != nil {
			t.Fatal(err)
		}
	}
	tags, err := r.Tags(ctx, "app")
	if want := []string{"edge", "sha-1", "v1.2.3_x"}; err != nil || !slices.Equal(tags, want) {
		t.Errorf("Tags: %v %v", tags, err)
	}
	for ref, want := range map[string]*artifact.Artifact{
		"edge": two, "sha-1": one, one.Manifest.Digest.String(): one, two.Manifest.Digest.String(): two,
	} {
		if m, err := r.Resolve(ctx, "app", ref); err != nil || m.Digest != want.Manifest.Digest {
			t.Errorf("Resolve %s: %s %v", ref, m.Digest, err)
		}
	}
}

func contractIndex(t *testing.T, r port) {
	ctx := t.Context()
	b := []byte(`{"schemaVersion":2,"mediaType":"` + ocispec.MediaTypeImageIndex + `","manifests":[]}`)
	index := artifact.Manifest{Descriptor: artifact.Describe(ocispec.MediaTypeImageIndex, b), Bytes: b}
	if err := r.Tag(ctx, "app", index, "multi"); err != nil {
		t.Fatal(err)
	}
	m, err := r.Resolve(ctx, "app", "multi")
	if !errors.Is(err, artifact.ErrFormat) || errors.Is(err, artifact.ErrNotFound) {
		t.Errorf("Resolve: %v", err)
	}
	if m.Digest != index.Digest || m.MediaType != ocispec.MediaTypeImageIndex || string(m.Bytes) != string(b) {
		t.Errorf("Resolve must tell what is there: %+v", m)
	}
}

func contractNames(t *testing.T, r port) {
	ctx := t.Context()
	a := build(t, "a")
	for _, repository := range []string{"", "../x", "a/../../x", "/etc", "a//b", "Ünï", "UPPER", "a b", "a\x00b", ".", "a/.", "a:b", "a@sha256:1", "-a", strings.Repeat("../", 9)} {
		if err := r.Push(ctx, repository, a); err == nil {
			t.Errorf("Push to %q", repository)
		}
		if _, err := r.Resolve(ctx, repository, "edge"); err == nil || errors.Is(err, artifact.ErrNotFound) {
			t.Errorf("Resolve in %q: %v", repository, err)
		}
		if _, err := r.Tags(ctx, repository); err == nil {
			t.Errorf("Tags of %q", repository)
		}
	}
	if err := r.Push(ctx, "app", a); err != nil {
		t.Fatal(err)
	}
	for _, tag := range []string{"", "a/b", "../x", "ü", "a b", ".x", strings.Repeat("x", 129), "sha256:" + strings.Repeat("a", 64)} {
		if err := r.Tag(ctx, "app", a.Manifest, tag); err == nil {
			t.Errorf("Tag %q", tag)
		}
	}
	for _, ref := range []string{"a/b", "../x", "ü", "sha256:short", "sha256:" + strings.Repeat("Z", 64), "md5:" + strings.Repeat("a", 32)} {
		if _, err := r.Resolve(ctx, "app", ref); err == nil || errors.Is(err, artifact.ErrNotFound) {
			t.Errorf("Resolve %q: %v", ref, err)
		}
	}
	if _, err := r.Fetch(ctx, "app", artifact.Descriptor{Digest: "sha256:../../../etc/passwd", Size: 1}); err == nil {
		t.Error("Fetch of a climbing digest")
	}
	if err := r.Attach(ctx, "app", artifact.Descriptor{Digest: "nonsense"}, bundle("x")); err == nil {
		t.Error("Attach to no digest")
	}
	if err := r.Attach(ctx, "app", a.Manifest.Descriptor, artifact.Signature{Format: "odd"}); err == nil {
		t.Error("Attach in an unknown format")
	}
}

func contractContent(t *testing.T, r port) {
	ctx := t.Context()
	a := build(t, "a")
	broken := *a
	broken.Layer.Content = []byte("other")
	if err := r.Push(ctx, "app", &broken); !errors.Is(err, artifact.ErrMismatch) {
		t.Errorf("Push of a wrong layer: %v", err)
	}
	broken = *a
	broken.Manifest.Bytes = append(slices.Clone(a.Manifest.Bytes), ' ')
	if err := r.Push(ctx, "app", &broken); !errors.Is(err, artifact.ErrMismatch) {
		t.Errorf("Push of a wrong manifest: %v", err)
	}
	if err := r.Tag(ctx, "app", broken.Manifest, "edge"); !errors.Is(err, artifact.ErrMismatch) {
		t.Errorf("Tag of a wrong manifest: %v", err)
	}
	if err := r.Push(ctx, "app", a); err != nil {
		t.Fatal(err)
	}
	for _, size := range []int64{a.Layer.Size - 1, a.Layer.Size + 1, 0} {
		d := a.Layer.Descriptor
		d.Size = size
		if _, err := r.Fetch(ctx, "app", d); !errors.Is(err, artifact.ErrMismatch) {
			t.Errorf("Fetch with size %d: %v", size, err)
		}
	}
	d := a.Layer.Descriptor
	d.Size = 1 << 40
	if _, err := r.Fetch(ctx, "app", d); err == nil || !strings.Contains(err.Error(), "limit") {
		t.Errorf("Fetch of a terabyte: %v", err)
	}
}

func contractParallel(t *testing.T, r port) {
	ctx := t.Context()
	a := build(t, "a")
	if err := r.Push(ctx, "app", a); err != nil {
		t.Fatal(err)
	}
	const n = 8
	var want []artifact.Signature
	var wg sync.WaitGroup
	for i := range n {
		b, l := bundle(fmt.Sprint("b", i)), legacy(strings.Repeat("l", i+1))
		want = append(want, b, l)
		wg.Go(func() {
			err := errors.Join(
				r.Push(ctx, "app", build(t, fmt.Sprint(i))),
				r.Push(ctx, "other", a),
				r.Attach(ctx, "app", a.Manifest.Descriptor, b),
				r.Attach(ctx, "app", a.Manifest.Descriptor, l),
				r.Tag(ctx, "app", a.Manifest, fmt.Sprint("tag-", i)),
			)
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	got, err := r.Signatures(ctx, "app", a.Manifest.Descriptor)
	if err != nil || !slices.Equal(plain(got), plain(want)) {
		t.Errorf("Signatures: %v %v", plain(got), err)
	}
	tags, err := r.Tags(ctx, "app")
	own := slices.DeleteFunc(slices.Clone(tags), func(s string) bool { return !strings.HasPrefix(s, "tag-") })
	if err != nil || len(own) != n {
		t.Errorf("Tags: %v %v", tags, err)
	}
}

func contractCancelled(t *testing.T, r port) {
	a := build(t, "a")
	if err := r.Push(t.Context(), "app", a); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, resolve := r.Resolve(ctx, "app", "edge")
	_, fetch := r.Fetch(ctx, "app", a.Layer.Descriptor)
	_, tags := r.Tags(ctx, "app")
	for name, err := range map[string]error{
		"Resolve": resolve, "Fetch": fetch, "Tags": tags, "Push": r.Push(ctx, "app", build(t, "b")),
		"Tag": r.Tag(ctx, "app", a.Manifest, "edge"), "Attach": r.Attach(ctx, "app", a.Manifest.Descriptor, bundle("x")),
	} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
