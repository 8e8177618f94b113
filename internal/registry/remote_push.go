package registry

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"golang.org/x/sync/errgroup"
	"oras.land/oras-go/v2/registry/remote"
	"oras.land/oras-go/v2/registry/remote/errcode"

	"github.com/artifactctl/artifactctl/internal/artifact"
)

// Push stores the blobs and then the manifest, by digest. What is already there is not sent again.
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
	return repo.Manifests().PushReference(ctx, m.Descriptor, bytes.NewReader(m.Bytes), tag)
}

// put stores blobs and manifest. Only when all blobs were there can the manifest be, so only then is it asked for.
func (r *Remote) put(ctx context.Context, repository string, m artifact.Manifest, blobs ...artifact.Blob) error {
	if err := checkContent(m.Descriptor, m.Bytes); err != nil {
		return err
	}
	existed, err := r.putBlobs(ctx, repository, blobs...)
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
	return repo.Manifests().Push(ctx, m.Descriptor, bytes.NewReader(m.Bytes))
}

// putBlobs stores blobs, side by side, and reports whether all of them were there.
func (r *Remote) putBlobs(ctx context.Context, repository string, blobs ...artifact.Blob) (bool, error) {
	ctx, repo, err := r.open(ctx, repository)
	if err != nil {
		return false, err
	}
	existed := make([]bool, len(blobs))
	group, gctx := errgroup.WithContext(ctx)
	for i, b := range blobs {
		group.Go(func() error {
			if err := checkContent(b.Descriptor, b.Content); err != nil {
				return err
			}
			var err error
			existed[i], err = r.ensure(gctx, repo, b)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return false, err
	}
	return !slices.Contains(existed, false), nil
}

// ensure makes a blob be there and reports whether it was already. Of callers with the same blob one does the work.
func (r *Remote) ensure(ctx context.Context, repo *remote.Repository, b artifact.Blob) (bool, error) {
	key := repo.Reference.Repository + "@" + b.Digest.String()
	for {
		mine := false
		existed, err, _ := r.flight.Do(key, func() (any, error) {
			mine = true
			if _, ok := r.seen.Load(key); ok {
				return true, nil
			}
			existed, err := repo.Blobs().Exists(ctx, b.Descriptor)
			if err == nil && !existed {
				err = r.upload(ctx, repo, b)
			}
			if err == nil {
				r.seen.Store(key, struct{}{})
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

// upload sends a blob. An upload that failed half way is begun anew, unless it turns out to have succeeded after all.
func (r *Remote) upload(ctx context.Context, repo *remote.Repository, b artifact.Blob) error {
	for n := 0; ; n++ {
		err := repo.Blobs().Push(ctx, b.Descriptor, bytes.NewReader(b.Content))
		var refused *Error
		if err == nil || !errors.As(err, &refused) || !restartable(refused) {
			return err
		}
		if !r.backoff.wait(ctx, n, refused.retryAfter) {
			if ctx.Err() != nil {
				return fmt.Errorf("%w (%w)", context.Cause(ctx), err)
			}
			return err
		}
		if there, herr := repo.Blobs().Exists(ctx, b.Descriptor); herr == nil && there {
			return nil
		}
	}
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

// Attach stores a signature beside subject. Attaching the same bytes again changes nothing.
func (r *Remote) Attach(ctx context.Context, repository string, subject artifact.Descriptor, s artifact.Signature) error {
	return attach(ctx, r, repository, subject, s)
}
