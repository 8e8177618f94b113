package registry

import (
	"bytes"
	"context"
	"errors"
	"net/http"

	"github.com/artifactctl/artifactctl/internal/artifact"
)

// Push stores the blobs and then the manifest, by digest. Doing it again changes nothing, though small blobs may be sent
// once more: asking for each first would cost a request for every new one.
func (r *Remote) Push(ctx context.Context, repository string, a *artifact.Artifact) error {
	return r.put(ctx, repository, a.Manifest, a.Config, a.Layer)
}

// Tag makes tag name m, by one request.
func (r *Remote) Tag(ctx context.Context, repository string, m artifact.Manifest, tag string) error {
	ctx, repo, err := r.open(ctx, repository)
	if err != nil {
		return err
	}
	if err := checkTag(tag); err != nil {
		return err
	}
	if err := checkContent(m.Descriptor, m.Bytes); err != nil {
		return err
	}
	if err := repo.Manifests().PushReference(ctx, m.Descriptor, bytes.NewReader(m.Bytes), tag); err != nil {
		return err
	}
	r.there.add(repo.Reference.Repository, m.Digest.String())
	return nil
}

// put stores blobs and manifest. Only when all blobs were there can the manifest be, so only then is it asked for. A
// manifest that is refused, perhaps because a blob was taken to be there, is tried once more with every blob made sure of.
func (r *Remote) put(ctx context.Context, repository string, m artifact.Manifest, blobs ...artifact.Blob) error {
	if err := checkContent(m.Descriptor, m.Bytes); err != nil {
		return err
	}
	existed, err := r.store(ctx, repository, false, blobs)
	if err != nil {
		return err
	}
	ctx, repo, err := r.open(ctx, repository)
	if err != nil {
		return err
	}
	if existed {
		if there, err := repo.Manifests().Exists(ctx, m.Descriptor); err != nil || there {
			return err
		}
	}
	err = repo.Manifests().Push(ctx, m.Descriptor, bytes.NewReader(m.Bytes))
	if err != nil && refusedContent(err) {
		if _, serr := r.store(ctx, repository, true, blobs); serr != nil {
			return serr
		}
		err = repo.Manifests().Push(ctx, m.Descriptor, bytes.NewReader(m.Bytes))
	}
	if err == nil {
		r.there.add(repo.Reference.Repository, m.Digest.String())
	}
	return err
}

// refusedContent reports whether a registry may have refused a manifest because it lacks a blob.
func refusedContent(err error) bool {
	var e *Error
	return errors.As(err, &e) && (e.Status == http.StatusBadRequest || e.Status == http.StatusNotFound)
}

// putBlobs stores blobs, side by side, and reports whether all of them were there.
func (r *Remote) putBlobs(ctx context.Context, repository string, blobs ...artifact.Blob) (bool, error) {
	return r.store(ctx, repository, false, blobs)
}

// Attach stores a signature beside subject. Attaching the same bytes again changes nothing.
func (r *Remote) Attach(ctx context.Context, repository string, subject artifact.Descriptor, s artifact.Signature) error {
	if err := attach(ctx, r, repository, subject, s); err != nil {
		return err
	}
	return r.remember(repository, subject, s)
}
