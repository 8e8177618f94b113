package main

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/artifactctl/artifactctl/plugins/signer"
	"github.com/artifactctl/artifactctl/plugins/signer/sigstoretuf/tuftest"
)

func newTUFRepository(t *testing.T) *tuftest.Repository {
	t.Helper()
	targets, err := tuftest.Sigstore("https://fulcio.example.com")
	if err != nil {
		t.Fatal(err)
	}
	r, err := tuftest.New(targets)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

// tufOptions name the repository and a cache.
func tufOptions(t *testing.T, r *tuftest.Repository, cache string) options {
	t.Helper()
	path := filepath.Join(t.TempDir(), "root.json")
	if err := os.WriteFile(path, r.Root, 0o600); err != nil {
		t.Fatal(err)
	}
	return withAudience(options{tufMirror: r.URL, tufRoot: path, tufCache: cache})
}

// find is what a signer does about its services when it is opened.
func find(ctx context.Context, o options) (s *keylessSigner, warnings string, err error) {
	s = impatient()
	w, err := s.findSigstore(ctx, o)
	return s, strings.Join(w, "; "), err
}

func TestTUF(t *testing.T) {
	r, cache := newTUFRepository(t), t.TempDir()
	o := tufOptions(t, r, cache)
	// The mirror is busy at first.
	r.Answer(func(w http.ResponseWriter, _ *http.Request) bool {
		busy := r.Requests.Load()%2 == 1
		if busy {
			w.WriteHeader(http.StatusTooManyRequests)
		}
		return busy
	})
	for range 2 {
		s, warnings, err := find(t.Context(), o)
		if err != nil || warnings != "" {
			t.Fatalf("%v, %q", err, warnings)
		}
		if s.services.fulcio != "https://fulcio.example.com" || s.services.signIn != "https://people.example.com" || s.check.trusted == nil || s.check.path != "of "+r.URL {
			t.Errorf("found %+v", s.services)
		}
	}
	if n := r.Requests.Load(); n != 12 { // six files, each at the second attempt
		t.Errorf("the mirror was asked %d times, want 12", n)
	}
	r.AnswerAll(http.StatusServiceUnavailable)
	if err := os.Remove(stampOf(t, cache)); err != nil {
		t.Fatal(err)
	}
	if s, warnings, err := find(t.Context(), o); err != nil || s.services.fulcio == "" || !strings.Contains(warnings, "still valid; now: signer backend unavailable: the TUF mirror answers 503") {
		t.Errorf("outage: %v, %q", err, warnings)
	}
}

// stampOf finds the file that says when the copy was made.
func stampOf(t *testing.T, cache string) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(cache, "*", "asked"))
	if err != nil || len(found) != 1 {
		t.Fatalf("%v, %v", found, err)
	}
	return found[0]
}

func TestTUFFails(t *testing.T) {
	r, other := newTUFRepository(t), newTUFRepository(t)
	foreign := tufOptions(t, r, t.TempDir())
	foreign.tufMirror = other.URL
	alone := tufOptions(t, r, t.TempDir())
	alone.tufMirror = "http://127.0.0.1:1"
	nowhere := tufOptions(t, r, t.TempDir())
	nowhere.tufMirror += "/nowhere"
	refused := newTUFRepository(t)
	refused.AnswerAll(http.StatusForbidden)
	for name, c := range map[string]struct {
		o    options
		want error
		text string
	}{
		"root of another repository": {foreign, signer.ErrInvalid, "nothing that can be trusted"},
		"no repository there":        {nowhere, signer.ErrInvalid, "404"},
		"nobody answers":             {alone, signer.ErrUnavailable, "there is no copy"},
		"refused":                    {tufOptions(t, refused, t.TempDir()), signer.ErrDenied, "answers 403"},
	} {
		if _, _, err := find(t.Context(), c.o); !errors.Is(err, c.want) || !strings.Contains(said(err), c.text) || !strings.Contains(said(err), "| to do without TUF, name") {
			t.Errorf("%s: %s", name, said(err))
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := find(ctx, tufOptions(t, r, t.TempDir())); !errors.Is(err, context.Canceled) {
		t.Errorf("a run that was ended: %v", err)
	}
}

// The home of a user who has none is no place for a copy: it works without.
func TestTUFWithoutHome(t *testing.T) {
	r := newTUFRepository(t)
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("ARTIFACTCTL_CACHE_DIR", "")
	t.Setenv("XDG_CACHE_HOME", filepath.Join(file, "cache"))
	t.Setenv("HOME", file)
	s, warnings, err := find(t.Context(), tufOptions(t, r, ""))
	if err != nil || s.services.fulcio != "https://fulcio.example.com" || !strings.Contains(warnings, "not kept") {
		t.Errorf("%+v, %q, %v", s.services, warnings, err)
	}
}
