package registry

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/artifactctl/artifactctl/internal/artifact"
)

// countConnections counts the connections that a server accepts from now on.
func countConnections(server *httptest.Server) *atomic.Int32 {
	var n atomic.Int32
	server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			n.Add(1)
		}
	}
	return &n
}

// reset breaks the connection of a request, after some bytes of an answer that promises more.
func reset(w http.ResponseWriter, answer string) {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		return
	}
	_, _ = conn.Write([]byte(answer))
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}

// TestTransient: every operation survives faults that pass, each at its first two requests of every method and kind.
func TestTransient(t *testing.T) {
	faults := map[string]func(w http.ResponseWriter){
		"429": func(w http.ResponseWriter) {
			w.Header().Set("Retry-After", "7")
			refuse(w, 429, "TOOMANYREQUESTS", "slow down")
		},
		"500":            func(w http.ResponseWriter) { refuse(w, 500, "UNKNOWN", "oops") },
		"502 page":       func(w http.ResponseWriter) { w.WriteHeader(502) },
		"503":            func(w http.ResponseWriter) { w.WriteHeader(503) },
		"408":            func(w http.ResponseWriter) { w.WriteHeader(408) },
		"reset":          func(w http.ResponseWriter) { reset(w, "") },
		"reset mid body": func(w http.ResponseWriter) { reset(w, "HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n{") },
	}
	for name, fault := range faults {
		for _, api := range []bool{true, false} {
			t.Run(fmt.Sprint(name, "/", api), func(t *testing.T) {
				t.Parallel()
				f, server := newFake(t, api)
				var mu sync.Mutex
				hits := map[string]int{}
				f.Before(func(w http.ResponseWriter, r *http.Request) bool {
					mu.Lock()
					defer mu.Unlock()
					class := r.Method + " " + string(place(r).kind)
					if hits[class]++; hits[class] > 2 {
						return false
					}
					if r.Method == http.MethodHead && name == "reset mid body" {
						reset(w, "") // it has no body
					} else {
						fault(w)
					}
					return true
				})
				var w waits
				r := dial(t, server, func(o *RemoteOptions) { o.backoff, o.Legacy = w.backoff(6), true })
				ctx := t.Context()
				a := build(t, "a")
				steps := []func() error{
					func() error { return r.Push(ctx, "app", a) },
					func() error { return r.Attach(ctx, "app", a.Manifest.Descriptor, bundle("1")) },
					func() error { return r.Attach(ctx, "app", a.Manifest.Descriptor, legacy("1")) },
					func() error { return r.Tag(ctx, "app", a.Manifest, "edge") },
					func() error { _, err := r.Tags(ctx, "app"); return err },
				}
				for i, step := range steps {
					if err := step(); err != nil {
						t.Fatalf("step %d: %v", i, err)
					}
				}
				m, err := r.Resolve(ctx, "app", "edge")
				if err != nil || m.Digest != a.Manifest.Digest {
					t.Fatal(m.Digest, err)
				}
				if s, err := r.Signatures(ctx, "app", m.Descriptor); err != nil || len(s) != 2 {
					t.Fatal(plain(s), err)
				}
				if got := w.taken(); len(got) < 5 || (name == "429" && got[0] != 7*time.Second) {
					t.Errorf("waits: %v", got)
				}
			})
		}
	}
}

// TestLostAnswer: a blob or manifest that was stored though the answer got lost is not an error and not sent again.
func TestLostAnswer(t *testing.T) {
	f, server := newFake(t, true)
	lost := map[string]int{}
	f.Before(func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodPut || lost[string(place(r).kind)] > 0 {
			return false
		}
		lost[string(place(r).kind)]++
		f.mu.Lock()
		defer f.mu.Unlock()
		if where := place(r); where.kind == uploadsKind {
			f.upload(httptest.NewRecorder(), r, where.repository)
		} else {
			f.putManifest(httptest.NewRecorder(), r, where.repository, where.ref)
		}
		reset(w, "")
		return true
	})
	r := dial(t, server)
	a := build(t, "a")
	if _, err := r.putBlobs(t.Context(), "app", a.Config); err != nil {
		t.Fatal(err)
	}
	f.Requests()
	if err := r.Push(t.Context(), "app", a); err != nil {
		t.Fatal(err)
	}
	if m, err := r.Resolve(t.Context(), "app", a.Manifest.Digest.String()); err != nil || m.Digest != a.Manifest.Digest {
		t.Fatal(err)
	}
}

// TestPermanent: faults that stay are errors that say what was asked, what came back and what to do; none of them is
// "not found", and no retry is wasted on those that retrying cannot mend.
func TestPermanent(t *testing.T) {
	html := func(status int) func(w http.ResponseWriter) {
		return func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			w.WriteHeader(status)
			fmt.Fprint(w, "<html>\x1b[31m Not here")
		}
	}
	tests := []struct {
		name    string
		fault   func(w http.ResponseWriter)
		want    []string
		hint    string
		retried bool
	}{
		{"401", func(w http.ResponseWriter) { refuse(w, 401, "UNAUTHORIZED", "authentication required") }, []string{"401 Unauthorized: UNAUTHORIZED: authentication required"}, "docker login", false},
		{"403", func(w http.ResponseWriter) { refuse(w, 403, "DENIED", "denied\x1b[31m\nsecond line") }, []string{"403 Forbidden: DENIED: denied"}, "right", false},
		{"404 page", html(404), []string{"404 Not Found", "web page"}, "registry.url", false},
		{"404 other code", func(w http.ResponseWriter) { refuse(w, 404, "UNSUPPORTED", "no such route") }, []string{"UNSUPPORTED"}, "registry.url", false},
		{"200 page", html(200), []string{"200 OK", "web page"}, "registry.url", false},
		{"405", func(w http.ResponseWriter) { w.WriteHeader(405) }, []string{"405 Method Not Allowed"}, "", false},
		{"407", func(w http.ResponseWriter) { w.WriteHeader(407) }, []string{"407"}, "proxy", false},
		{"429", func(w http.ResponseWriter) { w.WriteHeader(429) }, []string{"429 Too Many Requests"}, "rate", true},
		{"500", func(w http.ResponseWriter) { w.WriteHeader(500) }, []string{"500 Internal Server Error"}, "", true},
		{"501", func(w http.ResponseWriter) { w.WriteHeader(501) }, []string{"501 Not Implemented"}, "", false},
		{"https", func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", "text/plain")
			w.WriteHeader(400)
			fmt.Fprintln(w, "Client sent an HTTP request to an HTTPS server.")
		}, []string{"400 Bad Request"}, "HTTPS", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f, server := newFake(t, true)
			f.Before(func(w http.ResponseWriter, _ *http.Request) bool { tt.fault(w); return true })
			var w waits
			r := dial(t, server, func(o *RemoteOptions) { o.backoff = w.backoff(3) })
			_, err := r.Resolve(t.Context(), "app", "edge")
			if err == nil || errors.Is(err, artifact.ErrNotFound) {
				t.Fatalf("Resolve: %v", err)
			}
			for _, want := range append(tt.want, "GET "+r.host+"/org/app:edge: ") {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q does not say %q", err, want)
				}
			}
			if strings.ContainsAny(err.Error(), "\x1b\n") || strings.Contains(err.Error(), "secret") {
				t.Errorf("error text is not clean: %q", err)
			}
			var hinted interface{ Hint() string }
			if !errors.As(err, &hinted) || !strings.Contains(hinted.Hint(), tt.hint) || (tt.hint == "") != (hinted.Hint() == "") {
				t.Errorf("hint: %q", hinted.Hint())
			}
			if retried := len(w.taken()) == 3; retried != tt.retried || (!retried && len(w.taken()) > 0) {
				t.Errorf("waits: %v", w.taken())
			}
			if tt.name == "200 page" {
				return // writes do not look at pages
			}
			for name, err := range map[string]error{
				"Push": r.Push(t.Context(), "app", build(t, "a")),
				"Tag":  r.Tag(t.Context(), "app", build(t, "a").Manifest, "edge"),
			} {
				if err == nil || errors.Is(err, artifact.ErrNotFound) {
					t.Errorf("%s: %v", name, err)
				}
			}
			if tags, err := r.Tags(t.Context(), "app"); err == nil {
				t.Errorf("Tags: %v", tags)
			}
		})
	}
}

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

// TestLies: bytes that are not what was asked for are ErrMismatch, wherever they come from.
func TestLies(t *testing.T) {
	a, b := build(t, "a"), build(t, "b")
	answer := func(content []byte, mediaType, claim string) func(w http.ResponseWriter, r *http.Request) bool {
		return func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method != http.MethodGet {
				return false
			}
			w.Header().Set("Content-Type", mediaType)
			if claim != "" {
				w.Header().Set(headerDigest, claim)
			}
			w.WriteHeader(http.StatusOK)
			w.(http.Flusher).Flush() // no length
			_, _ = w.Write(content)
			return true
		}
	}
	f, server := newFake(t, true)
	r := dial(t, server)
	ctx := t.Context()
	f.Before(answer(b.Manifest.Bytes, b.Manifest.MediaType, ""))
	if _, err := r.Resolve(ctx, "app", a.Manifest.Digest.String()); !errors.Is(err, artifact.ErrMismatch) {
		t.Errorf("another manifest: %v", err)
	}
	if m, err := r.Resolve(ctx, "app", "edge"); err != nil || m.Digest != b.Manifest.Digest {
		t.Errorf("a registry that does not tell the digest: %v", err)
	}
	f.Before(answer(b.Manifest.Bytes, b.Manifest.MediaType, a.Manifest.Digest.String()))
	for _, ref := range []string{"edge", a.Manifest.Digest.String(), b.Manifest.Digest.String()} {
		if _, err := r.Resolve(ctx, "app", ref); !errors.Is(err, artifact.ErrMismatch) {
			t.Errorf("a lie about the digest of %s: %v", ref, err)
		}
	}
	f.Before(answer(bytes.Repeat([]byte{'x'}, MaxManifest+1), a.Manifest.MediaType, ""))
	if _, err := r.Resolve(ctx, "app", "edge"); err == nil || !strings.Contains(err.Error(), "larger than 4194304 bytes") {
		t.Errorf("an endless manifest: %v", err)
	}
	for name, content := range map[string][]byte{
		"truncated": a.Layer.Content[:10], "other": bytes.Repeat([]byte{'x'}, int(a.Layer.Size)), "empty": nil,
		"longer": append(bytes.Clone(a.Layer.Content), 0),
	} {
		f.Before(answer(content, "application/octet-stream", ""))
		if _, err := r.Fetch(ctx, "app", a.Layer.Descriptor); !errors.Is(err, artifact.ErrMismatch) {
			t.Errorf("%s blob: %v", name, err)
		}
	}
	f.Before(answer(bytes.Repeat([]byte{'x'}, 1<<20), "application/octet-stream", ""))
	if _, err := r.Fetch(ctx, "app", a.Layer.Descriptor); err == nil || !strings.Contains(err.Error(), "larger") {
		t.Errorf("an endless blob: %v", err)
	}
}

// TestTruncatedForGood: an answer that always ends early is an error after the retries.
func TestTruncatedForGood(t *testing.T) {
	f, server := newFake(t, true)
	f.Before(func(w http.ResponseWriter, _ *http.Request) bool {
		reset(w, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc")
		return true
	})
	r := dial(t, server)
	if _, err := r.Fetch(t.Context(), "app", artifact.Descriptor{Digest: digest.FromString("x"), Size: 100}); err == nil ||
		!(errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET)) {
		t.Errorf("Fetch: %v", err)
	}
	if n := len(f.Requests()); n != 6 {
		t.Errorf("%d attempts", n)
	}
}

// TestSlow: an attempt ends by itself and is repeated; the caller's deadline and cancellation stay what they are.
func TestSlow(t *testing.T) {
	f, server := newFake(t, true)
	done := make(chan struct{})
	t.Cleanup(func() { close(done) })
	var n atomic.Int32
	f.Before(func(_ http.ResponseWriter, r *http.Request) bool {
		if n.Add(1) > 2 {
			return false
		}
		select {
		case <-r.Context().Done():
		case <-done:
		}
		return true
	})
	r := dial(t, server, func(o *RemoteOptions) { o.Timeout = 50 * time.Millisecond })
	if _, err := r.Resolve(t.Context(), "app", "edge"); !errors.Is(err, artifact.ErrNotFound) || n.Load() != 3 {
		t.Errorf("Resolve: %v after %d attempts", err, n.Load())
	}
	n.Store(-100)
	if _, err := r.Resolve(t.Context(), "app", "edge"); err == nil || !strings.Contains(err.Error(), "no complete answer within 50ms") {
		t.Errorf("Resolve: %v", err)
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

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"": 0, "7": 7 * time.Second, " 7 ": 7 * time.Second, "0": 0, "-5": 0, "86400": maxRetryAfter, "99999999999999999999": 0, "soon": 0,
		"Sun, 22 Nov 2026 12:00:09 GMT": 9 * time.Second, "Sun, 22 Nov 2026 11:00:00 GMT": 0, "Mon, 23 Nov 2026 12:00:00 GMT": maxRetryAfter,
	} {
		if got := retryAfter(http.Header{"Retry-After": {value}}, now); got != want {
			t.Errorf("%q: %s, want %s", value, got, want)
		}
	}
}

func TestBackoff(t *testing.T) {
	var w waits
	b := w.backoff(8)
	for n := range 9 {
		if got := b.wait(t.Context(), n, 0); got != (n < 8) {
			t.Errorf("attempt %d: %v", n, got)
		}
	}
	want := []time.Duration{500 * time.Millisecond, time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second, 16 * time.Second, 20 * time.Second, 20 * time.Second}
	if got := w.taken(); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("waits: %v", got)
	}
	b.random = func() float64 { return 0 }
	b.wait(t.Context(), 0, 0)
	b.wait(t.Context(), 0, time.Hour)
	if got := w.taken()[8:]; got[0] != 250*time.Millisecond || got[1] != maxRetryAfter {
		t.Errorf("waits: %v", got)
	}
}
