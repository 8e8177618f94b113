package registry

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/artifactctl/artifactctl/internal/artifact"
)

// TestTruncatedForGood: an answer that always ends early is an error after the retries.
func TestTruncatedForGood(t *testing.T) {
	f, server := newFake(t, true)
	f.Before(func(w http.ResponseWriter, _ *http.Request) bool {
		reset(w, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc")
		return true
	})
	r := dial(t, server)
	if _, err := r.Fetch(t.Context(), "app", artifact.Descriptor{Digest: digest.FromString("x"), Size: 100}); err == nil ||
		(!errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, syscall.ECONNRESET)) {
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
	if _, err := r.Resolve(t.Context(), "other", "edge"); err == nil || !strings.Contains(err.Error(), "no complete answer within 50ms") {
		t.Errorf("Resolve: %v", err)
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
