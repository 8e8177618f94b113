package registry

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2/registry/remote/auth"

	"github.com/artifactctl/artifactctl/internal/artifact"
)

var (
	_ Store = (*Remote)(nil)
	_ Store = (*Layout)(nil)
)

// anyManifest returns the manifest that d names. Its media type is what the registry says; d's is accepted, too.
func (r *Remote) anyManifest(ctx context.Context, repository string, d artifact.Descriptor) (artifact.Manifest, error) {
	mediaType, b, err := r.manifest(ctx, repository, d.Digest.String(), d.MediaType)
	if err != nil {
		return artifact.Manifest{}, err
	}
	return artifact.Manifest{Descriptor: artifact.Describe(mediaType, b), Bytes: b}, nil
}

// hasManifest reports whether the registry has a manifest. It refuses manifests whose blobs it lacks, so it has them.
func (r *Remote) hasManifest(ctx context.Context, repository string, d artifact.Descriptor) (bool, error) {
	ctx, repo, err := r.open(ctx, repository)
	if err != nil {
		return false, err
	}
	if r.there.has(repo.Reference.Repository, d.Digest.String()) {
		return true, nil
	}
	accept(repo, d.MediaType)
	there, err := repo.Manifests().Exists(ctx, d)
	if there {
		r.there.add(repo.Reference.Repository, d.Digest.String())
	}
	return there, err
}

func (r *Remote) hasBlob(ctx context.Context, repository string, d artifact.Descriptor, certain bool) (bool, error) {
	ctx, repo, err := r.open(ctx, repository)
	if err != nil {
		return false, err
	}
	name := repo.Reference.Repository
	if certain {
		r.there.remove(name, d.Digest.String())
	}
	if r.there.has(name, d.Digest.String()) {
		return true, nil
	}
	there, err := repo.Blobs().Exists(ctx, d)
	if there {
		r.there.add(name, d.Digest.String())
		r.uploads.sources.Store(d.Digest, name)
	}
	return there, err
}

func (r *Remote) putManifest(ctx context.Context, repository string, m artifact.Manifest) error {
	ctx, repo, err := r.open(ctx, repository)
	if err != nil {
		return err
	}
	if err := checkContent(m.Descriptor, m.Bytes); err != nil {
		return err
	}
	if err := repo.Manifests().Push(ctx, m.Descriptor, bytes.NewReader(m.Bytes)); err != nil {
		return err
	}
	r.there.add(repo.Reference.Repository, m.Digest.String())
	return nil
}

// borrow mounts a blob of another repository of the same registry. Whatever keeps that from working, sending the blob
// may still work, and says better what is wrong.
func (r *Remote) borrow(ctx context.Context, repository string, d artifact.Descriptor, from Store, source string) bool {
	other, ok := from.(*Remote)
	if !ok || other.host != r.host || r.uploads.noMount.Load() {
		return false
	}
	ctx, repo, err := r.open(ctx, repository)
	if err != nil {
		return false
	}
	name := other.full(source)
	ctx = auth.AppendRepositoryScope(ctx, repo.Reference, auth.ActionPull, auth.ActionPush)
	ctx = auth.AppendScopesForHost(ctx, repo.Reference.Host(), auth.ScopeRepository(name, auth.ActionPull))
	session, err := r.begin(ctx, repo, url.Values{"mount": {d.Digest.String()}, "from": {name}}, nil)
	if err != nil || session != nil {
		return false
	}
	r.there.add(repo.Reference.Repository, d.Digest.String())
	return true
}

// anyManifest returns the manifest that d names, in index.json or below what stands there.
func (l *Layout) anyManifest(ctx context.Context, repository string, d artifact.Descriptor) (artifact.Manifest, error) {
	if err := ctx.Err(); err != nil {
		return artifact.Manifest{}, err
	}
	if d.Size > MaxManifest {
		return artifact.Manifest{}, fmt.Errorf("%s@%s has %d bytes, more than the limit of %d", repository, d.Digest, d.Size, MaxManifest)
	}
	b, err := l.blob(repository, d)
	if err != nil {
		return artifact.Manifest{}, err
	}
	return artifact.Manifest{Descriptor: artifact.Describe(d.MediaType, b), Bytes: b}, nil
}

// hasManifest reports whether index.json lists a manifest and all that it names is there and intact.
func (l *Layout) hasManifest(ctx context.Context, repository string, d artifact.Descriptor) (bool, error) {
	index, err := l.index(repository)
	if errors.Is(err, artifact.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if !slices.ContainsFunc(index.Manifests, func(o ocispec.Descriptor) bool { return o.Digest == d.Digest }) {
		return false, nil
	}
	return l.whole(ctx, repository, d)
}

// whole reports whether a manifest's blobs, and its manifests with theirs, can be read.
func (l *Layout) whole(ctx context.Context, repository string, d artifact.Descriptor) (bool, error) {
	m, err := l.anyManifest(ctx, repository, d)
	if err != nil {
		return false, ctx.Err() // whatever is wrong with it, it is written anew
	}
	named, err := namedBy(m)
	if err != nil {
		return false, err
	}
	for _, child := range named.Manifests {
		if whole, err := l.whole(ctx, repository, child); err != nil || !whole {
			return false, err
		}
	}
	for _, b := range named.blobs() {
		if there, err := l.hasBlob(ctx, repository, b, true); err != nil || !there {
			return false, err
		}
	}
	return true, nil
}

// hasBlob reports whether a blob is there and intact; one that is not is replaced.
func (l *Layout) hasBlob(ctx context.Context, repository string, d artifact.Descriptor, _ bool) (bool, error) {
	_, err := l.blob(repository, d)
	return err == nil, ctx.Err()
}

func (l *Layout) putManifest(ctx context.Context, repository string, m artifact.Manifest) error {
	return l.put(ctx, repository, m)
}

// borrow is never possible: a directory may be moved away from the other.
func (l *Layout) borrow(context.Context, string, artifact.Descriptor, Store, string) bool {
	return false
}
