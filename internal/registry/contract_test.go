package registry

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	ggcr "github.com/google/go-containerregistry/pkg/registry"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/artifactctl/artifactctl/internal/artifact"
)

// port is what the engine asks of a registry.
type port interface {
	Resolve(ctx context.Context, repository, ref string) (artifact.Manifest, error)
	Fetch(ctx context.Context, repository string, d artifact.Descriptor) ([]byte, error)
	Push(ctx context.Context, repository string, a *artifact.Artifact) error
	Signatures(ctx context.Context, repository string, subject artifact.Descriptor) ([]artifact.Signature, error)
	Attach(ctx context.Context, repository string, subject artifact.Descriptor, s artifact.Signature) error
	Tag(ctx context.Context, repository string, m artifact.Manifest, tag string) error
	Tags(ctx context.Context, repository string) ([]string, error)
}

var (
	_ port = (*Remote)(nil)
	_ port = (*Layout)(nil)
)

// waits records instead of sleeping.
type waits struct {
	mu  sync.Mutex
	all []time.Duration
}

func (w *waits) backoff(retries int) *backoff {
	return &backoff{
		retries: retries,
		now:     func() time.Time { return time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC) },
		random:  func() float64 { return 1 },
		sleep: func(ctx context.Context, d time.Duration) error {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.all = append(w.all, d)
			return ctx.Err()
		},
	}
}

func (w *waits) taken() []time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.all)
}

// dial makes a Remote of a test server.
func dial(t *testing.T, server *httptest.Server, with ...func(*RemoteOptions)) *Remote {
	t.Helper()
	o := RemoteOptions{Host: strings.TrimPrefix(strings.TrimPrefix(server.URL, "http://"), "https://"), Prefix: "org", backoff: new(waits).backoff(5)}
	for _, w := range with {
		w(&o)
	}
	r, err := NewRemote(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

func build(t *testing.T, content string) *artifact.Artifact {
	t.Helper()
	a, err := artifact.Build(artifact.Files{artifact.ManifestsFile: []byte(content)}, artifact.Meta{
		Source: "https://example.com/fleet", Revision: "main@sha1:abc", Created: "2026-11-22T00:00:00Z",
	})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func bundle(text string) artifact.Signature {
	return artifact.Signature{Format: artifact.FormatBundle, Content: []byte(`{"bundle":"` + text + `"}`), PredicateType: "https://sigstore.dev/cosign/sign/v1"}
}

func legacy(text string) artifact.Signature {
	return artifact.Signature{Format: artifact.FormatLegacy, Content: []byte(`{"critical":"` + text + `"}`), Value: []byte{1, 2, 0xff, byte(len(text))}}
}

// plain is a signature without where it was found.
func plain(list []artifact.Signature) []string {
	var all []string
	for _, s := range list {
		all = append(all, fmt.Sprintf("%s %s %x %s", s.Format, s.Content, s.Value, s.PredicateType))
	}
	slices.Sort(all)
	return all
}

func TestContract(t *testing.T) {
	server := func(t *testing.T, api bool) *httptest.Server {
		s := httptest.NewServer(ggcr.New(ggcr.WithReferrersSupport(api), ggcr.Logger(log.New(io.Discard, "", 0))))
		t.Cleanup(s.Close)
		return s
	}
	withLegacy := func(o *RemoteOptions) { o.Legacy = true }
	kinds := map[string]func(t *testing.T) port{
		"ggcr with referrers":    func(t *testing.T) port { return dial(t, server(t, true), withLegacy) },
		"ggcr without referrers": func(t *testing.T) port { return dial(t, server(t, false), withLegacy) },
		"strict with referrers": func(t *testing.T) port {
			f, s := newFake(t, true)
			f.Page = 1
			return dial(t, s, withLegacy)
		},
		"strict without subject header": func(t *testing.T) port {
			f, s := newFake(t, true)
			f.NoSubject = true
			return dial(t, s, withLegacy)
		},
		"strict without referrers": func(t *testing.T) port {
			f, s := newFake(t, false)
			f.Page = 2
			return dial(t, s, withLegacy)
		},
		"layout": func(t *testing.T) port {
			l, err := NewLayout(t.TempDir() + "/a/b")
			if err != nil {
				t.Fatal(err)
			}
			return l
		},
	}
	tests := map[string]func(t *testing.T, r port){
		"nothing there":   contractNothing,
		"push and fetch":  contractPush,
		"tags":            contractTags,
		"bundles":         contractBundles,
		"legacy":          contractLegacy,
		"other referrers": contractOtherReferrers,
		"no manifest":     contractIndex,
		"bad names":       contractNames,
		"bad content":     contractContent,
		"side by side":    contractParallel,
		"cancelled":       contractCancelled,
	}
	for kind, open := range kinds {
		for name, test := range tests {
			t.Run(kind+"/"+name, func(t *testing.T) {
				t.Parallel()
				test(t, open(t))
			})
		}
	}
}

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
