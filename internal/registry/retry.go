package registry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Bounds of the waits between attempts.
const (
	firstWait     = 500 * time.Millisecond
	longestWait   = 20 * time.Second
	maxRetryAfter = 60 * time.Second
)

// backoff decides whether and when to try again: exponential with jitter, at least as long as the server asks
// (Retry-After, capped), a bounded number of times, and never beyond the context.
type backoff struct {
	retries int
	sleep   func(ctx context.Context, d time.Duration) error
	now     func() time.Time
	random  func() float64
}

func newBackoff(retries int) backoff {
	return backoff{retries: retries, sleep: sleep, now: time.Now, random: rand.Float64}
}

// wait waits before attempt n+1 (the first attempt is 0). False means: do not try again.
func (b backoff) wait(ctx context.Context, n int, asked time.Duration) bool {
	if n >= b.retries {
		return false
	}
	d := b.delay(n, asked)
	return b.inTime(ctx, d) && b.sleep(ctx, d) == nil
}

// delay is how long to wait after attempt n.
func (b backoff) delay(n int, asked time.Duration) time.Duration {
	d := min(firstWait<<min(n, 10), longestWait)
	d = d/2 + time.Duration(b.random()*float64(d)/2)
	return max(d, min(asked, maxRetryAfter))
}

// inTime reports whether ctx lasts longer than d.
func (b backoff) inTime(ctx context.Context, d time.Duration) bool {
	deadline, ok := ctx.Deadline()
	return !ok || !b.now().Add(d).After(deadline)
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// retryAfter reads the header in both of its forms, seconds and a date.
func retryAfter(h http.Header, now time.Time) time.Duration {
	value := strings.TrimSpace(h.Get("Retry-After"))
	if seconds, err := strconv.Atoi(value); err == nil {
		return time.Duration(min(max(seconds, 0), int(maxRetryAfter/time.Second))) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		return min(max(at.Sub(now), 0), maxRetryAfter)
	}
	return 0
}

// transientStatus: the same request may well succeed later.
func transientStatus(status int) bool {
	switch status {
	case http.StatusRequestTimeout, http.StatusTooManyRequests:
		return true
	case http.StatusNotImplemented, http.StatusHTTPVersionNotSupported, http.StatusInsufficientStorage:
		return false
	}
	return status >= 500
}

// transientError: the connection broke or stayed silent. A refused connection, a wrong certificate or an unknown name
// will not mend itself within seconds.
func transientError(err error) bool {
	var dns *net.DNSError
	var timeout interface{ Timeout() bool }
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF),
		errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.ECONNABORTED), errors.Is(err, syscall.EPIPE),
		errors.Is(err, net.ErrClosed):
		return true
	case errors.As(err, &dns):
		return dns.IsTimeout || dns.IsTemporary
	case errors.As(err, &timeout) && timeout.Timeout():
		return true
	}
	// net/http does not export the errors of its HTTP/2 side.
	return strings.HasPrefix(err.Error(), "http2: ") || strings.Contains(err.Error(), "stream error: ") ||
		strings.Contains(err.Error(), "server closed idle connection")
}

// silence is an attempt that took too long. It is not context.DeadlineExceeded: that is the caller's own deadline.
type silence struct{ after time.Duration }

func (s silence) Error() string { return fmt.Sprintf("no complete answer within %s", s.after) }

// Timeout makes it a timeout in net's sense.
func (silence) Timeout() bool { return true }
