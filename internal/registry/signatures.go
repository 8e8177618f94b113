package registry

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sync/errgroup"

	"github.com/artifactctl/artifactctl/internal/artifact"
	"github.com/artifactctl/artifactctl/plugins/signer"
)

// What a signature looks like in a registry (cosign, specs/BUNDLE_SPEC.md and specs/SIGNATURE_SPEC.md).
const (
	bundlePrefix            = "application/vnd.dev.sigstore.bundle"
	annotationContent       = "dev.sigstore.bundle.content"
	annotationPredicateType = "dev.sigstore.bundle.predicateType"
	annotationSignature     = "dev.cosignproject.cosign/signature"
	annotationCertificate   = "dev.sigstore.cosign/certificate"
)

// lookups is how many referrers of one artifact are read at a time.
const lookups = 4

// legacyTag is where cosign kept signatures before bundles.
func legacyTag(d digest.Digest) string { return fallbackTag(d) + ".sig" }

// signatures finds what Flux's source-controller would find: of the referrers those with exactly one layer that is a
// bundle, judged by the manifest itself because indexes report types wrongly; then the `.sig` tag, which is read when
// there is no bundle, or always. A referrer that is listed but gone is no signature; any other failure is an error, and
// comes with the bundles that could be read.
func signatures(ctx context.Context, s source, repository string, subject artifact.Descriptor, legacy bool) ([]artifact.Signature, error) {
	if err := checkDigest(subject.Digest); err != nil {
		return nil, err
	}
	list, err := s.referrers(ctx, repository, subject)
	if err != nil {
		return nil, err
	}
	found, failures := make([]*artifact.Signature, len(list)), make([]error, len(list))
	var group errgroup.Group
	group.SetLimit(lookups)
	for i, d := range list {
		group.Go(func() error {
			found[i], failures[i] = readBundle(ctx, s, repository, d)
			return nil // one that cannot be read does not stop the others
		})
	}
	_ = group.Wait()
	var all []artifact.Signature
	for _, f := range found {
		if f != nil {
			all = append(all, *f)
		}
	}
	if i := slices.IndexFunc(failures, func(err error) bool { return err != nil }); i >= 0 {
		return all, fmt.Errorf("read signatures: %w", failures[i])
	}
	if len(all) > 0 && !legacy {
		return all, nil
	}
	old, err := readLegacy(ctx, s, repository, subject)
	if err != nil {
		return all, fmt.Errorf("read signatures: %w", err)
	}
	return append(all, old...), nil
}

// readBundle returns the bundle of a referrer; nil when it is something else, or gone.
func readBundle(ctx context.Context, s source, repository string, d artifact.Descriptor) (*artifact.Signature, error) {
	m, err := s.Resolve(ctx, repository, d.Digest.String())
	if errors.Is(err, artifact.ErrNotFound) || errors.Is(err, artifact.ErrFormat) {
		return nil, nil // gone, or no image manifest: not a signature
	}
	if err != nil {
		return nil, err
	}
	if len(m.Layers) != 1 || !strings.HasPrefix(m.Layers[0].MediaType, bundlePrefix) {
		return nil, nil
	}
	if m.Layers[0].Size > MaxBundle {
		return nil, fmt.Errorf("bundle %s has %d bytes, more than the limit of %d", d.Digest, m.Layers[0].Size, MaxBundle)
	}
	content, err := s.Fetch(ctx, repository, m.Layers[0])
	if errors.Is(err, artifact.ErrNotFound) {
		return nil, nil // gone as well
	}
	if err != nil {
		return nil, err
	}
	return &artifact.Signature{
		Format:        artifact.FormatBundle,
		Content:       content,
		PredicateType: m.Annotations[annotationPredicateType],
		Digest:        d.Digest.String(),
	}, nil
}

// readLegacy returns the signatures at the `.sig` tag.
func readLegacy(ctx context.Context, s source, repository string, subject artifact.Descriptor) ([]artifact.Signature, error) {
	m, err := s.Resolve(ctx, repository, legacyTag(subject.Digest))
	if errors.Is(err, artifact.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if len(m.Layers) > MaxReferrers {
		return nil, fmt.Errorf("%s: more than %d signatures", legacyTag(subject.Digest), MaxReferrers)
	}
	var all []artifact.Signature
	for _, layer := range m.Layers {
		value, err := base64.StdEncoding.DecodeString(layer.Annotations[annotationSignature])
		if layer.MediaType != signer.PayloadSimpleSigning || err != nil || len(value) == 0 {
			continue // no signature that anybody could verify
		}
		if layer.Size > MaxBundle {
			return nil, fmt.Errorf("payload %s has %d bytes, more than the limit of %d", layer.Digest, layer.Size, MaxBundle)
		}
		content, err := s.Fetch(ctx, repository, layer)
		if err != nil {
			return nil, err
		}
		all = append(all, artifact.Signature{
			Format: artifact.FormatLegacy, Content: content, Value: value, Digest: layer.Digest.String(),
			Certificate: []byte(layer.Annotations[annotationCertificate]),
		})
	}
	return all, nil
}
