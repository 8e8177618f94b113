package keyless_test

import (
	"context"
	"fmt"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	cosignlib "github.com/sigstore/cosign/v3/pkg/cosign"
	ociremote "github.com/sigstore/cosign/v3/pkg/oci/remote"
	"github.com/sigstore/sigstore-go/pkg/root"
)

// fluxVerify verifies ref ("host/repository@sha256:…") as source-controller does for an OCIRepository with
// `verify.provider: cosign`, a trustedRootSecretRef and these entries of matchOIDCIdentity (internal/oci/cosign there):
// bundles first, and a legacy signature only when there is no bundle or bundles cannot be listed. It is nil when Flux
// would set SourceVerified to True.
func fluxVerify(ctx context.Context, ref string, trustedRoot []byte, identities ...cosignlib.Identity) error {
	digest, err := name.NewDigest(ref)
	if err != nil {
		return fmt.Errorf("parse reference: %w", err)
	}
	trusted, err := root.NewTrustedRootFromJSON(trustedRoot)
	if err != nil {
		return fmt.Errorf("parse trusted root: %w", err)
	}
	opts := &cosignlib.CheckOpts{
		RegistryClientOpts: []ociremote.Option{ociremote.WithRemoteOptions(remote.WithContext(ctx))},
		Identities:         identities,
		TrustedMaterial:    trusted,
	}
	bundles, _, err := cosignlib.GetBundles(ctx, digest, opts.RegistryClientOpts)
	if err != nil || len(bundles) == 0 {
		_, _, err = cosignlib.VerifyImageSignatures(ctx, digest, opts)
		return err
	}
	opts.NewBundleFormat = true
	_, _, err = cosignlib.VerifyImageAttestations(ctx, digest, opts)
	return err
}
