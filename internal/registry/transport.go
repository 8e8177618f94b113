package registry

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"
)

// newTransport makes the one transport that all requests of a Remote share. It is no http.DefaultTransport: that one
// belongs to the whole process.
func newTransport(o RemoteOptions) (*http.Transport, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if o.CAFile != "" {
		pool, err := x509.SystemCertPool()
		if err != nil {
			pool = x509.NewCertPool()
		}
		pem, err := os.ReadFile(o.CAFile)
		if err != nil {
			return nil, fmt.Errorf("read the registry's CA: %w", err)
		}
		if !pool.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("read the registry's CA: %s holds no PEM certificate", o.CAFile)
		}
		config.RootCAs = pool
	}
	if o.CertFile != "" || o.KeyFile != "" {
		pair, err := tls.LoadX509KeyPair(o.CertFile, o.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("read the client certificate for the registry: %w", err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		TLSClientConfig:       config,
		TLSHandshakeTimeout:   10 * time.Second,
		ForceAttemptHTTP2:     true,
		MaxIdleConns:          2 * max(o.Concurrency, 64), // a connection for each request under way, none thrown away
		MaxIdleConnsPerHost:   max(o.Concurrency, 64),
		IdleConnTimeout:       90 * time.Second,
		ExpectContinueTimeout: time.Second,
		DisableCompression:    true, // bytes are what their digest says, and have a length
	}, nil
}

// exchange sends requests through base: as many at a time as the host bears, each attempt within a time limit and read to
// its end, so that a connection that breaks in the middle of an answer is retried like any other.
type exchange struct {
	base     http.RoundTripper
	limiters limiters
	timeout  time.Duration
	backoff  backoff
}

// RoundTrip returns an answer whose body is complete and in memory.
func (x *exchange) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx, host := req.Context(), x.limiters.of(req.URL.Host)
	for n, sent, before := 0, 0, 0; ; n, sent = n+1, sent+1 {
		attempt, err := rewound(req, sent)
		if err != nil {
			return nil, err
		}
		resp, passed, err := x.once(attempt, host)
		if err == nil {
			resp.Request = req
		}
		if ctx.Err() != nil && err != nil {
			return nil, fmt.Errorf("%w (%w)", context.Cause(ctx), err)
		}
		if !transient(resp, err) || !repeatable(req, resp) {
			return resp, err
		}
		if throttled(resp) {
			if passed > before { // the host works; this request had bad luck
				n = 0
			}
			before = passed
			if n >= x.backoff.retries || !x.backoff.inTime(ctx, host.pause(x.backoff.now())) {
				return resp, nil
			}
			continue // and wait with everybody else
		}
		var asked time.Duration
		if err == nil {
			asked = retryAfter(resp.Header, x.backoff.now())
		}
		if !x.backoff.wait(ctx, n, asked) {
			return resp, err
		}
	}
}

// repeatable: uploads are not repeated here, since an attempt that failed half way spoils the upload session, and only
// whoever began the session can begin another. But what was refused for being too many was not looked at.
func repeatable(req *http.Request, resp *http.Response) bool {
	if resp != nil && resp.StatusCode == http.StatusTooManyRequests {
		return req.Body == nil || req.Body == http.NoBody || req.GetBody != nil
	}
	return place(req).kind != uploadsKind || (req.Method == http.MethodPost && !req.URL.Query().Has("digest"))
}

// throttled reports whether the host asks for fewer requests.
func throttled(resp *http.Response) bool {
	return resp != nil && (resp.StatusCode == http.StatusTooManyRequests ||
		(resp.StatusCode == http.StatusServiceUnavailable && resp.Header.Get("Retry-After") != ""))
}

func transient(resp *http.Response, err error) bool {
	if err != nil {
		return transientError(err)
	}
	return transientStatus(resp.StatusCode)
}

// rewound returns the request for attempt n, with its body from the start.
func rewound(req *http.Request, n int) (*http.Request, error) {
	if n == 0 || req.Body == nil || req.Body == http.NoBody {
		return req, nil
	}
	if req.GetBody == nil {
		return nil, errors.New("the request cannot be repeated")
	}
	body, err := req.GetBody()
	if err != nil {
		return nil, err
	}
	again := req.Clone(req.Context())
	again.Body = body
	return again, nil
}

// once sends a request in its turn. After a refusal it returns how many requests the host has let through.
func (x *exchange) once(req *http.Request, host *limiter) (resp *http.Response, passed int, err error) {
	round, err := host.acquire(req.Context(), x.backoff)
	if err != nil {
		return nil, 0, err
	}
	resp, err = x.send(req)
	switch {
	case err != nil || resp.StatusCode >= http.StatusInternalServerError && !throttled(resp):
		host.failed()
	case throttled(resp):
		passed = host.refused(round, retryAfter(resp.Header, x.backoff.now()), x.backoff)
	default:
		host.answered()
	}
	return resp, passed, err
}

func (x *exchange) send(req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithTimeoutCause(req.Context(), x.timeout, silence{x.timeout})
	defer cancel()
	resp, err := x.base.RoundTrip(req.WithContext(ctx))
	if err == nil {
		err = readAll(resp, limitOf(ctx))
	}
	if err != nil && req.Context().Err() == nil && ctx.Err() != nil {
		return nil, silence{x.timeout}
	}
	if err != nil {
		return nil, err
	}
	return resp, nil
}

// readAll replaces the body of resp by its bytes.
func readAll(resp *http.Response, limit int64) error {
	defer func() { _ = resp.Body.Close() }()
	var b bytes.Buffer
	if n := resp.ContentLength; n > 0 && n <= limit {
		b.Grow(int(n) + bytes.MinRead)
	}
	if _, err := b.ReadFrom(io.LimitReader(resp.Body, limit+1)); err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	if int64(b.Len()) > limit {
		return fmt.Errorf("the answer is larger than %d bytes", limit)
	}
	resp.Body = newMemory(b.Bytes())
	if resp.ContentLength < 0 {
		// HEAD has no body to count; oras-go refuses an unknown length, but nobody here looks at it.
		resp.ContentLength = int64(b.Len())
	}
	return nil
}

// memory is a body that is there. It can be had without being read, and so without a copy.
type memory struct {
	*bytes.Reader
	content []byte
}

func newMemory(content []byte) memory { return memory{bytes.NewReader(content), content} }

// Close implements io.Closer.
func (memory) Close() error { return nil }

// contentOf returns what is in a body that nobody read from yet. Nobody may change it.
func contentOf(body io.Reader) ([]byte, error) {
	if m, ok := body.(memory); ok {
		return m.content, nil
	}
	return io.ReadAll(body)
}

type limitKey struct{}

// withLimit bounds the answers to requests of this context.
func withLimit(ctx context.Context, n int64) context.Context {
	return context.WithValue(ctx, limitKey{}, n)
}

func limitOf(ctx context.Context) int64 {
	if n, ok := ctx.Value(limitKey{}).(int64); ok {
		return n
	}
	return MaxManifest
}
