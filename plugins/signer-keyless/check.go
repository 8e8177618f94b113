package main

import (
	"crypto/x509"
	"fmt"

	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	"github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/verify"

	"github.com/artifactctl/artifactctl/plugins/signer"
)

// selfCheck verifies what the services give with a trusted root, if the options name one. The host checks each signature
// anyway; this finds services that do not fit together with the first certificate, before anything is pushed.
type selfCheck struct {
	trusted *root.TrustedRoot // nil: nothing is checked
	path    string
}

func newSelfCheck(path string) (selfCheck, error) {
	if path == "" {
		return selfCheck{}, nil
	}
	text, err := readFile("trustedRoot", path)
	if err != nil {
		return selfCheck{}, err
	}
	trusted, err := root.NewTrustedRootFromJSON(text)
	if err != nil {
		return selfCheck{}, signer.Invalidf("`cosign trusted-root create` writes one", "option \"trustedRoot\": %s is no trusted root: %v", path, err)
	}
	return selfCheck{trusted, path}, nil
}

// certificate checks who issued a certificate, and that a log has promised to show it.
func (c selfCheck) certificate(issued *x509.Certificate) error {
	if c.trusted == nil {
		return nil
	}
	chains, err := verify.VerifyLeafCertificate(issued.NotBefore, issued, c.trusted)
	if err != nil {
		return c.refuse("Fulcio's certificate", err)
	}
	if err := verify.VerifySignedCertificateTimestamp(chains, 1, c.trusted); err != nil {
		return c.refuse("the certificate's log promise (SCT)", err)
	}
	return nil
}

// bundle checks log entries and timestamps.
func (c selfCheck) bundle(made *protobundle.Bundle) error {
	if c.trusted == nil {
		return nil
	}
	b, err := bundle.NewBundle(made)
	if err != nil {
		return c.refuse("the bundle", err)
	}
	verifier, err := verify.NewVerifier(c.trusted, verify.WithSignedCertificateTimestamps(1), verify.WithTransparencyLog(1), verify.WithObserverTimestamps(1))
	if err != nil {
		return c.refuse("the bundle", err)
	}
	// The artifact and the identity are the host's to judge.
	if _, err := verifier.Verify(b, verify.NewPolicy(verify.WithoutArtifactUnsafe(), verify.WithoutIdentitiesUnsafe())); err != nil {
		return c.refuse("the bundle", err)
	}
	return nil
}

func (c selfCheck) refuse(what string, err error) error {
	return signer.WithHint(fmt.Errorf("%w: %s does not verify with the trusted root %s: %w", signer.ErrInvalid, what, c.path, err),
		"the trusted root must be of the same Sigstore as the services")
}
