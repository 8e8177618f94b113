package registry

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/artifactctl/artifactctl/internal/artifact"
)

func counts(requests []string, parts ...string) (n int) {
	for _, line := range requests {
		all := true
		for _, p := range parts {
			all = all && strings.Contains(line, p)
		}
		if all {
			n++
		}
	}
	return n
}

// TestKnownBatch: one signature of many artifacts is fetched once, and in the next run not at all.
func TestKnownBatch(t *testing.T) {
	const apps = 20
	for _, api := range []bool{true, false} {
		f, server := newFake(t, api)
		cache := NewCache(t.TempDir())
		setup := dial(t, server)
		subjects := make([]artifact.Descriptor, apps)
		for i := range apps {
			a := build(t, fmt.Sprint(i))
			subjects[i] = a.Manifest.Descriptor
			name := fmt.Sprint("app", i)
			if err := errors.Join(setup.Push(t.Context(), name, a), setup.Attach(t.Context(), name, subjects[i], bundle("batch"))); err != nil {
				t.Fatal(err)
			}
		}
		for _, blobs := range []int{1, 0} {
			f.Requests()
			r := dial(t, server, func(o *RemoteOptions) { o.Cache = cache })
			var wg sync.WaitGroup
			for i := range apps {
				wg.Go(func() {
					s, err := r.Known().Signatures(t.Context(), fmt.Sprint("app", i), subjects[i])
					if err != nil || len(s) != 1 || string(s[0].Content) != string(bundle("batch").Content) || s[0].PredicateType == "" || s[0].Digest == "" {
						t.Errorf("%+v %v", s, err)
					}
				})
			}
			wg.Wait()
			all := f.Requests()
			if n := counts(all, "/blobs/"); n > blobs+1 || n < blobs { // one more when a second began before the first was stored
				t.Errorf("api %v: %d times fetched, want %d", api, n, blobs)
			}
			if blobs == 0 && (len(all) > apps+1 || len(all) < apps) {
				t.Errorf("api %v: %q", api, all)
			}
		}
	}
}

// TestKnownIsNoProof: a referrer that was deleted while the fallback tag still names it is noticed at once by whoever
// verifies or moves a tag, and within a day by runs with nothing to do. Where the registry keeps the list itself, at once.
func TestKnownIsNoProof(t *testing.T) {
	for _, api := range []bool{true, false} {
		f, server := newFake(t, api)
		now := time.Now()
		cache := NewCache(t.TempDir())
		cache.now = func() time.Time { return now }
		r := dial(t, server, func(o *RemoteOptions) { o.Cache = cache })
		a := build(t, "a")
		if err := errors.Join(r.Push(t.Context(), "app", a), r.Attach(t.Context(), "app", a.Manifest.Descriptor, bundle("1"))); err != nil {
			t.Fatal(err)
		}
		s, err := r.Signatures(t.Context(), "app", a.Manifest.Descriptor)
		if err != nil || len(s) != 1 {
			t.Fatal(s, err)
		}
		f.mu.Lock()
		delete(f.manifests, key("org/app", s[0].Digest))
		f.mu.Unlock()
		look := func(r port) int {
			t.Helper()
			s, err := r.Signatures(t.Context(), "app", a.Manifest.Descriptor)
			if err != nil {
				t.Fatal(err)
			}
			return len(s)
		}
		if n := look(r); n != 0 {
			t.Errorf("api %v: a verifier sees %d signatures", api, n)
		}
		known := func() int {
			s, err := r.Known().Signatures(t.Context(), "app", a.Manifest.Descriptor)
			if err != nil {
				t.Fatal(err)
			}
			return len(s)
		}
		if n := known(); n != map[bool]int{true: 0, false: 1}[api] {
			t.Errorf("api %v: %d are known", api, n)
		}
		now = now.Add(25 * time.Hour)
		if n := known(); n != 0 {
			t.Errorf("api %v: %d are known a day later", api, n)
		}
	}
}

// TestKnownForeign: other manifests beside an artifact are looked at once, and a look-up that fails is an error.
func TestKnownForeign(t *testing.T) {
	f, server := newFake(t, true)
	r := dial(t, server, func(o *RemoteOptions) { o.Cache = NewCache(t.TempDir()) })
	contractOtherReferrers(t, r)
	subject := build(t, "a").Manifest.Descriptor
	look := func() error {
		s, err := r.Known().Signatures(t.Context(), "app", subject)
		if err == nil && len(s) != 1 {
			t.Errorf("%v", plain(s))
		}
		return err
	}
	if err := look(); err != nil {
		t.Fatal(err)
	}
	f.Requests()
	if err := look(); err != nil {
		t.Fatal(err)
	}
	if all := f.Requests(); len(all) != 1 {
		t.Errorf("%q", all)
	}
	f.Before(func(w http.ResponseWriter, _ *http.Request) bool { refuse(w, 403, "DENIED", "no"); return true })
	if err := look(); err == nil {
		t.Error("a look-up that failed says nothing about signatures")
	}
}
