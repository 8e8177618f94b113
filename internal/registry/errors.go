package registry

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"
	"unicode"

	"oras.land/oras-go/v2/errdef"
	"oras.land/oras-go/v2/registry/remote/auth"
	"oras.land/oras-go/v2/registry/remote/errcode"

	"github.com/artifactctl/artifactctl/internal/artifact"
)

// Error is a request that a registry refused, or that got no answer. Its text holds no credential, token or query string.
type Error struct {
	Method string
	Target string // host, repository and tag or digest
	Status int    // HTTP status; 0 when there was no answer
	// Code and Message are the registry's own words ("DENIED", "requested access to the resource is denied").
	Code    string
	Message string
	Err     error // why there was no answer

	kind       kind
	host       string
	repository string
	retryAfter time.Duration
	tokenError int // status with which the token server refused
}

// Error says what was asked of whom and what came back.
func (e *Error) Error() string {
	parts := []string{e.Method + " " + e.Target}
	if e.Status != 0 {
		parts = append(parts, strings.TrimSpace(fmt.Sprintf("%d %s", e.Status, http.StatusText(e.Status))))
	}
	for _, s := range []string{e.Code, e.Message} {
		if s != "" {
			parts = append(parts, s)
		}
	}
	if e.Err != nil {
		parts = append(parts, e.Err.Error())
	}
	return strings.Join(parts, ": ")
}

// about is the same answer to the question for another tag or digest: it is of the whole repository.
func (e *Error) about(ref string) *Error {
	again := *e
	again.Method = http.MethodGet
	again.Target = where{kind: manifestsKind, host: e.host, repository: e.repository, ref: ref}.String()
	return &again
}

// Unwrap returns why there was no answer.
func (e *Error) Unwrap() error { return e.Err }

// Is makes errors.Is(err, artifact.ErrNotFound) hold for a registry's own answer that something does not exist.
func (e *Error) Is(target error) bool {
	return (target == artifact.ErrNotFound || target == errdef.ErrNotFound) && e.notFound()
}

// codeNotFound is what Harbor says of whatever does not exist.
const codeNotFound = "NOT_FOUND"

// notFound: a 404 alone proves nothing, since a proxy, a wrong host or an error page answers so as well. The answer to
// HEAD has no body to tell by; it is asked only before writing, where a false "not found" costs an upload and no more.
func (e *Error) notFound() bool {
	if e.Status != http.StatusNotFound {
		return false
	}
	switch e.Method {
	case http.MethodHead:
		return true
	case http.MethodGet:
		switch e.Code {
		case errcode.ErrorCodeManifestUnknown, errcode.ErrorCodeNameUnknown, errcode.ErrorCodeBlobUnknown:
			return true
		case codeNotFound:
			return true
		}
	}
	return false
}

// refused makes an Error of an answer.
func refused(req *http.Request, resp *http.Response, now time.Time) *Error {
	e := newError(req)
	e.Status = resp.StatusCode
	e.retryAfter = retryAfter(resp.Header, now)
	body, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err != nil {
		body = nil
	}
	var parsed struct {
		Errors []struct {
			Code    string `json:"code"`
			Message string `json:"message"`
		} `json:"errors"`
	}
	if json.Unmarshal(body, &parsed) == nil && len(parsed.Errors) > 0 {
		e.Code, e.Message = printable(parsed.Errors[0].Code), printable(parsed.Errors[0].Message)
		return e
	}
	switch first, _, _ := strings.Cut(strings.TrimSpace(string(body)), "\n"); {
	case isPage(resp.Header):
		e.Message = "the answer is a web page, not a registry's"
	case resp.Header.Get("Content-Type") == "" || strings.HasPrefix(resp.Header.Get("Content-Type"), "text/plain"):
		e.Message = printable(first)
	}
	return e
}

func isPage(h http.Header) bool { return strings.HasPrefix(h.Get("Content-Type"), "text/html") }

// unanswered makes an Error of a failed exchange. What net/http and the auth client put around a cause holds URLs with
// queries, so it is taken apart rather than printed.
func unanswered(req *http.Request, err error) *Error {
	e := newError(req)
	var token *errcode.ErrorResponse
	var failed *url.Error
	switch {
	case errors.As(err, &token):
		e.tokenError = token.StatusCode
		e.Err = tokenError(token)
	case errors.Is(err, auth.ErrBasicCredentialNotFound):
		e.tokenError = http.StatusUnauthorized
		e.Err = errors.New("the registry asks for a login and there are no credentials for it")
	case errors.As(err, &failed):
		e.Err = scrubbed{failed.Err}
		if u, perr := url.Parse(failed.URL); perr == nil && u.Host != req.URL.Host {
			e.Err = fmt.Errorf("%s %s: %w", strings.ToUpper(failed.Op), bare(u), scrubbed{failed.Err})
		}
	default:
		e.Err = scrubbed{err}
	}
	return e
}

func tokenError(r *errcode.ErrorResponse) error {
	text := fmt.Sprintf("token from %s: %d %s", bare(r.URL), r.StatusCode, http.StatusText(r.StatusCode))
	if len(r.Errors) > 0 {
		text += ": " + printable(r.Errors[0].Code) + ": " + printable(r.Errors[0].Message)
	}
	return errors.New(text)
}

func newError(req *http.Request) *Error {
	w := place(req)
	return &Error{Method: req.Method, Target: w.String(), kind: w.kind, host: req.URL.Host, repository: w.repository}
}

// queries matches the query of a URL inside a text.
var queries = regexp.MustCompile(`(https?://[^\s"'?]+)\?[^\s"']*`)

// scrubbed is an error whose text may have held URLs.
type scrubbed struct{ err error }

// Error is the text without the queries of its URLs.
func (s scrubbed) Error() string { return queries.ReplaceAllString(s.err.Error(), "$1") }

// Unwrap returns the error as it came.
func (s scrubbed) Unwrap() error { return s.err }

// printable makes a stranger's text fit for one line of a terminal.
func printable(s string) string {
	s = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
	s = queries.ReplaceAllString(strings.TrimSpace(s), "$1")
	if runes := []rune(s); len(runes) > 300 {
		return string(runes[:300]) + "…"
	}
	return s
}
