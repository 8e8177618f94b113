package registry

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/opencontainers/go-digest"
	"oras.land/oras-go/v2/registry/remote/auth"

	"github.com/artifactctl/artifactctl/internal/artifact"
)

const (
	headerDigest  = "Docker-Content-Digest"
	headerSubject = "OCI-Subject"
)

// client carries oras-go's requests. It is where every refusal becomes an Error, with the distinctions that oras-go does
// not make (it takes any 404 for "not found"), and where bytes are verified.
type client struct {
	auth      *auth.Client
	now       func() time.Time
	onSubject func() // the registry said that it keeps referrers itself
}

// Do sends the request. A response is always a success, and what a manifest or blob was read by is its digest.
func (c *client) Do(req *http.Request) (*http.Response, error) {
	// oras-go sends the token of an upload's POST with its PUT; if it expired in between nobody would renew it.
	out := req.Clone(req.Context())
	out.Header.Del("Authorization")
	resp, err := c.auth.Do(out)
	if err != nil {
		return nil, unanswered(req, err)
	}
	if resp.StatusCode >= http.StatusMultipleChoices || pageInstead(req, resp) {
		defer func() { _ = resp.Body.Close() }()
		return nil, refused(req, resp, c.now())
	}
	if resp.Header.Get(headerSubject) != "" {
		c.onSubject()
	}
	if err := verify(req, resp); err != nil {
		_ = resp.Body.Close()
		e := newError(req)
		e.Err = err
		return nil, e
	}
	return resp, nil
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
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
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
