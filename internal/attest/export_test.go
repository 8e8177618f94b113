package attest

import (
	"github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore-go/pkg/verify"
)

// VerifyBlob asks the verifiers of p about any bundle over any bytes: older than what container signatures may be, and
// over a message instead of a statement. Nothing of the product accepts such bundles.
func (p Policy) VerifyBlob(content []byte, artifact verify.ArtifactPolicyOption) error {
	var b bundle.Bundle
	if err := b.UnmarshalJSON(content); err != nil {
		return err
	}
	_, _, err := p.verifyBundle(&b, artifact)
	return err
}
