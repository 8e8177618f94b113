// Package oracle asks the tools that users of artifactctl run beside it whether they agree: Flux's own libraries and the
// cosign command. It holds no expectations about artifactctl; a test that uses it does.
package oracle

import (
	"context"
	"crypto"
	"errors"
	"fmt"

	"github.com/fluxcd/pkg/oci"
	"github.com/google/go-containerregistry/pkg/crane"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/sigstore/cosign/v3/pkg/cosign"
	ociremote "github.com/sigstore/cosign/v3/pkg/oci/remote"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore/pkg/cryptoutils"
	"github.com/sigstore/sigstore/pkg/signature"
)

// FluxVerify verifies ref ("host/repository@sha256:…") as source-controller does for an OCIRepository with
// `verify.provider: cosign` and a secretRef that holds these PEM keys (internal/oci/cosign and
// ocirepository_controller.go there): key by key, the first that verifies wins; bundles first, and a legacy signature
// only when there is no bundle or bundles cannot be listed. It is nil when Flux would set SourceVerified to True.
func FluxVerify(ctx context.Context, ref string, publicKeys ...[]byte) error {
	digest, err := name.NewDigest(ref)
	if err != nil {
		return fmt.Errorf("parse reference: %w", err)
	}
	failures := []error{fmt.Errorf("no key verifies %s", ref)}
	for _, key := range publicKeys {
		err := fluxVerifyKey(ctx, digest, key)
		if err == nil {
			return nil
		}
		failures = append(failures, err)
	}
	return errors.Join(failures...)
}

// FluxResolve returns "host/repository@sha256:…" for a tag ("host/repository:tag"), which source-controller asks for first.
func FluxResolve(ctx context.Context, ref string) (string, error) {
	tag, err := name.NewTag(ref)
	if err != nil {
		return "", fmt.Errorf("parse reference: %w", err)
	}
	found, err := remote.Head(tag, remote.WithContext(ctx))
	if err != nil {
		return "", fmt.Errorf("resolve %s: %w", ref, err)
	}
	return tag.Context().Digest(found.Digest.String()).String(), nil
}

// fluxVerifyKey is source-controller's check with one key: offline, no transparency log, SHA-256 whatever the key is,
// and no check of the claims of a legacy payload.
func fluxVerifyKey(ctx context.Context, digest name.Digest, pem []byte) error {
	key, err := cryptoutils.UnmarshalPEMToPublicKey(pem)
	if err != nil {
		return fmt.Errorf("parse public key: %w", err)
	}
	verifier, err := signature.LoadVerifier(key, crypto.SHA256)
	if err != nil {
		return fmt.Errorf("load public key: %w", err)
	}
	return fluxVerify(ctx, digest, cosign.CheckOpts{SigVerifier: verifier, Offline: true, IgnoreTlog: true})
}

// FluxVerifyIdentity verifies ref ("host/repository@sha256:…") as source-controller does for an OCIRepository with
// `verify.provider: cosign`, a trustedRootSecretRef and these entries of matchOIDCIdentity. It is nil when Flux would set
// SourceVerified to True.
func FluxVerifyIdentity(ctx context.Context, ref string, trustedRoot []byte, identities ...cosign.Identity) error {
	digest, err := name.NewDigest(ref)
	if err != nil {
		return fmt.Errorf("parse reference: %w", err)
	}
	trusted, err := root.NewTrustedRootFromJSON(trustedRoot)
	if err != nil {
		return fmt.Errorf("parse trusted root: %w", err)
	}
	return fluxVerify(ctx, digest, cosign.CheckOpts{Identities: identities, TrustedMaterial: trusted})
}

// fluxVerify looks at bundles first, and at a legacy signature only when there is no bundle or bundles cannot be listed.
func fluxVerify(ctx context.Context, digest name.Digest, policy cosign.CheckOpts) error {
	opts := &policy
	opts.RegistryClientOpts = []ociremote.Option{ociremote.WithRemoteOptions(remote.WithContext(ctx))}
	bundles, _, err := cosign.GetBundles(ctx, digest, opts.RegistryClientOpts)
	if err != nil || len(bundles) == 0 {
		_, _, err = cosign.VerifyImageSignatures(ctx, digest, opts)
		return err
	}
	opts.NewBundleFormat = true
	_, _, err = cosign.VerifyImageAttestations(ctx, digest, opts)
	return err
}

// FluxPush pushes dir to ref ("host/repository:tag") as `flux push artifact` does and returns "host/repository@sha256:…".
func FluxPush(ctx context.Context, ref, dir string, meta oci.Metadata, ignore ...string) (string, error) {
	return fluxClient().Push(ctx, ref, dir, oci.WithPushMetadata(meta), oci.WithPushIgnorePaths(ignore...))
}

// FluxPull extracts ref into dir as `flux pull artifact` does.
func FluxPull(ctx context.Context, ref, dir string) (*oci.Metadata, error) {
	return fluxClient().Pull(ctx, ref, dir)
}

// FluxDiff compares dir with ref as `flux diff artifact` does: nil when the compressed layers are the same bytes.
func FluxDiff(ctx context.Context, ref, dir string, ignore ...string) error {
	return fluxClient().Diff(ctx, ref, dir, ignore)
}

func fluxClient() *oci.Client { return oci.NewClient([]crane.Option{crane.Insecure}) }
