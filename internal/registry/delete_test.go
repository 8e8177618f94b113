package registry

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/artifactctl/artifactctl/internal/artifact"
)

// deleter is a Store that deletes.
type deleter interface {
	Store
	Delete(ctx context.Context, repository string, subject artifact.Descriptor, tags ...string) (int, error)
}

// An artifact goes with its tags and all that refers to it, and leaves what belongs to others, shared blobs included.
func TestDelete(t *testing.T) {
	for name, open := range copyKinds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t).(deleter)
			ctx, a, b := t.Context(), build(t, "a"), build(t, "b")
			adorn(t, s, a)
			want := adorn(t, s, b) // with the same blobs
			for tag, x := range map[string]*artifact.Artifact{"sha-1": a, "sha-2": a, "edge": b} {
				if err := s.Tag(ctx, "app", x.Manifest, tag); err != nil {
					t.Fatal(err)
				}
			}
			if n, err := s.Delete(ctx, "app", a.Manifest.Descriptor, "sha-1", "sha-2"); err != nil || n < 7 {
				t.Fatalf("%d manifests: %v", n, err)
			}
			for _, ref := range []string{a.Manifest.Digest.String(), "sha-1", "sha-2"} {
				if _, err := s.Resolve(ctx, "app", ref); !errors.Is(err, artifact.ErrNotFound) {
					t.Errorf("%s is still there: %v", ref, err)
				}
			}
			if left := referrersOf(t, s, a.Manifest.Descriptor); len(left) != 0 {
				t.Errorf("referrers are left: %v", left)
			}
			if got := referrersOf(t, s, b.Manifest.Descriptor); !slices.Equal(got, want[b.Manifest.Digest]) {
				t.Errorf("referrers of another artifact: %v, want %v", got, want[b.Manifest.Digest])
			}
			if m, err := s.Resolve(ctx, "app", "edge"); err != nil || m.Digest != b.Manifest.Digest {
				t.Errorf("another tag: %s %v", m.Digest, err)
			}
			if _, _, err := NewCopier(s, emptyLayout(t)).Copy(ctx, "app", "app", b.Manifest.Descriptor); err != nil {
				t.Errorf("another artifact lost something: %v", err)
			}
			if n, err := s.Delete(ctx, "app", a.Manifest.Descriptor, "sha-1"); err != nil || n != 0 {
				t.Errorf("again: %d %v", n, err)
			}
		})
	}
}

// A registry that does not delete says so; and where the artifact cannot be deleted, or a tag keeps naming it, its
// signatures stay.
func TestDeleteRefused(t *testing.T) {
	for name, fault := range map[string]struct {
		part         string
		status       int
		code, hinted string
	}{
		"not at all": {"/manifests/", 405, "UNSUPPORTED", "retention rules"},
		"not so":     {"/manifests/", 400, "UNSUPPORTED", "retention rules"},
		"not mine":   {"/manifests/", 403, "DENIED", "lacks a right"},
		"no tags":    {"/manifests/sha-1", 405, "UNSUPPORTED", "retention rules"},
	} {
		t.Run(name, func(t *testing.T) {
			server := ggcrServer(t, false) // it keeps tags whose manifest is gone
			s, a := dial(t, server, always), build(t, "a")
			adorn(t, s, a)
			if err := s.Tag(t.Context(), "app", a.Manifest, "sha-1"); err != nil {
				t.Fatal(err)
			}
			before := referrersOf(t, s, a.Manifest.Descriptor)
			next := server.Config.Handler
			server.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Method == http.MethodDelete && strings.Contains(r.URL.Path, fault.part) {
					refuse(w, fault.status, fault.code, "no")
					return
				}
				next.ServeHTTP(w, r)
			})
			_, err := s.Delete(t.Context(), "app", a.Manifest.Descriptor, "sha-1")
			var h interface{ Hint() string }
			if !errors.As(err, &h) || !strings.Contains(h.Hint(), fault.hinted) {
				t.Errorf("%v", err)
			}
			if got := referrersOf(t, dial(t, server, always), a.Manifest.Descriptor); !slices.Equal(got, before) {
				t.Errorf("referrers %v, want %v", got, before)
			}
		})
	}
}
