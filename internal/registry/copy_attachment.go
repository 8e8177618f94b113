package registry

import (
	"context"
	"errors"
	"fmt"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/artifactctl/artifactctl/internal/artifact"
)

// attachment is what cosign keeps under a tag beside an artifact.
type attachment struct {
	suffix string
	merge  bool // its layers are independent of each other, and have several writers
}

func attachments() []attachment {
	return []attachment{{".sig", true}, {".att", true}, {".sbom", false}}
}

// attachment copies what is under such a tag. Like the list of referrers it has other writers, so it is read again until
// everything is found there.
func (w *copying) attachment(ctx context.Context, subject artifact.Descriptor, a attachment) error {
	tag := fallbackTag(subject.Digest) + a.suffix
	theirs, err := w.from.Resolve(ctx, w.source, tag)
	if errors.Is(err, artifact.ErrNotFound) || errors.Is(err, artifact.ErrFormat) {
		return nil // nothing, or nothing of cosign's
	}
	if err != nil {
		return err
	}
	release, err := w.to.exclusive(ctx, w.target, tag)
	if err != nil {
		return err
	}
	defer release()
	for range linkAttempts {
		ours, err := w.to.Resolve(ctx, w.target, tag)
		if err != nil && !errors.Is(err, artifact.ErrNotFound) {
			return err
		}
		missing := layersBeyond(ours, theirs)
		if len(missing) == 0 || (ours.Digest != "" && !a.merge) {
			return nil
		}
		if err := w.tagMerged(ctx, tag, ours, theirs, missing); err != nil || w.dry {
			return err
		}
	}
	return fmt.Errorf("%s:%s: other writers keep replacing it", w.target, tag)
}

// tagMerged makes tag name ours with the missing layers or, where there is nothing yet, theirs as it is.
func (w *copying) tagMerged(ctx context.Context, tag string, ours, theirs artifact.Manifest, missing []artifact.Descriptor) error {
	if ours.Digest == "" {
		named, err := namedBy(theirs)
		if err == nil {
			err = w.blobs(ctx, named.blobs(), false)
		}
		if err != nil {
			return err
		}
		w.manifests++
		return w.to.Tag(ctx, w.target, theirs, tag)
	}
	if err := w.blobs(ctx, missing, false); err != nil {
		return err
	}
	m, config, err := legacyImage(ours, missing...)
	if err != nil {
		return err
	}
	if _, err := w.to.putBlobs(ctx, w.target, config); err != nil {
		return err
	}
	w.manifests++
	return w.to.Tag(ctx, w.target, m, tag)
}

// layersBeyond lists the layers of theirs that ours lacks.
func layersBeyond(ours, theirs artifact.Manifest) []ocispec.Descriptor {
	var missing []ocispec.Descriptor
	for _, l := range theirs.Layers {
		if !hasLayer(ours, l) {
			missing = append(missing, l)
		}
	}
	return missing
}
