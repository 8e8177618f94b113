package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/artifactctl/artifactctl/plugins/signer"
)

// failure is why a service did not do its part.
type failure struct {
	err     error         // says all, and wraps one of the signer's errors, or the context's
	status  int           // of an answer; 0 if there was none
	passing bool          // another attempt may succeed
	after   time.Duration // what the service asks to wait
}

func (f *failure) Error() string { return f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

func unreachable(ctx context.Context, service string, err error) *failure {
	if ctx.Err() != nil {
		return &failure{err: fmt.Errorf("ask %s: %w", service, ctx.Err())}
	}
	var certificate *tls.CertificateVerificationError
	if errors.As(err, &certificate) {
		return &failure{err: signer.WithHint(fmt.Errorf("%w: %s: %w", signer.ErrInvalid, service, err),
			"for a certificate authority of your own set SSL_CERT_FILE, and list it under `env` of this signer")}
	}
	return &failure{err: fmt.Errorf("%w: %s: %w", signer.ErrUnavailable, service, err), passing: true}
}

// refused classifies an answer. Fulcio says 400 about tokens that it does not accept.
func refused(service string, response *http.Response, answer []byte) *failure {
	f := &failure{status: response.StatusCode}
	class := signer.ErrInvalid
	switch code := response.StatusCode; {
	case code == http.StatusUnauthorized || code == http.StatusForbidden || code == http.StatusBadRequest && service == fulcioName:
		class = signer.ErrDenied
	case code == http.StatusTooManyRequests || code == http.StatusRequestTimeout || code >= 500:
		class, f.passing = signer.ErrUnavailable, true
	}
	f.after = retryAfter(response.Header.Get("Retry-After"), time.Now())
	f.err = fmt.Errorf("%w: %s answers %d%s", class, service, response.StatusCode, reason(answer))
	return f
}

// retryAfter is how long a service asks to wait, in seconds or until a date (RFC 9110), within reason.
func retryAfter(text string, now time.Time) time.Duration {
	var after time.Duration
	if seconds, err := strconv.Atoi(text); err == nil {
		after = time.Duration(min(seconds, int(maxPause/time.Second))) * time.Second
	} else if date, err := http.ParseTime(text); err == nil {
		after = date.Sub(now)
	}
	return min(max(after, 0), maxPause)
}

// reason is what a service says about a refusal, as one short line. Services do not repeat tokens there.
func reason(answer []byte) string {
	var document struct {
		Message string `json:"message"`
	}
	text := string(answer)
	if json.Unmarshal(answer, &document) == nil && document.Message != "" {
		text = document.Message
	}
	text = strings.Join(strings.Fields(text), " ")
	if text == "" {
		return ""
	}
	if runes := []rune(text); len(runes) > 200 {
		text = string(runes[:200]) + "…"
	}
	return ": " + text
}

// plain takes the layers of HTTP clients off an error: what stays is the failure, or the context's end.
func plain(ctx context.Context, service string, err error) error {
	var f *failure
	switch {
	case err == nil:
		return nil
	case errors.As(err, &f):
		return f
	case ctx.Err() != nil:
		return fmt.Errorf("ask %s: %w", service, ctx.Err())
	}
	return fmt.Errorf("%s: %w", service, err)
}
