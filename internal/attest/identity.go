package attest

import (
	"errors"
	"fmt"

	"github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/verify"
)

// IdentityOptions describe an identity that signs with short-lived certificates, without a key of its own.
type IdentityOptions struct {
	// Issuer is the OIDC issuer that the certificate must name; IssuerRegExp matches it instead. One of them is needed.
	// Regular expressions are Go's and match anywhere in the text, as they do in Flux and cosign.
	Issuer, IssuerRegExp string
	// Subject is the subject alternative name of the certificate; SubjectRegExp matches it instead. One of them is needed.
	Subject, SubjectRegExp string
	// TrustedRoot is the JSON of the Sigstore trusted root that all evidence is checked against.
	TrustedRoot []byte
}

// trustedIdentity holds one verifier for each way in which a bundle can prove when it was signed.
type trustedIdentity struct {
	name       string // for people
	policy     verify.PolicyOption
	identity   verify.CertificateIdentity
	trusted    root.TrustedMaterial
	integrated *verify.Verifier // by Rekor v1, which signs a time into its entry
	stamped    *verify.Verifier // by a timestamp authority, for Rekor v2 gives no time
}

// IdentityPolicy accepts bundles by this identity that bring all that Flux wants to see: a certificate with an embedded
// SCT, an entry in a transparency log, and proof of the time of signing, each by an authority of the trusted root.
// Legacy signatures are never accepted.
func IdentityPolicy(o IdentityOptions) (Policy, error) {
	if (o.Issuer == "") == (o.IssuerRegExp == "") || (o.Subject == "") == (o.SubjectRegExp == "") {
		return Policy{}, errors.New("an identity is one issuer and one subject, each exact or a regular expression")
	}
	identity, err := verify.NewShortCertificateIdentity(o.Issuer, o.IssuerRegExp, o.Subject, o.SubjectRegExp)
	if err != nil {
		return Policy{}, fmt.Errorf("identity: %w", err)
	}
	trusted, err := parseTrustedRoot(o.TrustedRoot)
	if err != nil {
		return Policy{}, fmt.Errorf("trusted root: %w", err)
	}
	p, err := identityPolicy(trusted, verify.WithCertificateIdentity(identity))
	if err != nil {
		return Policy{}, err
	}
	p.identity.identity = identity
	p.identity.name = describeIdentity(o.Subject+o.SubjectRegExp, o.Issuer+o.IssuerRegExp)
	return p, nil
}

func identityPolicy(trusted root.TrustedMaterial, identity verify.PolicyOption) (Policy, error) {
	t := &trustedIdentity{policy: identity, trusted: trusted}
	var err error
	evidence := []verify.VerifierOption{verify.WithSignedCertificateTimestamps(1), verify.WithTransparencyLog(1)}
	// Where a trusted authority stamped what Rekor v1 logged, the certificate must have been valid at both times (Sigstore
	// client specification, "Certificate"). Flux does not look at the stamp.
	times := []verify.VerifierOption{verify.WithIntegratedTimestamps(1), verify.WithObserverTimestamps(1)}
	if t.integrated, err = verify.NewVerifier(trusted, append(times, evidence...)...); err != nil {
		return Policy{}, fmt.Errorf("make a verifier: %w", err)
	}
	if t.stamped, err = verify.NewVerifier(trusted, append(evidence, verify.WithSignedTimestamps(1))...); err != nil {
		return Policy{}, fmt.Errorf("make a verifier: %w", err)
	}
	return Policy{identity: t, batches: newMemo()}, nil
}

// parseTrustedRoot refuses a root that could verify nothing, as Flux does when it starts to verify.
func parseTrustedRoot(text []byte) (*root.TrustedRoot, error) {
	trusted, err := root.NewTrustedRootFromJSON(text)
	if err != nil {
		return nil, fmt.Errorf("no Sigstore trusted root in JSON: %w", err)
	}
	switch {
	case len(trusted.FulcioCertificateAuthorities()) == 0:
		return nil, errors.New("it names no certificate authority")
	case len(trusted.CTLogs()) == 0:
		return nil, errors.New("it names no certificate transparency log")
	case len(trusted.RekorLogs()) == 0:
		return nil, errors.New("it names no transparency log")
	}
	return trusted, nil
}

// verify checks all evidence in b and returns the result with the name of who signed.
func (t *trustedIdentity) verify(b *bundle.Bundle, artifact verify.ArtifactPolicyOption) (*verify.VerificationResult, string, error) {
	verifier, err := t.verifierFor(b)
	if err != nil {
		return nil, "", err
	}
	result, err := verifier.Verify(b, verify.NewPolicy(artifact, t.policy))
	if err != nil {
		return nil, "", err
	}
	signed := result.Signature.Certificate
	return result, describeIdentity(signed.SubjectAlternativeName, signed.Issuer), nil
}

// verifierFor chooses as cosign and Flux do: when no entry of a log has a time of its own, a timestamp is needed.
func (t *trustedIdentity) verifierFor(b *bundle.Bundle) (*verify.Verifier, error) {
	entries, err := b.TlogEntries()
	if err != nil {
		return nil, fmt.Errorf("log entry: %w", err)
	}
	for _, e := range entries {
		if !e.IntegratedTime().IsZero() {
			return t.integrated, nil
		}
	}
	if len(entries) == 0 {
		return t.integrated, nil // it will say that the entry is missing
	}
	return t.stamped, nil
}

// describeIdentity names an identity for people.
func describeIdentity(subject, issuer string) string { return subject + " (" + issuer + ")" }
