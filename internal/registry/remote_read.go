package registry

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/opencontainers/go-digest"
	"oras.land/oras-go/v2/errdef"
	"oras.land/oras-go/v2/registry/remote"

	"github.com/artifactctl/artifactctl/internal/artifact"
)

// Resolve returns the manifest that a tag or a digest names, by one request. The bytes are verified against the digest
// that was asked for and the one that the registry states. What is there but is no image manifest (an index, say) is
// artifact.ErrFormat, with a Manifest that still has descriptor and bytes.
func (r *Remote) Resolve(ctx context.Context, repository, ref string) (artifact.Manifest, error) {
	mediaType, b, err := r.manifest(ctx, repository, ref)
	if err != nil {
		return artifact.Manifest{}, err
	}
	m, err := artifact.ParseManifest(mediaType, b)
	if err != nil {
		return m, fmt.Errorf("%s/%s: %w", r.host, repository, err)
	}
	for _, d := range append(m.Layers[:len(m.Layers):len(m.Layers)], m.Config) {
		r.there.add(r.full(repository), d.Digest.String()) // a registry keeps what its manifests name
	}
	return m, nil
}

// manifest returns media type and bytes of whatever manifest ref names, of the usual types and of further ones.
func (r *Remote) manifest(ctx context.Context, repository, ref string, further ...string) (string, []byte, error) {
	ctx, repo, err := r.open(ctx, repository)
	if err != nil {
		return "", nil, err
	}
	accept(repo, further...)
	if e, gone := r.unknown.get(repo.Reference.Repository, r.backoff.now()); gone {
		return "", nil, e.about(ref)
	}
	d, body, err := repo.Manifests().FetchReference(ctx, ref)
	if errors.Is(err, errdef.ErrInvalidReference) {
		return "", nil, fmt.Errorf("%q is neither a tag nor a digest", ref)
	}
	if err != nil {
		return "", nil, err
	}
	defer func() { _ = body.Close() }()
	b, err := contentOf(body)
	if err != nil {
		return "", nil, fmt.Errorf("read %s/%s:%s: %w", r.host, repository, ref, err)
	}
	r.there.add(repo.Reference.Repository, digest.FromBytes(b).String())
	return d.MediaType, b, nil
}

// accept adds media types to those in which a repository's manifests are asked for.
func accept(repo *remote.Repository, mediaTypes ...string) {
	for _, t := range mediaTypes {
		if t != "" && !slices.Contains(repo.ManifestMediaTypes, t) {
			repo.ManifestMediaTypes = append(repo.ManifestMediaTypes, t)
		}
	}
}

// Fetch returns the bytes that d names, verified against its digest and size.
func (r *Remote) Fetch(ctx context.Context, repository string, d artifact.Descriptor) ([]byte, error) {
	ctx, repo, err := r.open(ctx, repository)
	if err != nil {
		return nil, err
	}
	if err := checkDigest(d.Digest); err != nil {
		return nil, err
	}
	if d.Size < 0 || d.Size > r.limit {
		return nil, fmt.Errorf("%s/%s@%s has %d bytes, more than the limit of %d", r.host, repository, d.Digest, d.Size, r.limit)
	}
	body, err := repo.Fetch(withLimit(ctx, max(d.Size, 64<<10)), d)
	if err != nil {
		return nil, wrongSize(err)
	}
	defer func() { _ = body.Close() }()
	b, err := contentOf(body)
	if err != nil {
		return nil, fmt.Errorf("read %s/%s@%s: %w", r.host, repository, d.Digest, err)
	}
	if err := checkContent(d, b); err != nil {
		return nil, fmt.Errorf("%s/%s: %w", r.host, repository, err)
	}
	return b, nil
}

// wrongSize gives the errors with which oras-go says that an answer is not what its descriptor says (they have no type)
// the sentinel that they deserve. Every failed exchange is an Error; what is none is a complaint about an answer.
func wrongSize(err error) error {
	var refused *Error
	if errors.As(err, &refused) {
		return err
	}
	return fmt.Errorf("%w: %w", scrubbed{err}, artifact.ErrMismatch)
}

// Tags lists the tags of a repository, sorted; a repository that does not exist has none.
func (r *Remote) Tags(ctx context.Context, repository string) ([]string, error) {
	ctx, repo, err := r.open(ctx, repository)
	if err != nil {
		return nil, err
	}
	if _, gone := r.unknown.get(repo.Reference.Repository, r.backoff.now()); gone {
		return nil, nil
	}
	var tags []string
	err = repo.Tags(ctx, "", func(page []string) error {
		tags = append(tags, page...)
		return nil
	})
	if errors.Is(err, artifact.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list tags: %w", err)
	}
	slices.Sort(tags)
	return slices.Compact(tags), nil
}

// missingAPI reports whether an answer to a look-up of referrers says that the registry does not know that API, rather
// than that it would not or could not answer. The statuses are those after which Flux and cosign look at the tag.
func missingAPI(err error) bool {
	if errors.Is(err, errdef.ErrUnsupported) {
		return true
	}
	var e *Error
	if !errors.As(err, &e) {
		return false
	}
	switch e.Status {
	case http.StatusNotFound, http.StatusBadRequest, http.StatusNotAcceptable:
		return true
	}
	return false
}
