package main

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/lockedfile"
	"github.com/sigstore/sigstore-go/pkg/tuf"

	"github.com/artifactctl/artifactctl/plugins/signer"
)

// options name the repository and a cache.
func (r *tufRepository) options(t *testing.T, cache string) options {
	t.Helper()
	path := filepath.Join(t.TempDir(), "root.json")
	if err := os.WriteFile(path, r.first, 0o600); err != nil {
		t.Fatal(err)
	}
	return withAudience(options{tufMirror: r.url, tufRoot: path, tufCache: cache})
}

// find is what a signer does about its services when it is opened.
func find(ctx context.Context, o options) (s *keylessSigner, warnings string, err error) {
	s = impatient()
	w, err := s.findSigstore(ctx, o)
	return s, strings.Join(w, "; "), err
}

// age makes the copy in a cache one that was fetched days ago.
func (r *tufRepository) age(t *testing.T, cache string, days int) {
	t.Helper()
	c := tuf.Config{LastTimestamp: time.Now().AddDate(0, 0, -days)}
	if err := c.Persist(filepath.Join(cache, tuf.URLToPath(r.url)+".json")); err != nil {
		t.Fatal(err)
	}
}

func TestTUF(t *testing.T) {
	r, cache := newTUFRepository(t), filepath.Join(t.TempDir(), "deep", "tuf")
	o := r.options(t, cache)
	steps := []struct {
		name     string
		do       func()
		fulcio   string // found; empty: it fails
		asks     bool   // the repository
		warning  string
		want     error
		problems string
	}{
		{name: "fresh", fulcio: "https://fulcio.example.com", asks: true},
		{name: "again, the repository is not asked", fulcio: "https://fulcio.example.com"},
		{name: "a day later there is news", do: func() { r.publish(t, "https://new.example.com"); r.age(t, cache, 2) }, fulcio: "https://new.example.com", asks: true},
		{name: "outage", do: func() { r.age(t, cache, 2); r.answer(http.StatusServiceUnavailable) }, fulcio: "https://new.example.com", asks: true, warning: "answers 503"},
		{name: "refused by the CDN", do: func() { r.answer(http.StatusForbidden) }, fulcio: "https://new.example.com", asks: true, warning: "answers 403"},
		{name: "keys are rotated", do: func() { r.answer(0); r.rotate(t); r.publish(t, "https://third.example.com") }, fulcio: "https://third.example.com", asks: true},
		{name: "outage after the rotation", do: func() { r.age(t, cache, 2); r.answer(http.StatusBadGateway) }, fulcio: "https://third.example.com", asks: true, warning: "still valid"},
		{name: "forged news", do: func() {
			r.answer(0)
			good := r.key
			r.key = newKey(t)
			r.publish(t, "https://evil.example.com")
			r.key = good
		}, fulcio: "https://third.example.com", asks: true, warning: "earlier"},
		{name: "forged copy", do: func() {
			dir := filepath.Join(cache, tuf.URLToPath(r.url), "targets")
			if err := os.WriteFile(filepath.Join(dir, "signing_config.v0.2.json"), signingConfig(t, "https://evil.example.com"), 0o600); err != nil {
				t.Fatal(err)
			}
			r.answer(http.StatusBadGateway)
		}, asks: true, want: signer.ErrUnavailable, problems: "no copy"},
		{name: "good news mend it", do: func() { r.answer(0); r.publish(t, "https://fourth.example.com") }, fulcio: "https://fourth.example.com", asks: true},
		{name: "expired copy and outage", do: func() {
			r.expires = time.Now().Add(-time.Hour)
			r.publish(t, "https://fifth.example.com")
			r.copyTo(t, cache)
			r.answer(http.StatusServiceUnavailable)
		}, asks: true, want: signer.ErrUnavailable, problems: "out of date"},
		{name: "expired news", do: func() { r.answer(0) }, asks: true, want: signer.ErrInvalid, problems: "nothing that can be trusted"},
	}
	for _, step := range steps {
		if step.do != nil {
			step.do()
		}
		before := r.requests.Load()
		s, warnings, err := find(t.Context(), o)
		if asked := r.requests.Load() > before; asked != step.asks {
			t.Errorf("%s: the repository was asked: %t", step.name, asked)
		}
		switch {
		case !errors.Is(err, step.want) || !strings.Contains(said(err), step.problems):
			t.Errorf("%s: got %s, want %v with %q", step.name, said(err), step.want, step.problems)
		case err == nil && (s.services.fulcio != step.fulcio || s.check.trusted == nil || s.services.signIn != "https://people.example.com"):
			t.Errorf("%s: found %+v, want %s", step.name, s.services, step.fulcio)
		case (step.warning == "") != (warnings == "") || !strings.Contains(warnings, step.warning):
			t.Errorf("%s: the warning is %q, want %q", step.name, warnings, step.warning)
		case err != nil && !strings.Contains(said(err), "signingConfig"):
			t.Errorf("%s: no way out in %s", step.name, said(err))
		}
	}
}

func TestTUFWithoutCopy(t *testing.T) {
	r, other := newTUFRepository(t), newTUFRepository(t)
	o := r.options(t, t.TempDir())
	o.tufMirror = other.url
	if _, _, err := find(t.Context(), o); !errors.Is(err, signer.ErrInvalid) || !strings.Contains(err.Error(), "nothing that can be trusted") {
		t.Errorf("a root of another repository: %v", err)
	}
	o = r.options(t, t.TempDir())
	o.tufMirror = "http://127.0.0.1:1"
	if _, _, err := find(t.Context(), o); !errors.Is(err, signer.ErrUnavailable) || !strings.Contains(err.Error(), "there is no copy") {
		t.Errorf("nobody answers: %v", err)
	}
	large := bytes.Repeat([]byte(" "), 1<<20)
	r.put("timestamp.json", large)
	if _, _, err := find(t.Context(), r.options(t, t.TempDir())); !errors.Is(err, signer.ErrInvalid) || !strings.Contains(err.Error(), "more than") {
		t.Errorf("a file without end: %v", err)
	}
	// The home of a user who has none is no place for a copy: it works without.
	r.publish(t, "https://fulcio.example.com")
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("XDG_CACHE_HOME", filepath.Join(file, "cache"))
	t.Setenv("HOME", file)
	o = r.options(t, "")
	s, warnings, err := find(t.Context(), o)
	if err != nil || s.services.fulcio != "https://fulcio.example.com" || !strings.Contains(warnings, "tufCache") {
		t.Errorf("without a cache: %+v, %q, %v", s.services, warnings, err)
	}
	r.answer(http.StatusServiceUnavailable)
	if _, _, err := find(t.Context(), o); !errors.Is(err, signer.ErrUnavailable) {
		t.Errorf("without a cache and a mirror: %v", err)
	}
}

// tufEnv holds the arguments of a process that stands for another run.
const tufEnv = "KEYLESS_TEST_TUF"

// Many runs share a cache: other processes, too. One of them asks the mirror, and none sees half a copy.
func TestTUFConcurrently(t *testing.T) {
	if args := os.Getenv(tufEnv); args != "" {
		part := strings.Split(args, "|")
		s, _, err := find(t.Context(), withAudience(options{tufMirror: part[0], tufRoot: part[1], tufCache: part[2]}))
		if err != nil || s.services.fulcio != "https://fulcio.example.com" {
			t.Fatalf("%+v, %v", s.services, err)
		}
		return
	}
	r, cache := newTUFRepository(t), t.TempDir()
	o := r.options(t, cache)
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			if out, err := rerun(t, "TestTUFConcurrently", tufEnv+"="+r.url+"|"+o.tufRoot+"|"+cache); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
		wg.Go(func() {
			if _, _, err := find(t.Context(), o); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if got := r.requests.Load(); got != 6 { // the next root, timestamp, snapshot, targets, and two files
		t.Errorf("the mirror was asked %d times, want 6", got)
	}
	// Somebody keeps the lock for longer than this run has time.
	unlock, err := lockedfile.MutexAt(filepath.Join(cache, "lock")).Lock()
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, _, err := find(ctx, o); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "another run") {
		t.Errorf("a lock that somebody keeps: %v", err)
	}
}

// rerun runs one test in a process of its own.
func rerun(t *testing.T, name string, env ...string) (output []byte, err error) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(t.Context(), self, "-test.run=^"+name+"$")
	cmd.Env = append(os.Environ(), env...)
	return cmd.CombinedOutput()
}
