package registry

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/artifactctl/artifactctl/internal/artifact"
)

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
