package registry

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
	"oras.land/oras-go/v2/registry/remote"
	"oras.land/oras-go/v2/registry/remote/auth"
	"oras.land/oras-go/v2/registry/remote/errcode"

	"github.com/artifactctl/artifactctl/internal/artifact"
)

// Sizes at which the way of an upload changes, in bytes.
const (
	// probeSize bounds the blob with which a registry is tried for uploads in one request: if it cannot, the bytes
	// travel twice.
	probeSize = 64 << 10
	// largeBlob is worth the question whether it is there.
	largeBlob = 1 << 20
)

// uploads is what this run learnt about storing blobs in a registry.
type uploads struct {
	whole   atomic.Int32 // blobs in one request: POST with the digest and the bytes
	noMount atomic.Bool  // mounting is an error here
	sources sync.Map     // digest → a repository that has the blob
}

// What is known of uploads in one request.
const (
	wholeUnknown int32 = iota
	wholeAsked         // one request is under way to find out
	wholeWorks
	wholeFails
)

// store makes blobs be there, side by side, and reports whether all were. A blob that the registry mounted or that one
// of its manifests names is taken to be there, unless certain says to ask.
func (r *Remote) store(ctx context.Context, repository string, certain bool, blobs []artifact.Blob) (existed bool, err error) {
	ctx, repo, err := r.open(ctx, repository)
	if err != nil {
		return false, err
	}
	found := make([]bool, len(blobs))
	group, gctx := errgroup.WithContext(ctx)
	for i, b := range blobs {
		group.Go(func() error {
			if err := checkContent(b.Descriptor, b.Content); err != nil {
				return err
			}
			var err error
			found[i], err = r.ensure(gctx, repo, b, certain)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return false, err
	}
	return !slices.Contains(found, false), nil
}

// ensure makes a blob be there and reports whether it was already. Of callers with the same blob one does the work.
func (r *Remote) ensure(ctx context.Context, repo *remote.Repository, b artifact.Blob, certain bool) (bool, error) {
	name, d := repo.Reference.Repository, b.Digest.String()
	if certain {
		r.there.remove(name, d)
	}
	for {
		mine := false
		existed, err, _ := r.flight.Do(name+"@"+d, func() (any, error) {
			mine = true
			if r.there.has(name, d) {
				return true, nil
			}
			existed, err := r.bring(ctx, repo, b, certain)
			if err == nil {
				r.there.add(name, d)
				r.uploads.sources.Store(b.Digest, name)
			}
			return existed, err
		})
		if err == nil {
			return existed.(bool), nil
		}
		// Somebody else's work that somebody else cancelled says nothing about ours.
		if mine || ctx.Err() != nil || !errors.Is(err, context.Canceled) {
			return false, err
		}
	}
}

// bring stores a blob in as few requests as the registry lets it. An upload that failed half way is begun anew, unless
// it turns out to have succeeded after all.
func (r *Remote) bring(ctx context.Context, repo *remote.Repository, b artifact.Blob, certain bool) (existed bool, err error) {
	if certain || b.Size > largeBlob {
		if there, err := repo.Blobs().Exists(ctx, b.Descriptor); err != nil || there {
			return there, err
		}
	}
	for n := 0; ; n++ {
		existed, err := r.upload(ctx, repo, b, certain)
		var e *Error
		if err == nil || !errors.As(err, &e) || !restartable(e) {
			return existed, err
		}
		if !r.backoff.wait(ctx, n, e.retryAfter) {
			if ctx.Err() != nil {
				return false, fmt.Errorf("%w (%w)", context.Cause(ctx), err)
			}
			return false, err
		}
		if there, herr := repo.Blobs().Exists(ctx, b.Descriptor); herr == nil && there {
			return false, nil
		}
	}
}

// upload sends a blob: by one request where the registry understands that. Otherwise it begins a session with the wish
// to mount the blob, from a repository that has it or, since it may be there already, from this very one. A registry
// that can do so needs no more; any other opens the session. What a registry refuses is done the plain way, which all
// of them understand.
func (r *Remote) upload(ctx context.Context, repo *remote.Repository, b artifact.Blob, plain bool) (existed bool, err error) {
	ctx = auth.AppendRepositoryScope(ctx, repo.Reference, auth.ActionPull, auth.ActionPush)
	if !plain && r.uploads.tryWhole(b.Size) {
		session, err := r.begin(ctx, repo, url.Values{"digest": {b.Digest.String()}}, b.Content)
		if r.uploads.learnWhole(session, err); err == nil {
			return false, r.finish(ctx, session, b)
		}
		if ctx.Err() != nil {
			return false, err
		}
	}
	if !plain && b.Size <= largeBlob && !r.uploads.noMount.Load() {
		from := r.source(ctx, repo, b)
		ctx := ctx
		if from != repo.Reference.Repository {
			ctx = auth.AppendScopesForHost(ctx, repo.Reference.Host(), auth.ScopeRepository(from, auth.ActionPull))
		}
		session, err := r.begin(ctx, repo, url.Values{"mount": {b.Digest.String()}, "from": {from}}, nil)
		if err == nil {
			return session == nil && from == repo.Reference.Repository, r.finish(ctx, session, b)
		}
		var e *Error
		if !errors.As(err, &e) || e.Status == 0 || transientStatus(e.Status) {
			return false, err
		}
		r.uploads.noMount.Store(true)
	}
	session, err := r.begin(ctx, repo, nil, nil)
	if err != nil {
		return false, err
	}
	return false, r.finish(ctx, session, b)
}

// begin asks to store a blob. It returns where to send the bytes; nil when the registry has them.
func (r *Remote) begin(ctx context.Context, repo *remote.Repository, query url.Values, body []byte) (*url.URL, error) {
	ref := repo.Reference
	target := url.URL{Scheme: "https", Host: ref.Host(), Path: "/v2/" + ref.Repository + "/blobs/uploads/", RawQuery: query.Encode()}
	if r.plain {
		target.Scheme = "http"
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target.String(), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/octet-stream")
	}
	resp, err := r.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode == http.StatusCreated {
		d := cmp.Or(query.Get("digest"), query.Get("mount"))
		if claim := resp.Header.Get(headerDigest); claim != "" && claim != d {
			return nil, fmt.Errorf("%s/%s: the registry stored %s, not %s: %w", r.host, ref.Repository, printable(claim), d, artifact.ErrMismatch)
		}
		return nil, nil
	}
	if resp.StatusCode != http.StatusAccepted {
		return nil, refused(req, resp, r.backoff.now())
	}
	return session(resp, &target)
}

// session reads where an upload goes. It has to stay on the registry's host, for the login goes there, too.
func session(resp *http.Response, registry *url.URL) (*url.URL, error) {
	at, err := registry.Parse(resp.Header.Get("Location"))
	switch {
	case err != nil || resp.Header.Get("Location") == "":
		return nil, fmt.Errorf("%s: the registry does not say where to upload a blob", registry.Host)
	case !strings.EqualFold(at.Hostname(), registry.Hostname()) || (at.Port() != "" && portOf(at) != portOf(registry)):
		return nil, fmt.Errorf("%s: the upload of a blob is to go to a different host, %s", registry.Host, at.Host)
	case at.Scheme != registry.Scheme && at.Scheme != "https":
		return nil, fmt.Errorf("%s: the upload of a blob is to go on without TLS", registry.Host)
	}
	at.Host = registry.Host // some registries leave the port out
	return at, nil
}

func portOf(u *url.URL) string {
	return cmp.Or(u.Port(), map[string]string{"http": "80", "https": "443"}[u.Scheme])
}

// finish sends the bytes, if a session waits for them.
func (r *Remote) finish(ctx context.Context, session *url.URL, b artifact.Blob) error {
	if session == nil {
		return nil
	}
	query := session.Query()
	query.Set("digest", b.Digest.String())
	session.RawQuery = query.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, session.String(), bytes.NewReader(b.Content))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/octet-stream")
	resp, err := r.client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusCreated {
		return refused(req, resp, r.backoff.now())
	}
	return nil
}

// tryWhole reports whether to send a blob by one request: always where that works, and once to find out.
func (u *uploads) tryWhole(size int64) bool {
	return u.whole.Load() == wholeWorks || (size <= probeSize && u.whole.CompareAndSwap(wholeUnknown, wholeAsked))
}

func (u *uploads) learnWhole(session *url.URL, err error) {
	var e *Error
	switch {
	case err == nil && session == nil:
		u.whole.Store(wholeWorks)
	case err != nil && (!errors.As(err, &e) || e.Status == 0):
		u.whole.CompareAndSwap(wholeAsked, wholeUnknown) // no answer: nothing learnt
	default:
		u.whole.CompareAndSwap(wholeAsked, wholeFails)
	}
}

// source names a repository to mount from, one for which no further token is needed.
func (r *Remote) source(ctx context.Context, repo *remote.Repository, b artifact.Blob) string {
	own := repo.Reference.Repository
	known, ok := r.uploads.sources.Load(b.Digest)
	if !ok {
		return own
	}
	scheme, err := r.client.auth.Cache.GetScheme(ctx, repo.Reference.Host())
	if err == nil && scheme == auth.SchemeBearer && !r.client.scopes.together(own, known.(string)) {
		return own
	}
	return known.(string)
}

// restartable: the PUT of an upload failed in a way that a new session may mend. (Its POST was retried already.)
func restartable(e *Error) bool {
	if e.kind != uploadsKind || e.Method == http.MethodPost || e.tokenError != 0 {
		return false
	}
	if e.Err != nil {
		return transientError(e.Err)
	}
	return transientStatus(e.Status) || e.Code == errcode.ErrorCodeBlobUploadUnknown
}
