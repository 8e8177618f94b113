package registry

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	ggcr "github.com/google/go-containerregistry/pkg/registry"
	"github.com/opencontainers/go-digest"
	specs "github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/artifactctl/artifactctl/internal/artifact"
)

// copyKinds are stores to copy between.
var copyKinds = map[string]func(t *testing.T) Store{
	"api":           func(t *testing.T) Store { _, s := newFake(t, true); return dial(t, s, always) },
	"fallback":      func(t *testing.T) Store { _, s := newFake(t, false); return dial(t, s, always) },
	"ggcr api":      func(t *testing.T) Store { return dial(t, ggcrServer(t, true), always) },
	"ggcr fallback": func(t *testing.T) Store { return dial(t, ggcrServer(t, false), always) },
	"layout":        func(t *testing.T) Store { return emptyLayout(t) },
}

func always(o *RemoteOptions) { o.Legacy = true }

func ggcrServer(t *testing.T, api bool) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(ggcr.New(ggcr.WithReferrersSupport(api), ggcr.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(s.Close)
	return s
}

func emptyLayout(t *testing.T) *Layout {
	t.Helper()
	l, err := NewLayout(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// adorn stores an artifact with all that may refer to one: bundles, an SBOM of a type that nobody knows, a signature of
// that SBOM, an index as a referrer, and what cosign keeps under tags. It returns the digests of all referrers, by
// subject.
func adorn(t *testing.T, s Store, a *artifact.Artifact) map[digest.Digest][]string {
	t.Helper()
	ctx := t.Context()
	p := s.(port)
	if err := p.Push(ctx, "app", a); err != nil {
		t.Fatal(err)
	}
	subject := a.Manifest.Descriptor
	for _, signature := range []artifact.Signature{bundle("1"), bundle("2"), legacy("x"), legacy("xx")} {
		if err := p.Attach(ctx, "app", subject, signature); err != nil {
			t.Fatal(err)
		}
	}
	sbom := refer(t, s, subject, "application/x-nobody-knows", map[string]string{ocispec.AnnotationRefName: "edge"})
	if err := p.Attach(ctx, "app", sbom, bundle("of the sbom")); err != nil {
		t.Fatal(err)
	}
	referIndex(t, s, subject)
	provenance := describe("application/vnd.dsse.envelope.v1+json", []byte(`{"payload":"provenance"}`))
	m, config, err := legacyImage(artifact.Manifest{}, provenance.Descriptor)
	if err == nil {
		_, err = s.putBlobs(ctx, "app", config, provenance)
	}
	if err == nil {
		err = s.Tag(ctx, "app", m, fallbackTag(subject.Digest)+".att")
	}
	if err != nil {
		t.Fatal(err)
	}
	return map[digest.Digest][]string{
		subject.Digest: referrersOf(t, s, subject), sbom.Digest: referrersOf(t, s, sbom),
	}
}

// refer stores a referrer with one layer.
func refer(t *testing.T, s Store, subject artifact.Descriptor, artifactType string, annotations map[string]string) artifact.Descriptor {
	t.Helper()
	config, layer := describe(ocispec.MediaTypeEmptyJSON, []byte("{}")), describe(artifactType, []byte("content of "+artifactType))
	m, err := marshal(ocispec.Manifest{
		ArtifactType: artifactType, Config: config.Descriptor, Layers: []ocispec.Descriptor{layer.Descriptor}, Annotations: annotations,
		Subject: &ocispec.Descriptor{MediaType: subject.MediaType, Digest: subject.Digest, Size: subject.Size},
	})
	if err == nil {
		err = s.put(t.Context(), "app", m, config, layer)
	}
	link(t, s, subject, m, err)
	return m.Descriptor
}

// referIndex stores an index with an image in it as a referrer.
func referIndex(t *testing.T, s Store, subject artifact.Descriptor) {
	t.Helper()
	config, layer := describe("application/x-config", []byte("config")), describe("application/x-layer", []byte("layer"))
	child, err := marshal(ocispec.Manifest{Config: config.Descriptor, Layers: []ocispec.Descriptor{layer.Descriptor}})
	if err == nil {
		err = s.put(t.Context(), "app", child, config, layer)
	}
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(ocispec.Index{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageIndex, ArtifactType: "application/x-many",
		Manifests: []ocispec.Descriptor{child.Descriptor}, Subject: &subject,
	})
	m := artifact.Manifest{Descriptor: artifact.Describe(ocispec.MediaTypeImageIndex, b), Bytes: b}
	if err == nil {
		err = s.put(t.Context(), "app", m)
	}
	link(t, s, subject, m, err)
}

func link(t *testing.T, s Store, subject artifact.Descriptor, m artifact.Manifest, err error) {
	t.Helper()
	var entry ocispec.Descriptor
	if err == nil {
		entry, err = entryOf(m)
	}
	if err == nil {
		err = s.link(t.Context(), "app", subject, entry)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func referrersOf(t *testing.T, s Store, subject artifact.Descriptor) []string {
	t.Helper()
	list, err := s.referrers(t.Context(), "app", subject)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, d := range list {
		all = append(all, d.Digest.String())
	}
	slices.Sort(all)
	return all
}

// check wants that a store has everything that adorn stored, byte for byte, and not one tag of content.
func checkCopied(t *testing.T, from, to Store, a *artifact.Artifact, want map[digest.Digest][]string) {
	t.Helper()
	ctx := t.Context()
	for subject, referrers := range want {
		if got := referrersOf(t, to, ocispec.Descriptor{MediaType: artifact.ManifestMediaType, Digest: subject, Size: a.Manifest.Size}); !slices.Equal(got, referrers) {
			t.Errorf("referrers of %s: %v, want %v", subject, got, referrers)
		}
		for _, d := range append(referrers, a.Manifest.Digest.String()) {
			m := sameManifest(t, from, to, digest.Digest(d))
			named, err := namedBy(m)
			if err != nil {
				t.Fatal(err)
			}
			for _, child := range named.Manifests {
				sameManifest(t, from, to, child.Digest)
			}
			for _, b := range named.blobs() {
				if _, err := to.Fetch(ctx, "app", b); err != nil {
					t.Errorf("blob of %s: %v", d, err)
				}
			}
		}
	}
	ours, err1 := from.(port).Signatures(ctx, "app", a.Manifest.Descriptor)
	theirs, err2 := to.(port).Signatures(ctx, "app", a.Manifest.Descriptor)
	if err := errors.Join(err1, err2); err != nil || !slices.Equal(plain(ours), plain(theirs)) || len(ours) != 4 {
		t.Errorf("signatures %v, want %v: %v", plain(theirs), plain(ours), err)
	}
	tags, err := to.(port).Tags(ctx, "app")
	if err != nil || slices.ContainsFunc(tags, func(tag string) bool { return !strings.HasPrefix(tag, "sha256-") }) {
		t.Errorf("tags %v %v", tags, err)
	}
	if _, err := to.Resolve(ctx, "app", fallbackTag(a.Manifest.Digest)+".att"); err != nil {
		t.Errorf("attestations: %v", err)
	}
}

func sameManifest(t *testing.T, from, to Store, d digest.Digest) artifact.Manifest {
	t.Helper()
	a, err1 := from.Resolve(t.Context(), "app", d.String())
	b, err2 := to.Resolve(t.Context(), "app", d.String())
	for _, err := range []error{err1, err2} {
		if err != nil && !errors.Is(err, artifact.ErrFormat) {
			t.Fatal(err)
		}
	}
	if string(a.Bytes) != string(b.Bytes) || a.MediaType != b.MediaType {
		t.Errorf("%s: %s %s, want %s %s", d, b.MediaType, b.Bytes, a.MediaType, a.Bytes)
	}
	return b
}

// Whatever the two stores are, everything arrives, byte for byte, and a second copy writes nothing.
func TestCopy(t *testing.T) {
	for source, openSource := range copyKinds {
		for target, openTarget := range copyKinds {
			t.Run(source+" to "+target, func(t *testing.T) {
				t.Parallel()
				from, to, a := openSource(t), openTarget(t), build(t, "a")
				want := adorn(t, from, a)
				if len(want[a.Manifest.Digest]) != 4 {
					t.Fatalf("%d referrers", len(want[a.Manifest.Digest]))
				}
				manifests, written, err := NewCopier(from, to).Copy(t.Context(), "app", "app", a.Manifest.Descriptor)
				if err != nil || manifests != 9 || written == 0 {
					t.Fatalf("%d manifests, %d bytes: %v", manifests, written, err)
				}
				checkCopied(t, from, to, a, want)
				manifests, written, err = NewCopier(from, to).Copy(t.Context(), "app", "app", a.Manifest.Descriptor)
				if err != nil || manifests != 0 || written != 0 {
					t.Errorf("again: %d manifests, %d bytes: %v", manifests, written, err)
				}
			})
		}
	}
}

// What the target has of its own beside the same artifact stays there.
func TestCopyKeepsWhatTheTargetHas(t *testing.T) {
	for name, open := range copyKinds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			from, to, a := copyKinds["api"](t), open(t), build(t, "a")
			p := to.(port)
			err := p.Push(t.Context(), "app", a)
			for _, s := range []artifact.Signature{bundle("own"), legacy("own"), legacy("x")} {
				err = errors.Join(err, p.Attach(t.Context(), "app", a.Manifest.Descriptor, s))
			}
			adorn(t, from, a)
			if _, _, cerr := NewCopier(from, to).Copy(t.Context(), "app", "app", a.Manifest.Descriptor); errors.Join(err, cerr) != nil {
				t.Fatal(err, cerr)
			}
			got, err := p.Signatures(t.Context(), "app", a.Manifest.Descriptor)
			want := []artifact.Signature{bundle("own"), bundle("1"), bundle("2"), legacy("own"), legacy("x"), legacy("xx")}
			if err != nil || !slices.Equal(plain(got), plain(want)) {
				t.Errorf("signatures %v: %v", plain(got), err)
			}
		})
	}
}

// A copy that dies at any write is finished by the next one, which sends nothing that is there.
func TestCopyHeals(t *testing.T) {
	for _, api := range []bool{true, false} {
		from, a := copyKinds["layout"](t), build(t, "a")
		want := adorn(t, from, a)
		for n, done := int64(1), false; !done; n++ {
			f, server := newFake(t, api)
			var writes atomic.Int64
			f.Before(func(w http.ResponseWriter, r *http.Request) bool {
				if r.Method == http.MethodGet || r.Method == http.MethodHead || writes.Add(1) <= n {
					return false
				}
				refuse(w, http.StatusForbidden, "DENIED", "dead")
				return true
			})
			_, _, err := NewCopier(from, dial(t, server, always)).Copy(t.Context(), "app", "app", a.Manifest.Descriptor)
			done = err == nil
			f.Before(nil)
			f.Requests()
			before := map[string]bool{}
			for k := range f.manifests {
				before["PUT /v2/org/app/manifests/"+k[strings.IndexAny(k, "@:")+1:]] = true
			}
			if _, _, err := NewCopier(from, dial(t, server, always)).Copy(t.Context(), "app", "app", a.Manifest.Descriptor); err != nil {
				t.Fatalf("after %d writes: %v", n, err)
			}
			for _, request := range f.Requests() {
				if before[request] && strings.Contains(request, "sha256:") {
					t.Errorf("after %d writes it is sent again: %s", n, request)
				}
			}
			checkCopied(t, from, dial(t, server, always), a, want)
			if n > 100 {
				t.Fatal("it never ends")
			}
		}
	}
}

// The same for a directory that dies before any single file.
func TestCopyHealsALayout(t *testing.T) {
	from, a := copyKinds["fallback"](t), build(t, "a")
	want := adorn(t, from, a)
	copied := func(to *Layout) error {
		_, _, err := NewCopier(from, to).Copy(t.Context(), "app", "app", a.Manifest.Descriptor)
		return err
	}
	var steps atomic.Int64
	whole := emptyLayout(t)
	whole.fault = func(string) error { steps.Add(1); return nil }
	if err := copied(whole); err != nil || steps.Load() < 20 {
		t.Fatal(steps.Load(), err)
	}
	var g sync.WaitGroup
	for n := int64(1); n <= steps.Load(); n += 2 {
		to := emptyLayout(t)
		g.Go(func() {
			var seen atomic.Int64
			to.fault = func(string) error {
				if seen.Add(1) >= n {
					return errors.New("dead")
				}
				return nil
			}
			if err := copied(to); err == nil && n < steps.Load()-5 { // blobs side by side may both begin the layout
				t.Errorf("dead at step %d, and nobody noticed", n)
			}
			to.fault = nil
			if err := copied(to); err != nil {
				t.Errorf("dead at step %d: %v", n, err)
				return
			}
			if err := copied(to); err != nil {
				t.Error(err)
			}
			if all, err := to.referrers(t.Context(), "app", a.Manifest.Descriptor); err != nil || len(all) != len(want[a.Manifest.Digest]) {
				t.Errorf("dead at step %d: %d referrers: %v", n, len(all), err)
			}
		})
	}
	g.Wait()
	checkCopied(t, from, whole, a, want)
	// A file that was damaged or lost since is written anew.
	if err := os.Truncate(blobPath(filepath.Join(whole.dir, "app"), a.Layer.Digest), 3); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(copied(whole), os.Remove(blobPath(filepath.Join(whole.dir, "app"), a.Config.Digest)), copied(whole)); err != nil {
		t.Fatal(err)
	}
	checkCopied(t, from, whole, a, want)
}

// What cannot be read in the source or asked of the target is an error; it is never "nothing refers to it".
func TestCopyUnknown(t *testing.T) {
	for _, api := range []bool{true, false} {
		for _, status := range []int{403, 500} {
			for _, side := range []string{"source", "target"} {
				for _, class := range []string{"GET manifests", "GET blobs", "GET referrers", "HEAD manifests", "HEAD blobs", "PUT manifests", "POST uploads"} {
					t.Run(fmt.Sprint(api, status, side, class), func(t *testing.T) {
						t.Parallel()
						f, server := newFake(t, api)
						g, second := newFake(t, api)
						a := build(t, "a")
						adorn(t, dial(t, server, always), a)
						faulty := map[string]*fake{"source": f, "target": g}[side]
						var hit atomic.Bool
						faulty.Before(func(w http.ResponseWriter, r *http.Request) bool {
							if r.Method+" "+string(place(r).kind) != class {
								return false
							}
							hit.Store(true)
							refuse(w, status, "DENIED", "no")
							return true
						})
						_, _, err := NewCopier(dial(t, server), dial(t, second)).Copy(t.Context(), "app", "app", a.Manifest.Descriptor)
						if hit.Load() != (err != nil) || errors.Is(err, artifact.ErrNotFound) {
							t.Errorf("hit %t: %v", hit.Load(), err)
						}
					})
				}
			}
		}
	}
}

// Within one registry blobs are mounted; where that is refused they are sent.
func TestCopyMounts(t *testing.T) {
	for _, mount := range []bool{true, false} {
		f, server := newFake(t, true)
		f.Mount = mount
		from := dial(t, server, always)
		to := dial(t, server, always, func(o *RemoteOptions) { o.Prefix = "production" })
		a := build(t, "a")
		want := adorn(t, from, a)
		f.Requests()
		_, written, err := NewCopier(from, to).Copy(t.Context(), "app", "app", a.Manifest.Descriptor)
		if err != nil || (written == 0) != mount {
			t.Fatalf("mount %t: %d bytes sent: %v", mount, written, err)
		}
		fetched := slices.ContainsFunc(f.Requests(), func(r string) bool { return strings.HasPrefix(r, "GET /v2/org/app/blobs/") })
		if fetched == mount {
			t.Errorf("mount %t: blobs fetched %t", mount, fetched)
		}
		checkCopied(t, from, to, a, want)
	}
}

// A list that clients keep may name what is gone, and a source may lack a blob: the first is nothing, the second an error.
func TestCopyOfDamage(t *testing.T) {
	f, server := newFake(t, false)
	from, a := dial(t, server), build(t, "a")
	adorn(t, from, a)
	index, err := from.fallbackIndex(t.Context(), "app", a.Manifest.Descriptor)
	index.Manifests = append(index.Manifests, artifact.Describe(artifact.ManifestMediaType, []byte("gone")))
	if err := errors.Join(err, from.putIndex(t.Context(), "app", index, fallbackTag(a.Manifest.Digest))); err != nil {
		t.Fatal(err)
	}
	if _, _, err := NewCopier(from, emptyLayout(t)).Copy(t.Context(), "app", "app", a.Manifest.Descriptor); err != nil {
		t.Errorf("a list with what is gone: %v", err)
	}
	delete(f.blobs, key("org/app", a.Layer.Digest.String()))
	_, _, err = NewCopier(dial(t, server), emptyLayout(t)).Copy(t.Context(), "app", "app", a.Manifest.Descriptor)
	if err == nil || errors.Is(err, artifact.ErrNotFound) || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("a blob is missing: %v", err)
	}
	missing := artifact.Describe(artifact.ManifestMediaType, []byte("never there"))
	if _, _, err = NewCopier(dial(t, server), emptyLayout(t)).Copy(t.Context(), "app", "app", missing); !errors.Is(err, artifact.ErrNotFound) {
		t.Errorf("nothing to copy: %v", err)
	}
}
