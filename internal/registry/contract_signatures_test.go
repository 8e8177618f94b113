package registry

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/artifactctl/artifactctl/internal/artifact"
)

func contractBundles(t *testing.T, r port) {
	ctx := t.Context()
	a, b := build(t, "a"), build(t, "b")
	for _, x := range []*artifact.Artifact{a, b} {
		if err := r.Push(ctx, "app", x); err != nil {
			t.Fatal(err)
		}
	}
	attach := func(to *artifact.Artifact, s artifact.Signature) {
		t.Helper()
		if err := r.Attach(ctx, "app", to.Manifest.Descriptor, s); err != nil {
			t.Fatal(err)
		}
	}
	attach(a, bundle("1"))
	attach(a, bundle("1"))
	attach(a, bundle("2"))
	attach(b, bundle("3"))
	got, err := r.Signatures(ctx, "app", a.Manifest.Descriptor)
	if want := plain([]artifact.Signature{bundle("1"), bundle("2")}); err != nil || !slices.Equal(plain(got), want) {
		t.Fatalf("Signatures: %v %v", plain(got), err)
	}
	for _, s := range got {
		m, err := r.Resolve(ctx, "app", s.Digest)
		if err != nil || len(m.Layers) != 1 || m.Layers[0].MediaType != "application/vnd.dev.sigstore.bundle.v0.3+json" ||
			m.Config.MediaType != ocispec.MediaTypeEmptyJSON || m.Annotations["dev.sigstore.bundle.content"] != "dsse-envelope" ||
			m.Annotations[ocispec.AnnotationCreated] != "" || !strings.Contains(string(m.Bytes), `"subject":{`) {
			t.Errorf("referrer %s: %s %v", s.Digest, m.Bytes, err)
		}
	}
	if got, err = r.Signatures(ctx, "app", b.Manifest.Descriptor); err != nil || !slices.Equal(plain(got), plain([]artifact.Signature{bundle("3")})) {
		t.Errorf("Signatures of the other: %v %v", plain(got), err)
	}
}

func contractLegacy(t *testing.T, r port) {
	ctx := t.Context()
	a := build(t, "a")
	if err := r.Push(ctx, "app", a); err != nil {
		t.Fatal(err)
	}
	all := []artifact.Signature{legacy("x"), legacy("xx"), bundle("b")}
	for range 2 {
		for _, s := range all {
			if err := r.Attach(ctx, "app", a.Manifest.Descriptor, s); err != nil {
				t.Fatal(err)
			}
		}
	}
	got, err := r.Signatures(ctx, "app", a.Manifest.Descriptor)
	if err != nil || !slices.Equal(plain(got), plain(all)) {
		t.Errorf("Signatures: %v %v", plain(got), err)
	}
	tag := strings.Replace(a.Manifest.Digest.String(), ":", "-", 1) + ".sig"
	m, err := r.Resolve(ctx, "app", tag)
	if err != nil || len(m.Layers) != 2 {
		t.Fatalf("%s: %s %v", tag, m.Bytes, err)
	}
	config, err := r.Fetch(ctx, "app", m.Config)
	want := fmt.Sprintf(`"diff_ids":["%s","%s"]`, m.Layers[0].Digest, m.Layers[1].Digest)
	if err != nil || m.Config.MediaType != ocispec.MediaTypeImageConfig || !strings.Contains(string(config), want) {
		t.Errorf("config: %s %v", config, err)
	}
}

// contractOtherReferrers stores what is no signature of the subject beside it.
func contractOtherReferrers(t *testing.T, r port) {
	ctx := t.Context()
	a := build(t, "a")
	if err := r.Push(ctx, "app", a); err != nil {
		t.Fatal(err)
	}
	s := r.(store)
	subject := &ocispec.Descriptor{MediaType: a.Manifest.MediaType, Digest: a.Manifest.Digest, Size: a.Manifest.Size}
	put := func(artifactType string, blobs ...artifact.Blob) {
		t.Helper()
		config := describe(ocispec.MediaTypeEmptyJSON, []byte("{}"))
		m := ocispec.Manifest{ArtifactType: artifactType, Config: config.Descriptor, Subject: subject, Layers: []ocispec.Descriptor{}}
		for _, b := range blobs {
			m.Layers = append(m.Layers, b.Descriptor)
		}
		x, err := marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.put(ctx, "app", x, append(blobs, config)...); err != nil {
			t.Fatal(err)
		}
		d := x.Descriptor
		d.ArtifactType = artifactType
		if err := s.link(ctx, "app", *subject, d); err != nil {
			t.Fatal(err)
		}
	}
	sbom := describe("application/spdx+json", []byte("sbom"))
	good := describe("application/vnd.dev.sigstore.bundle.v0.3+json", []byte("unlabelled bundle"))
	more := describe("application/vnd.dev.sigstore.bundle.v0.3+json", []byte("second bundle"))
	put("application/spdx+json", sbom)
	put("application/vnd.dev.sigstore.bundle.v0.3+json", sbom) // lies
	put("application/vnd.dev.sigstore.bundle.v0.3+json")
	put("application/vnd.dev.sigstore.bundle.v0.3+json", good, more)
	put("", good) // no artifact type, no annotations: Flux takes it
	got, err := r.Signatures(ctx, "app", *subject)
	if want := plain([]artifact.Signature{{Format: artifact.FormatBundle, Content: good.Content}}); err != nil || !slices.Equal(plain(got), want) {
		t.Errorf("Signatures: %v %v", plain(got), err)
	}
}

// TestDeterministic pins the referrer of a bundle and the image of a legacy signature, byte for byte: they must not change
// from run to run or release to release.
func TestDeterministic(t *testing.T) {
	l, err := NewLayout(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	subject := ocispec.Descriptor{MediaType: artifact.ManifestMediaType, Digest: digest.FromString("x"), Size: 1}
	for _, s := range []artifact.Signature{bundle("1"), legacy("1")} {
		if err := l.Attach(ctx, "app", subject, s); err != nil {
			t.Fatal(err)
		}
	}
	got, err := l.Signatures(ctx, "app", subject)
	if err != nil || len(got) != 2 {
		t.Fatal(got, err)
	}
	m, err := l.Resolve(ctx, "app", got[0].Digest)
	const referrer = `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","artifactType":"application/vnd.dev.sigstore.bundle.v0.3+json",` +
		`"config":{"mediaType":"application/vnd.oci.empty.v1+json","digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":2},` +
		`"layers":[{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","digest":"sha256:DIGEST","size":14}],` +
		`"subject":{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881","size":1},` +
		`"annotations":{"dev.sigstore.bundle.content":"dsse-envelope","dev.sigstore.bundle.predicateType":"https://sigstore.dev/cosign/sign/v1"}}`
	want := strings.Replace(referrer, "DIGEST", fmt.Sprintf("%x", sha256.Sum256([]byte(`{"bundle":"1"}`))), 1)
	if err != nil || string(m.Bytes) != want {
		t.Errorf("referrer:\n%s\n%s\n%v", m.Bytes, want, err)
	}
	m, err = l.Resolve(ctx, "app", legacyTag(subject.Digest))
	if err != nil || !strings.HasPrefix(string(m.Bytes), `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json",`) ||
		!strings.Contains(string(m.Bytes), `"layers":[{"mediaType":"application/vnd.dev.cosign.simplesigning.v1+json"`) ||
		!strings.Contains(string(m.Bytes), `"annotations":{"dev.cosignproject.cosign/signature":"AQL/AQ=="}`) {
		t.Errorf("legacy image: %s %v", m.Bytes, err)
	}
}
