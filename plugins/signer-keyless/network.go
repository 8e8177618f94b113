package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"time"
)

const (
	// attempts is how often a request is sent before the host hears that a service is unavailable.
	attempts = 6
	// firstPause is about what is waited before the second attempt. Each pause is twice the one before.
	firstPause = 250 * time.Millisecond
	// maxPause bounds a pause, also the one that a service asks for.
	maxPause = 30 * time.Second
	// attemptTimeout bounds one attempt. Rekor answers when the entry is in the log, which may take seconds.
	attemptTimeout = 30 * time.Second
	// maxAnswer bounds what is read of an answer.
	maxAnswer = 8 << 20
)

// network reaches the services, with patience: what fails for a reason that may pass is tried again. It is safe for
// concurrent use.
type network struct {
	base  http.RoundTripper
	pause time.Duration // before the second attempt
	tries int           // attempts at most
}

func newNetwork() network {
	base := http.DefaultTransport
	if t, ok := base.(*http.Transport); ok {
		t = t.Clone()
		t.MaxIdleConnsPerHost = 64 // signatures are made concurrently
		base = t
	}
	return network{base: base, pause: firstPause, tries: attempts}
}

// direct is the network without proxies, for servers of the machine itself.
func (n network) direct() network {
	if t, ok := n.base.(*http.Transport); ok {
		t = t.Clone()
		t.Proxy = nil
		n.base = t
	}
	return n
}

// hurried gives up sooner, where there is another way.
func (n network) hurried() network {
	n.tries = min(n.tries, 3)
	return n
}

// roundTripper makes a function a transport.
type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// client makes a client for the requests of one call, bound to its context: sigstore's own clients are not.
func (n network) client(ctx context.Context, service string) *http.Client {
	return &http.Client{Transport: n.transport(ctx, service)}
}

// transport gives answers with a status of 2xx, 3xx or 409; all others are errors of type *failure.
func (n network) transport(ctx context.Context, service string) http.RoundTripper {
	return roundTripper(func(r *http.Request) (*http.Response, error) {
		var body []byte
		if r.Body != nil {
			var err error
			body, err = io.ReadAll(r.Body)
			_ = r.Body.Close()
			if err != nil {
				return nil, err
			}
		}
		pause := n.pause
		for attempt := 1; ; attempt++ {
			response, failed := n.attempt(ctx, service, r, body)
			if failed == nil {
				return response, nil
			}
			if attempt >= n.tries || !failed.passing {
				return nil, failed
			}
			after := max(failed.after, jitter(pause))
			if end, ok := ctx.Deadline(); ok && time.Until(end) < after {
				failed.err = fmt.Errorf("%w; no time is left to try again", failed.err)
				return nil, failed
			}
			if err := wait(ctx, after); err != nil {
				return nil, &failure{err: fmt.Errorf("wait for %s: %w (%s)", service, err, failed.Error())}
			}
			pause = min(2*pause, maxPause)
		}
	})
}

// attempt sends the request once and reads the whole answer.
func (n network) attempt(ctx context.Context, service string, r *http.Request, body []byte) (*http.Response, *failure) {
	patience := attemptTimeout
	if end, ok := ctx.Deadline(); ok {
		patience = min(patience, time.Until(end)*9/10) // so that the host hears in time which service it was
	}
	bounded, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	again := r.Clone(bounded)
	again.Body, again.GetBody, again.ContentLength = http.NoBody, nil, int64(len(body))
	if len(body) > 0 {
		again.Body = io.NopCloser(bytes.NewReader(body))
	}
	response, err := n.base.RoundTrip(again)
	var answer []byte
	if err == nil {
		defer func() { _ = response.Body.Close() }()
		answer, err = io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	}
	if err != nil && bounded.Err() != nil {
		err = fmt.Errorf("no answer within %s", patience.Round(time.Millisecond))
	}
	if err != nil {
		return nil, unreachable(ctx, service, err)
	}
	if response.StatusCode < 400 || response.StatusCode == http.StatusConflict {
		response.Body, response.ContentLength = io.NopCloser(bytes.NewReader(answer)), int64(len(answer))
		return response, nil
	}
	return nil, refused(service, response, answer)
}

// jitter spreads the attempts of many requests.
func jitter(d time.Duration) time.Duration { return d/2 + rand.N(d/2+1) }

func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
