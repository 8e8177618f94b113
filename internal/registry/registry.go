// Package registry stores artifacts and their signatures: in an OCI registry (Remote) or in a directory of OCI image
// layouts (Layout). Both keep one contract: content is addressed by digest and verified whenever it is read, nothing that
// is there is sent again, and only an answer that says so is artifact.ErrNotFound. It decides nothing: what to push, to
// sign or to tag, and whether a signature is good, is not its business.
package registry

import (
	"context"
	"fmt"

	"github.com/opencontainers/go-digest"

	"github.com/artifactctl/artifactctl/internal/artifact"
)

// Bounds of what is read from a registry, which others may write to.
const (
	// MaxManifest bounds a manifest, an index and every other answer that is not a blob: 4 MiB, as in the OCI
	// distribution spec.
	MaxManifest = 4 << 20
	// MaxBundle bounds one signature.
	MaxBundle = 16 << 20
	// MaxBlob is the default bound of a blob.
	MaxBlob = 512 << 20
	// MaxReferrers bounds how many manifests that refer to one artifact are looked at.
	MaxReferrers = 100
)

// source is what signatures are read from.
type source interface {
	Resolve(ctx context.Context, repository, ref string) (artifact.Manifest, error)
	Fetch(ctx context.Context, repository string, d artifact.Descriptor) ([]byte, error)
	// referrers lists the manifests whose subject is subject, whatever they are.
	referrers(ctx context.Context, repository string, subject artifact.Descriptor) ([]artifact.Descriptor, error)
}

// store is what signatures are stored on: the part of a registry that Remote and Layout do each in their own way.
type store interface {
	source
	// Tag stores the manifest and makes tag name it.
	Tag(ctx context.Context, repository string, m artifact.Manifest, tag string) error
	// putBlobs stores blobs, and reports whether all of them were there.
	putBlobs(ctx context.Context, repository string, blobs ...artifact.Blob) (bool, error)
	// put stores blobs and then the manifest, by digest.
	put(ctx context.Context, repository string, m artifact.Manifest, blobs ...artifact.Blob) error
	// link makes a referrer that was put appear among the referrers of subject.
	link(ctx context.Context, repository string, subject, referrer artifact.Descriptor) error
	// exclusive waits until nobody else holds key, as far as that can be known.
	exclusive(ctx context.Context, repository, key string) (release func(), err error)
}

// checkDigest refuses digests that cannot be verified, and with them those that are no digest at all.
func checkDigest(d digest.Digest) error {
	if err := d.Validate(); err != nil {
		return fmt.Errorf("digest %q: %w", d, err)
	}
	return nil
}

// checkContent verifies bytes against their descriptor.
func checkContent(d artifact.Descriptor, content []byte) error {
	if err := checkDigest(d.Digest); err != nil {
		return err
	}
	if int64(len(content)) != d.Size {
		return fmt.Errorf("%s has %d bytes, not %d: %w", d.Digest, len(content), d.Size, artifact.ErrMismatch)
	}
	if got := d.Digest.Algorithm().FromBytes(content); got != d.Digest {
		return fmt.Errorf("content of %s has digest %s: %w", d.Digest, got, artifact.ErrMismatch)
	}
	return nil
}
