package registry

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/artifactctl/artifactctl/internal/artifact"
)

// fastTime is a clock that runs some times as fast as the real one.
type fastTime struct {
	start time.Time
	speed time.Duration
}

func (f fastTime) now() time.Time { return f.start.Add(time.Since(f.start) * f.speed) }

func (f fastTime) backoff(retries int) *backoff {
	b := newBackoff(retries)
	b.now = f.now
	b.sleep = func(ctx context.Context, d time.Duration) error { return sleep(ctx, d/f.speed) }
	return &b
}

// TestRateLimit: a registry that allows so many requests a second serves a whole fleet in about the time that its limit
// takes. Where it says how long to wait, no request is refused twice without anybody getting through in between.
func TestRateLimit(t *testing.T) {
	const perSecond, apps, requests = 25, 50, 4
	for tells, retries := range map[bool]int{true: 1, false: 5} {
		t.Run(fmt.Sprint("Retry-After=", tells), func(t *testing.T) {
			clock := fastTime{time.Now(), 20}
			f, server := newFake(t, true)
			var mu sync.Mutex
			var window int64
			var left, refusals int
			f.Before(func(w http.ResponseWriter, _ *http.Request) bool {
				mu.Lock()
				defer mu.Unlock()
				if now := clock.now().Unix(); now != window {
					window, left = now, perSecond
				}
				if left--; left >= 0 {
					return false
				}
				refusals++
				if tells {
					w.Header().Set("Retry-After", "1")
				}
				refuse(w, http.StatusTooManyRequests, "TOOMANYREQUESTS", "slow down")
				return true
			})
			r := dial(t, server, func(o *RemoteOptions) { o.backoff = clock.backoff(retries) })
			done := make(chan error)
			for i := range apps {
				go func() {
					var err error
					for n := range requests {
						if _, e := r.Resolve(t.Context(), fmt.Sprint("app", i, "-", n), "edge"); !errors.Is(e, artifact.ErrNotFound) {
							err = e
						}
					}
					done <- err
				}()
			}
			for range apps {
				if err := <-done; err != nil {
					t.Error(err)
				}
			}
			took, least := clock.now().Sub(clock.start), (apps*requests/perSecond-1)*time.Second
			if took < least-time.Second || took > 4*least {
				t.Errorf("it took %s, and the limit forces %s", took, least)
			}
			if refusals > apps*requests {
				t.Errorf("%d refusals for %d requests", refusals, apps*requests)
			}
			t.Logf("%s, at least %s; %d refusals", took, least, refusals)
		})
	}
}

// TestRetryAfterHoldsEverybody: what one request was told, others obey; another host has said nothing.
func TestRetryAfterHoldsEverybody(t *testing.T) {
	f, server := newFake(t, true)
	var first atomic.Bool
	f.Before(func(w http.ResponseWriter, _ *http.Request) bool {
		if first.Swap(true) {
			return false
		}
		w.Header().Set("Retry-After", "7")
		w.WriteHeader(http.StatusServiceUnavailable)
		return true
	})
	var w waits
	r := dial(t, server, func(o *RemoteOptions) { o.backoff = w.backoff(2) })
	for i := range 2 {
		if _, err := r.Resolve(t.Context(), fmt.Sprint("app", i), "edge"); !errors.Is(err, artifact.ErrNotFound) {
			t.Fatal(err)
		}
	}
	if got := w.taken(); len(got) != 2 || got[0] != 7*time.Second || got[1] != 7*time.Second {
		t.Errorf("waits: %v", got)
	}
	_, other := newFake(t, true)
	if _, err := dial(t, other, func(o *RemoteOptions) { o.backoff = w.backoff(2) }).Resolve(t.Context(), "app", "edge"); !errors.Is(err, artifact.ErrNotFound) || len(w.taken()) != 2 {
		t.Errorf("another host: %v, waits %v", err, w.taken())
	}
}

// TestThrottledBeyondDeadline: nobody waits for what comes after the end.
func TestThrottledBeyondDeadline(t *testing.T) {
	f, server := newFake(t, true)
	f.Before(func(w http.ResponseWriter, _ *http.Request) bool {
		w.Header().Set("Retry-After", "30")
		w.WriteHeader(http.StatusTooManyRequests)
		return true
	})
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	var e *Error
	start := time.Now()
	r := dial(t, server, func(o *RemoteOptions) { o.backoff = nil })
	if _, err := r.Resolve(ctx, "app", "edge"); !errors.As(err, &e) || e.Status != http.StatusTooManyRequests || time.Since(start) > 5*time.Second {
		t.Errorf("Resolve: %v after %s", err, time.Since(start))
	}
}

func TestLimiter(t *testing.T) {
	var w waits
	b := *w.backoff(3)
	all := limiters{max: 8}
	l := all.of("a")
	if l != all.of("a") || l == all.of("b") {
		t.Fatal("one limiter a host")
	}
	turns := make([]int, 8)
	for i := range turns {
		var err error
		if turns[i], err = l.acquire(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	gone := make(chan error)
	go func() { _, err := l.acquire(ctx, b); gone <- err }()
	cancel()
	if err := <-gone; !errors.Is(err, context.Canceled) {
		t.Errorf("a ninth: %v", err)
	}
	l.answered()
	for _, at := range turns[1:] {
		if passed := l.refused(at, time.Second, b); passed != 1 {
			t.Errorf("%d let through", passed)
		}
	}
	if l.limit != 4 || l.flying != 0 {
		t.Errorf("after one round of refusals: limit %v, %d under way", l.limit, l.flying)
	}
	at, err := l.acquire(t.Context(), b)
	if err != nil || len(w.taken()) != 1 || w.taken()[0] != time.Second {
		t.Errorf("%v, waits %v", err, w.taken())
	}
	if l.refused(at, 0, b) != 1 || l.limit != 2 {
		t.Errorf("limit %v", l.limit)
	}
	for range 100 {
		if _, err := l.acquire(t.Context(), b); err != nil {
			t.Fatal(err)
		}
		l.answered()
	}
	if l.limit != 8 {
		t.Errorf("limit %v after a hundred good answers", l.limit)
	}
	l.limit = 1
	if _, err := l.acquire(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	order := make(chan int, 3)
	for i := range 3 {
		go func() {
			if _, err := l.acquire(t.Context(), b); err != nil {
				t.Error(err)
			}
			order <- i
			l.failed()
		}()
		for { // until it stands in the queue
			l.mu.Lock()
			n := len(l.waiting)
			l.mu.Unlock()
			if n == i+1 {
				break
			}
			time.Sleep(time.Millisecond)
		}
	}
	l.failed()
	for want := range 3 {
		if got := <-order; got != want {
			t.Errorf("turn %d went to %d", want, got)
		}
	}
}
