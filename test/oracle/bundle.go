package oracle

import (
	"context"
	"fmt"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	ociremote "github.com/sigstore/cosign/v3/pkg/oci/remote"
)

// cosignPredicate is what cosign writes beside its own signatures (cosign, pkg/types/predicate.go).
const cosignPredicate = "https://sigstore.dev/cosign/sign/v1"

// Bundles returns the content of each Sigstore bundle beside ref ("host/path@sha256:…").
func Bundles(ctx context.Context, ref string) ([][]byte, error) {
	digest, err := name.NewDigest(ref)
	if err != nil {
		return nil, fmt.Errorf("parse reference: %w", err)
	}
	referrers, err := Referrers(ctx, ref)
	if err != nil {
		return nil, err
	}
	var out [][]byte
	for _, r := range referrers {
		content, err := Layer(ctx, digest.Context().Digest(r.Digest.String()).String())
		if err != nil {
			return nil, err
		}
		out = append(out, content)
	}
	return out, nil
}

// AttachBundle stores a bundle beside ref as cosign does, without a look at what it signs.
func AttachBundle(ctx context.Context, ref string, content []byte) error {
	digest, err := name.NewDigest(ref)
	if err != nil {
		return fmt.Errorf("parse reference: %w", err)
	}
	options := ociremote.WithRemoteOptions(remote.WithContext(ctx))
	if err := ociremote.WriteAttestationNewBundleFormat(digest, content, cosignPredicate, options); err != nil {
		return fmt.Errorf("attach a bundle to %s: %w", ref, err)
	}
	return nil
}
