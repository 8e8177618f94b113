package gate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/hashicorp/go-retryablehttp"
)

// fetcher gets schemas over HTTP.
type fetcher struct {
	client  *http.Client // nil: http.DefaultTransport with a timeout for each request
	timeout time.Duration
	retries int
	pause   time.Duration // before the first retry; it doubles
}

// Limits of a request.
const (
	fetchTimeout = 30 * time.Second
	fetchRetries = 3
	fetchPause   = 500 * time.Millisecond
)

// get returns what a URL has, nil when the answer is that there is nothing. Any other trouble is an *unreachable: it
// must not be taken for an answer.
func (f fetcher) get(ctx context.Context, name string) ([]byte, error) {
	content, err := f.try(ctx, name)
	if err != nil {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		var withURL *url.Error // it repeats the URL, credentials included
		if errors.As(err, &withURL) {
			err = withURL.Err
		}
		return nil, &unreachable{err: fmt.Errorf("get schema %s: %w", shown(name), err)}
	}
	return content, nil
}

func (f fetcher) try(ctx context.Context, name string) ([]byte, error) {
	request, err := retryablehttp.NewRequestWithContext(ctx, http.MethodGet, name, nil)
	if err != nil {
		return nil, err
	}
	client := retryablehttp.NewClient()
	client.Logger, client.RetryMax, client.RetryWaitMin, client.RetryWaitMax = nil, f.retries, f.pause, 8*f.pause
	client.ErrorHandler = retryablehttp.PassthroughErrorHandler
	client.HTTPClient = f.client
	if f.client == nil {
		client.HTTPClient = &http.Client{Transport: http.DefaultTransport}
	}
	if client.HTTPClient.Timeout == 0 {
		limited := *client.HTTPClient
		limited.Timeout = f.timeout
		client.HTTPClient = &limited
	}
	response, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	switch response.StatusCode {
	case http.StatusNotFound, http.StatusGone:
		return nil, nil
	case http.StatusOK:
	default:
		return nil, fmt.Errorf("the server answered %s", response.Status)
	}
	content, err := io.ReadAll(io.LimitReader(response.Body, maxSchema+1))
	if err == nil && len(content) > maxSchema {
		err = fmt.Errorf("more than %d MiB", maxSchema>>20)
	}
	return content, err
}

// shown returns a URL without the password that may be in it.
func shown(name string) string {
	u, err := url.Parse(name)
	if err != nil {
		return "(a URL that cannot be parsed)"
	}
	return u.Redacted()
}

// unreachable is a schema of which nobody knows whether it is there.
type unreachable struct{ err error }

func (u *unreachable) Error() string { return u.err.Error() }

func (u *unreachable) Unwrap() error { return u.err }

// Hint returns what to do.
func (u *unreachable) Hint() string {
	return "without a network, keep schemas in a directory and name it as a schema location; once fetched, a schema is kept in the cache"
}
