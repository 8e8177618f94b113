package registry

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"
	"oras.land/oras-go/v2/registry/remote/auth"
	"oras.land/oras-go/v2/registry/remote/errcode"

	"github.com/artifactctl/artifactctl/internal/artifact"
)

const (
	headerDigest  = "Docker-Content-Digest"
	headerSubject = "OCI-Subject"
)

// client carries oras-go's requests. It is where every refusal becomes an Error, with the distinctions that oras-go does
// not make (it takes any 404 for "not found"), and where bytes are verified.
type client struct {
	auth   *auth.Client
	now    func() time.Time
	scopes *scopes
	queues queues

	onSubject func(repository string) // the registry said that it keeps referrers itself
	onWrite   func(repository string) // something was stored
	onUnknown func(e *Error)          // the registry does not know the repository
}

// Do sends the request. A response is always a success, and what a manifest or blob was read by is its digest.
func (c *client) Do(req *http.Request) (*http.Response, error) {
	out := req.WithContext(c.scopes.widen(req.Context()))
	// oras-go sends the token of an upload's POST with its PUT; if it expired in between nobody would renew it.
	if out.Header.Get("Authorization") != "" {
		out.Header = out.Header.Clone()
		out.Header.Del("Authorization")
	}
	resp, err := c.send(out)
	if err != nil {
		return nil, unanswered(req, err)
	}
	if resp.StatusCode >= http.StatusMultipleChoices || pageInstead(req, resp) {
		defer func() { _ = resp.Body.Close() }()
		e := refused(req, resp, c.now())
		if e.Code == errcode.ErrorCodeNameUnknown && e.notFound() {
			c.onUnknown(e)
		}
		return nil, e
	}
	w := place(req)
	if req.Method != http.MethodGet && req.Method != http.MethodHead {
		c.onWrite(w.repository)
	}
	if resp.Header.Get(headerSubject) != "" {
		c.onSubject(w.repository)
	}
	if err := verify(req, resp); err != nil {
		_ = resp.Body.Close()
		e := newError(req)
		e.Err = err
		return nil, e
	}
	return resp, nil
}

// send sends the request with a token that its repository may share with others. Where that is refused it asks for one
// of the repository's own, since a server may refuse all for the sake of one.
func (c *client) send(req *http.Request) (*http.Response, error) {
	resp, err := c.queued(req)
	if err == nil && resp.StatusCode != http.StatusUnauthorized && resp.StatusCode != http.StatusForbidden {
		return resp, nil
	}
	var noToken *errcode.ErrorResponse
	if err != nil && !errors.As(err, &noToken) {
		return nil, err
	}
	ctx, shared := c.scopes.alone(req, err != nil)
	if !shared {
		return resp, err
	}
	again, rerr := rewound(req.Clone(ctx), 1)
	if rerr != nil {
		return resp, err
	}
	if err == nil {
		_ = resp.Body.Close()
	}
	return c.queued(again)
}

func (c *client) queued(req *http.Request) (*http.Response, error) {
	if !c.queues.free.Load() {
		key := strings.Join(auth.GetAllScopesForHost(req.Context(), req.URL.Host), " ")
		leave, err := c.queues.enter(req.Context(), key)
		if err != nil {
			return nil, err
		}
		defer leave()
	}
	resp, err := c.auth.Do(req)
	if err == nil && resp.StatusCode != http.StatusUnauthorized && resp.Request != nil && resp.Request.URL.Host == req.URL.Host &&
		!strings.HasPrefix(resp.Request.Header.Get("Authorization"), "Bearer ") {
		c.queues.free.Store(true)
	}
	return resp, err
}

// pageInstead recognises the login page or the like of something that stands where the registry should.
func pageInstead(req *http.Request, resp *http.Response) bool {
	k := place(req).kind
	return (k == manifestsKind || k == tagsKind) && isPage(resp.Header)
}

// verify checks the bytes of a manifest or blob against the digest that was asked for and the one that the registry
// claims.
func verify(req *http.Request, resp *http.Response) error {
	w := place(req)
	if req.Method != http.MethodGet || (w.kind != manifestsKind && w.kind != blobsKind) {
		return nil
	}
	body, err := contentOf(resp.Body)
	if err != nil {
		return err
	}
	resp.Body = newMemory(body)
	for _, text := range []string{w.ref, resp.Header.Get(headerDigest)} {
		d := digest.Digest(text)
		if d.Validate() != nil {
			continue // a tag, or no header
		}
		if got := d.Algorithm().FromBytes(body); got != d {
			return fmt.Errorf("the answer has digest %s, not %s: %w", got, d, artifact.ErrMismatch)
		}
	}
	return nil
}
