package sigstoretuf_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/lockedfile"
	"github.com/sigstore/sigstore-go/pkg/tuf"

	"github.com/artifactctl/artifactctl/plugins/signer/sigstoretuf"
	"github.com/artifactctl/artifactctl/plugins/signer/sigstoretuf/tuftest"
)

// errStatus is the getter's own error.
var errStatus = errors.New("the mirror answers")

// get is a getter without patience.
func get(ctx context.Context, url string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, fmt.Errorf("%w not: %w", errStatus, err)
	}
	defer func() { _ = response.Body.Close() }()
	switch response.StatusCode {
	case http.StatusOK:
		return io.ReadAll(response.Body)
	case http.StatusNotFound:
		return nil, fs.ErrNotExist
	}
	return nil, fmt.Errorf("%w %d", errStatus, response.StatusCode)
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func sigstore(t *testing.T, fulcio string) map[string][]byte {
	t.Helper()
	targets, err := tuftest.Sigstore(fulcio)
	check(t, err)
	return targets
}

func newRepository(t *testing.T) *tuftest.Repository {
	t.Helper()
	r, err := tuftest.New(sigstore(t, "https://fulcio.example.com"))
	check(t, err)
	t.Cleanup(r.Close)
	return r
}

func client(r *tuftest.Repository, cache string) sigstoretuf.Repository {
	return sigstoretuf.Repository{URL: r.URL + "/", Root: r.Root, Cache: cache, Services: true, Get: get}
}

// copied is where a cache has the copy of a repository.
func copied(r *tuftest.Repository, cache string) string {
	return filepath.Join(cache, tuf.URLToPath(r.URL))
}

// age makes the copy one that was fetched so long ago.
func age(t *testing.T, r *tuftest.Repository, cache string, by time.Duration) {
	t.Helper()
	at := time.Now().Add(-by).UTC().Format(time.RFC3339)
	check(t, os.WriteFile(filepath.Join(copied(r, cache), "asked"), []byte(at), 0o600))
}

const day = 24 * time.Hour

func TestFetch(t *testing.T) {
	r, cache := newRepository(t), filepath.Join(t.TempDir(), "deep", "tuf")
	publish := func(fulcio string) { check(t, r.Publish(sigstore(t, fulcio))) }
	steps := []struct {
		name    string
		do      func()
		fulcio  string // told; empty: it fails
		asks    bool   // the repository
		warning string
		want    error
		problem string
	}{
		{name: "nothing is kept", fulcio: "https://fulcio.example.com", asks: true},
		{name: "again", fulcio: "https://fulcio.example.com"},
		{name: "fresh, and the repository is gone", do: func() { r.AnswerAll(503) }, fulcio: "https://fulcio.example.com"},
		{name: "a day later there is news", do: func() { r.AnswerAll(0); publish("https://new.example.com"); age(t, r, cache, day) }, fulcio: "https://new.example.com", asks: true},
		{name: "somebody set a clock", do: func() { age(t, r, cache, -time.Hour) }, fulcio: "https://new.example.com", asks: true},
		{name: "outage", do: func() { age(t, r, cache, day); r.AnswerAll(503) }, fulcio: "https://new.example.com", asks: true, warning: "answers 503"},
		{name: "refused by the CDN", do: func() { r.AnswerAll(403) }, fulcio: "https://new.example.com", asks: true, warning: "answers 403"},
		{name: "outage half way", do: func() {
			publish("https://half.example.com")
			r.Answer(func(w http.ResponseWriter, q *http.Request) bool {
				late := strings.Contains(q.URL.Path, "snapshot")
				if late {
					w.WriteHeader(http.StatusBadGateway)
				}
				return late
			})
		}, fulcio: "https://new.example.com", asks: true, warning: "answers 502"},
		{name: "keys are rotated", do: func() { r.AnswerAll(0); check(t, r.Rotate()); publish("https://third.example.com") }, fulcio: "https://third.example.com", asks: true},
		{name: "fresh after the rotation", fulcio: "https://third.example.com"},
		{name: "outage after the rotation", do: func() { age(t, r, cache, day); r.AnswerAll(502) }, fulcio: "https://third.example.com", asks: true, warning: "still valid"},
		{name: "forged news", do: func() { r.AnswerAll(0); check(t, r.Forge(sigstore(t, "https://evil.example.com"))) }, fulcio: "https://third.example.com", asks: true, warning: "earlier"},
		{name: "forged copy that claims to be fresh", do: func() {
			evil := sigstore(t, "https://evil.example.com")[tuftest.SigningConfig]
			check(t, os.WriteFile(filepath.Join(copied(r, cache), "targets", tuftest.SigningConfig), evil, 0o600))
			age(t, r, cache, 0)
			r.AnswerAll(502)
		}, asks: true, want: errStatus, problem: "no copy"},
		{name: "good news mend it", do: func() { r.AnswerAll(0); publish("https://fourth.example.com") }, fulcio: "https://fourth.example.com", asks: true},
		{name: "expired copy and outage", do: func() {
			r.Expires = time.Now().Add(-time.Hour)
			publish("https://fifth.example.com")
			copyTo(t, r, cache)
			r.AnswerAll(503)
		}, asks: true, want: errStatus, problem: "out of date"},
		{name: "expired news", do: func() { r.AnswerAll(0) }, asks: true, want: sigstoretuf.ErrUntrusted, problem: r.URL + " tells nothing that can be trusted"},
	}
	for _, step := range steps {
		if step.do != nil {
			step.do()
		}
		before := r.Requests.Load()
		m, err := client(r, cache).Fetch(t.Context())
		warnings := strings.Join(m.Warnings, "; ")
		if asked := r.Requests.Load() > before; asked != step.asks {
			t.Errorf("%s: the repository was asked: %t", step.name, asked)
		}
		switch {
		case !errors.Is(err, step.want) || err != nil && !strings.Contains(err.Error(), step.problem):
			t.Errorf("%s: got %v, want %v with %q", step.name, err, step.want, step.problem)
		case err == nil && (!bytes.Contains(m.SigningConfig, []byte(step.fulcio)) || step.fulcio == "" || len(m.TrustedRoot) == 0):
			t.Errorf("%s: got %s, want %s", step.name, m.SigningConfig, step.fulcio)
		case (step.warning == "") != (warnings == "") || !strings.Contains(warnings, step.warning):
			t.Errorf("%s: the warning is %q, want %q", step.name, warnings, step.warning)
		}
	}
}

// copyTo puts what the repository tells into a cache, as a run would have done while it was valid.
func copyTo(t *testing.T, r *tuftest.Repository, cache string) {
	t.Helper()
	newest := map[string]string{}
	for name := range r.Files() {
		if _, plain, ok := strings.Cut(name, "."); ok && !strings.Contains(name, "/") && plain != "root.json" {
			if plain == "json" {
				plain = name
			}
			newest[plain] = max(newest[plain], name) // fewer than ten versions
		}
	}
	for plain, name := range newest {
		check(t, os.WriteFile(filepath.Join(copied(r, cache), plain), r.Files()[name], 0o600))
	}
}

func TestFetchFails(t *testing.T) {
	r, other := newRepository(t), newRepository(t)
	c := client(r, t.TempDir())
	c.Root = other.Root
	if _, err := c.Fetch(t.Context()); !errors.Is(err, sigstoretuf.ErrUntrusted) {
		t.Errorf("a root of another repository: %v", err)
	}
	c = client(r, t.TempDir())
	c.URL = r.URL + "/nowhere"
	if _, err := c.Fetch(t.Context()); !errors.Is(err, sigstoretuf.ErrUntrusted) || !strings.Contains(err.Error(), "404") {
		t.Errorf("a place without a repository: %v", err)
	}
	c.URL = "http://127.0.0.1:1"
	if _, err := c.Fetch(t.Context()); !errors.Is(err, errStatus) || !strings.Contains(err.Error(), "there is no copy") {
		t.Errorf("nobody answers: %v", err)
	}
	if _, err := client(r, "").Fetch(t.Context()); err != nil {
		t.Errorf("without a copy: %v", err)
	}
	r.Put("timestamp.json", bytes.Repeat([]byte(" "), 1<<20))
	if _, err := client(r, t.TempDir()).Fetch(t.Context()); !errors.Is(err, sigstoretuf.ErrUntrusted) || !strings.Contains(err.Error(), "more than") {
		t.Errorf("a file without end: %v", err)
	}
	if err := sigstoretuf.CheckRoot([]byte("{}")); err == nil {
		t.Error("rubbish is taken for a root")
	}
	if err := sigstoretuf.CheckRoot(r.Root); err != nil {
		t.Errorf("a good root: %v", err)
	}
}

// Who only verifies needs no signing config, and who signs does.
func TestRepositoryWithoutServices(t *testing.T) {
	targets := sigstore(t, "https://fulcio.example.com")
	delete(targets, tuftest.SigningConfig)
	r, err := tuftest.New(targets)
	check(t, err)
	t.Cleanup(r.Close)
	c := client(r, t.TempDir())
	if _, err := c.Fetch(t.Context()); !errors.Is(err, sigstoretuf.ErrUntrusted) || !strings.Contains(err.Error(), "signing config") {
		t.Errorf("for a signer: %v", err)
	}
	c.Services = false
	m, err := c.Fetch(t.Context())
	if err != nil || !bytes.Equal(m.TrustedRoot, targets[tuftest.TrustedRoot]) || m.SigningConfig != nil {
		t.Errorf("for a verifier: %v, %+v", err, m)
	}
}

// Where nothing can be kept it works without a copy.
func TestCacheThatCannotBeUsed(t *testing.T) {
	r := newRepository(t)
	file := filepath.Join(t.TempDir(), "file")
	check(t, os.WriteFile(file, nil, 0o600))
	busy := t.TempDir() // where a file is in the way of the copy
	check(t, os.WriteFile(copied(r, busy)+".new", nil, 0o600))
	check(t, os.Mkdir(copied(r, busy), 0o700))
	for _, cache := range []string{filepath.Join(file, "cache"), file} {
		m, err := client(r, cache).Fetch(t.Context())
		if err != nil || len(m.Warnings) != 1 || !strings.Contains(m.Warnings[0], "not kept") || m.TrustedRoot == nil {
			t.Errorf("%v, %q", err, m.Warnings)
		}
	}
	if m, err := client(r, busy).Fetch(t.Context()); err != nil || m.Warnings != nil {
		t.Errorf("the rest of a run that was killed is in the way: %v, %q", err, m.Warnings)
	}
	r.AnswerAll(503)
	if _, err := client(r, file).Fetch(t.Context()); !errors.Is(err, errStatus) {
		t.Errorf("without a copy and a repository: %v", err)
	}
}

func TestDefaultCache(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the user's cache directory is elsewhere")
	}
	dir := t.TempDir()
	for _, c := range []struct{ shared, xdg, home, want string }{
		{dir, dir + "/x", dir + "/h", dir + "/tuf"},
		{"", dir + "/x", dir + "/h", dir + "/x/artifactctl/tuf"},
		{"", "", dir + "/h", dir + "/h/.cache/artifactctl/tuf"},
	} {
		t.Setenv("ARTIFACTCTL_CACHE_DIR", c.shared)
		t.Setenv("XDG_CACHE_HOME", c.xdg)
		t.Setenv("HOME", c.home)
		if got, err := sigstoretuf.DefaultCache(); err != nil || got != filepath.FromSlash(c.want) {
			t.Errorf("got %s, %v, want %s", got, err, c.want)
		}
	}
}

// runEnv holds the arguments of a process that stands for another run.
const runEnv = "SIGSTORETUF_TEST_RUN"

// Many runs share a cache, other processes too. One of them asks the repository, and none sees half a copy.
func TestConcurrently(t *testing.T) {
	if args := os.Getenv(runEnv); args != "" {
		part := strings.Split(args, "|")
		root, err := os.ReadFile(part[1])
		check(t, err)
		m, err := sigstoretuf.Repository{URL: part[0], Root: root, Cache: part[2], Get: get}.Fetch(t.Context())
		if err != nil || m.SigningConfig == nil {
			t.Fatalf("%+v, %v", m, err)
		}
		return
	}
	r, cache := newRepository(t), t.TempDir()
	root := filepath.Join(t.TempDir(), "root.json")
	check(t, os.WriteFile(root, r.Root, 0o600))
	self, err := os.Executable()
	check(t, err)
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			cmd := exec.CommandContext(t.Context(), self, "-test.run=^TestConcurrently$")
			cmd.Env = append(os.Environ(), runEnv+"="+r.URL+"|"+root+"|"+cache)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
		wg.Go(func() {
			if _, err := client(r, cache).Fetch(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if got := r.Requests.Load(); got != 6 { // the next root, timestamp, snapshot, targets, and two files
		t.Errorf("the repository was asked %d times, want 6", got)
	}
}

// Somebody keeps the lock, or the repository does not answer, for longer than this run has time.
func TestDeadline(t *testing.T) {
	r, cache := newRepository(t), t.TempDir()
	unlock, err := lockedfile.MutexAt(filepath.Join(cache, "lock")).Lock()
	check(t, err)
	defer unlock()
	for _, c := range []struct{ cache, want string }{{cache, "another run"}, {t.TempDir(), "ask " + r.URL}} {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		r.Answer(func(_ http.ResponseWriter, q *http.Request) bool { <-q.Context().Done(); return true })
		if _, err := client(r, c.cache).Fetch(ctx); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v, want %q", err, c.want)
		}
		cancel()
	}
}
