package registry

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/artifactctl/artifactctl/internal/artifact"
)

// TestMixedRegistries: behind one host some repositories have the referrers API and some have not. What one says is used
// for others, but never to conclude that they have no signature.
func TestMixedRegistries(t *testing.T) {
	for _, order := range [][]string{{"with", "without"}, {"without", "with"}} {
		f, server := newFake(t, true)
		f.Before(func(w http.ResponseWriter, r *http.Request) bool {
			if place(r).kind == referrersKind && strings.HasSuffix(place(r).repository, "/without") {
				http.NotFound(w, r)
				return true
			}
			if place(r).kind == manifestsKind && r.Method == http.MethodPut && strings.HasSuffix(place(r).repository, "/without") {
				f.mu.Lock()
				defer f.mu.Unlock()
				f.NoSubject = true
				f.putManifest(w, r, place(r).repository, place(r).ref)
				f.NoSubject = false
				return true
			}
			return false
		})
		a := build(t, "a")
		for _, name := range order { // each signed by a process of its own
			r := dial(t, server)
			if err := errors.Join(r.Push(t.Context(), name, a), r.Attach(t.Context(), name, a.Manifest.Descriptor, bundle("1"))); err != nil {
				t.Fatal(err)
			}
		}
		r := dial(t, server)
		for _, name := range append(order, order...) {
			if s, err := r.Signatures(t.Context(), name, a.Manifest.Descriptor); err != nil || len(s) != 1 {
				t.Errorf("%q: %s: %v %v", order, name, plain(s), err)
			}
		}
	}
}

// TestMissingIsNoEvidence: that a repository or manifest does not exist says nothing about the API, unless it is there.
func TestMissingIsNoEvidence(t *testing.T) {
	for _, code := range []string{"NAME_UNKNOWN", "MANIFEST_UNKNOWN", "NOT_FOUND"} {
		f, server := newFake(t, true)
		a := build(t, "a")
		missing := true
		f.Before(func(w http.ResponseWriter, r *http.Request) bool {
			if place(r).kind == referrersKind && missing {
				refuse(w, http.StatusNotFound, code, "there is nothing")
				return true
			}
			return false
		})
		r := dial(t, server)
		if s, err := r.Signatures(t.Context(), "app", a.Manifest.Descriptor); err != nil || len(s) != 0 || r.support.host.Load() != referrersUnknown {
			t.Errorf("%s: %v %v, learnt %d", code, plain(s), err, r.support.host.Load())
		}
		if err := r.Push(t.Context(), "app", a); err != nil {
			t.Fatal(err)
		}
		if _, err := r.Signatures(t.Context(), "app", a.Manifest.Descriptor); err != nil || r.support.host.Load() != referrersTag {
			t.Errorf("%s of what is there: %v, learnt %d", code, err, r.support.host.Load())
		}
		missing = false
	}
}

// TestUnknownRepository: that a repository does not exist answers the questions of one plan, for a short while, and not
// once something was written.
func TestUnknownRepository(t *testing.T) {
	f, server := newFake(t, true)
	now := time.Now()
	r := dial(t, server, func(o *RemoteOptions) { o.backoff.now = func() time.Time { return now } })
	a := build(t, "a")
	ask := func() int {
		t.Helper()
		f.Requests()
		for _, ref := range []string{"edge", "1.0.0", a.Manifest.Digest.String()} {
			var e *Error
			if _, err := r.Resolve(t.Context(), "app", ref); !errors.Is(err, artifact.ErrNotFound) || !errors.As(err, &e) || !strings.Contains(e.Error(), ref) {
				t.Errorf("%s: %v", ref, err)
			}
		}
		if tags, err := r.Tags(t.Context(), "app"); err != nil || len(tags) > 0 {
			t.Errorf("Tags: %v %v", tags, err)
		}
		return len(f.Requests())
	}
	if n := ask(); n != 1 {
		t.Errorf("%d requests", n)
	}
	now = now.Add(time.Minute)
	if n := ask(); n != 1 {
		t.Errorf("%d requests a minute later", n)
	}
	if err := r.Push(t.Context(), "app", a); err != nil {
		t.Fatal(err)
	}
	if m, err := r.Resolve(t.Context(), "app", a.Manifest.Digest.String()); err != nil || m.Digest != a.Manifest.Digest {
		t.Error(err)
	}
}
