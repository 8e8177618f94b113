package registry

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/artifactctl/artifactctl/internal/artifact"
)

// TestReferrersUnknown: a look-up of signatures that failed is an error, never "unsigned", however it failed.
func TestReferrersUnknown(t *testing.T) {
	a := build(t, "a")
	for _, status := range []int{401, 403, 405, 429, 500, 503} {
		for _, where := range []kind{referrersKind, manifestsKind, blobsKind} {
			for _, api := range []bool{true, false} {
				if where == referrersKind && !api {
					continue
				}
				t.Run(fmt.Sprint(status, " ", where, " ", api), func(t *testing.T) {
					t.Parallel()
					f, server := newFake(t, api)
					r := dial(t, server)
					ctx := t.Context()
					if err := errors.Join(r.Push(ctx, "app", a), r.Attach(ctx, "app", a.Manifest.Descriptor, bundle("1"))); err != nil {
						t.Fatal(err)
					}
					f.Before(func(w http.ResponseWriter, r *http.Request) bool {
						if r.Method == http.MethodGet && place(r).kind == where {
							refuse(w, status, "DENIED", "no")
							return true
						}
						return false
					})
					if s, err := dial(t, server).Signatures(ctx, "app", a.Manifest.Descriptor); err == nil || errors.Is(err, artifact.ErrNotFound) {
						t.Errorf("Signatures: %v %v", plain(s), err)
					}
				})
			}
		}
	}
}

// TestFallbackStatuses: these answers say that there is no referrers API, as Flux reads them.
func TestFallbackStatuses(t *testing.T) {
	for _, status := range []int{400, 404, 406, 200} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			f, server := newFake(t, false)
			f.Before(func(w http.ResponseWriter, r *http.Request) bool {
				if place(r).kind != referrersKind {
					return false
				}
				w.Header().Set("Content-Type", "text/html")
				w.WriteHeader(status)
				return true
			})
			r := dial(t, server)
			ctx, a := t.Context(), build(t, "a")
			if err := errors.Join(r.Push(ctx, "app", a), r.Attach(ctx, "app", a.Manifest.Descriptor, bundle("1"))); err != nil {
				t.Fatal(err)
			}
			if s, err := dial(t, server).Signatures(ctx, "app", a.Manifest.Descriptor); err != nil || len(s) != 1 {
				t.Errorf("Signatures: %v %v", plain(s), err)
			}
		})
	}
}

// TestLostUpdate: a writer that knows nothing of our entry replaces the fallback index; it is added again, and theirs
// stays.
func TestLostUpdate(t *testing.T) {
	for _, losses := range []int{1, 3, 100} {
		t.Run(fmt.Sprint(losses), func(t *testing.T) {
			f, server := newFake(t, false)
			r := dial(t, server)
			ctx, a := t.Context(), build(t, "a")
			if err := r.Push(ctx, "app", a); err != nil {
				t.Fatal(err)
			}
			foreign := []byte(`{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"` + digest.FromString("gone").String() + `","size":4}]}`)
			n := 0
			f.Before(func(w http.ResponseWriter, r *http.Request) bool {
				if place(r).ref == fallbackTag(a.Manifest.Digest) && r.Method == http.MethodGet && n < losses+1 {
					if n++; n > 1 { // after our first read, before each read back
						f.mu.Lock()
						f.manifests[key("org/app", place(r).ref)] = stored{ocispec.MediaTypeImageIndex, foreign}
						f.mu.Unlock()
					}
				}
				return false
			})
			err := r.Attach(ctx, "app", a.Manifest.Descriptor, bundle("1"))
			if losses == 100 {
				if err == nil || !strings.Contains(err.Error(), "other writers") {
					t.Errorf("Attach: %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			s, err := r.Signatures(ctx, "app", a.Manifest.Descriptor) // the foreign entry dangles, and is skipped
			if err != nil || len(s) != 1 {
				t.Errorf("Signatures: %v %v", plain(s), err)
			}
			index, err := r.fallbackIndex(ctx, "app", a.Manifest.Descriptor)
			if err != nil || len(index.Manifests) != 2 || index.Manifests[1].ArtifactType == "" || index.Manifests[1].Annotations["dev.sigstore.bundle.predicateType"] == "" {
				t.Errorf("index: %+v %v", index.Manifests, err)
			}
		})
	}
}

// TestFallbackTagOfSubject: a registry that takes the fallback tag for the digest has no referrers there; what else is
// no index is an error.
func TestFallbackTagOfSubject(t *testing.T) {
	f, server := newFake(t, false)
	r := dial(t, server)
	ctx, a, b := t.Context(), build(t, "a"), build(t, "b")
	if err := r.Push(ctx, "app", a); err != nil {
		t.Fatal(err)
	}
	tag := key("org/app", fallbackTag(a.Manifest.Digest))
	f.manifests[tag] = stored{a.Manifest.MediaType, a.Manifest.Bytes}
	if s, err := r.Signatures(ctx, "app", a.Manifest.Descriptor); err != nil || len(s) != 0 {
		t.Errorf("Signatures: %v %v", plain(s), err)
	}
	f.manifests[tag] = stored{b.Manifest.MediaType, b.Manifest.Bytes}
	if s, err := r.Signatures(ctx, "app", a.Manifest.Descriptor); err == nil {
		t.Errorf("Signatures: %v", plain(s))
	}
}

// TestTooMany: lists that somebody else filled are bounded.
func TestTooMany(t *testing.T) {
	for _, api := range []bool{true, false} {
		f, server := newFake(t, api)
		f.Page = 30
		r := dial(t, server)
		ctx, a := t.Context(), build(t, "a")
		for i := range MaxReferrers + 1 {
			if err := r.Attach(ctx, "app", a.Manifest.Descriptor, bundle(fmt.Sprint(i))); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := r.Signatures(ctx, "app", a.Manifest.Descriptor); err == nil || !strings.Contains(err.Error(), "more than 100") {
			t.Errorf("Signatures: %v", err)
		}
	}
}

// A bundle that cannot be read hides none of the others; one that is gone is no signature.
func TestSomeBundlesCannotBeRead(t *testing.T) {
	for code, failed := range map[string]bool{"BLOB_UNKNOWN": false, "UNKNOWN": true} {
		for _, api := range []bool{true, false} {
			t.Run(fmt.Sprint(code, " ", api), func(t *testing.T) {
				t.Parallel()
				f, server := newFake(t, api)
				r, a := dial(t, server), build(t, "a")
				ctx, subject := t.Context(), a.Manifest.Descriptor
				if err := errors.Join(r.Push(ctx, "app", a), r.Attach(ctx, "app", subject, bundle("1")), r.Attach(ctx, "app", subject, bundle("2"))); err != nil {
					t.Fatal(err)
				}
				lost := artifact.Describe("", bundle("1").Content).Digest.String()
				f.Before(func(w http.ResponseWriter, r *http.Request) bool {
					hit := strings.HasSuffix(r.URL.Path, lost)
					if hit {
						refuse(w, 404, code, "no")
					}
					return hit
				})
				got, err := dial(t, server).Signatures(ctx, "app", subject)
				if (err != nil) != failed || !slices.Equal(plain(got), plain([]artifact.Signature{bundle("2")})) {
					t.Errorf("got %v %v, want the other one, and an error: %t", plain(got), err, failed)
				}
			})
		}
	}
}

// TestDeadEntry: a registry that refuses a list which names what is gone gets one without it. What is there stays, and
// what cannot be looked at is not taken for gone.
func TestDeadEntry(t *testing.T) {
	f, server := newFake(t, false)
	r := dial(t, server)
	a := build(t, "a")
	subject := a.Manifest.Descriptor
	if err := errors.Join(r.Push(t.Context(), "app", a), r.Attach(t.Context(), "app", subject, bundle("stays")), r.Attach(t.Context(), "app", subject, bundle("goes"))); err != nil {
		t.Fatal(err)
	}
	listed, err := r.Signatures(t.Context(), "app", subject)
	if err != nil || len(listed) != 2 {
		t.Fatal(listed, err)
	}
	gone := listed[1].Digest
	if string(listed[1].Content) != string(bundle("goes").Content) {
		gone = listed[0].Digest
	}
	f.mu.Lock()
	delete(f.manifests, key("org/app", gone))
	f.mu.Unlock()
	broken := true
	f.Before(func(w http.ResponseWriter, q *http.Request) bool {
		at := place(q)
		if broken && q.Method == http.MethodGet && at.ref == gone {
			refuse(w, http.StatusForbidden, "DENIED", "no")
			return true
		}
		if q.Method != http.MethodPut || at.ref != fallbackTag(subject.Digest) {
			return false
		}
		body, err := io.ReadAll(q.Body)
		if err != nil {
			t.Error(err)
		}
		q.Body = io.NopCloser(bytes.NewReader(body))
		if strings.Contains(string(body), gone) {
			refuse(w, http.StatusBadRequest, "MANIFEST_BLOB_UNKNOWN", "blob unknown to registry")
			return true
		}
		return false
	})
	if err := r.Attach(t.Context(), "app", subject, bundle("new")); err == nil || !strings.Contains(err.Error(), "look which referrers are gone") {
		t.Errorf("an entry that cannot be looked at: %v", err)
	}
	broken = false
	if err := r.Attach(t.Context(), "app", subject, bundle("new")); err != nil {
		t.Fatal(err)
	}
	after, err := dial(t, server).Signatures(t.Context(), "app", subject)
	if err != nil || len(after) != 2 || slices.ContainsFunc(after, func(s artifact.Signature) bool { return s.Digest == gone }) {
		t.Errorf("%v, %v", plain(after), err)
	}
}
