package attest

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore-go/pkg/fulcio/certificate"
	"github.com/sigstore/sigstore-go/pkg/verify"
	"github.com/sigstore/sigstore/pkg/signature"

	"github.com/artifactctl/artifactctl/plugins/signer"
)

// maxSubjects is how many artifacts a statement may name for sigstore-go, and with it for cosign and Flux.
const maxSubjects = 1024

// claim is what a bundle says of itself, true or not.
type claim struct {
	PredicateType string `json:"predicateType"`
	Subject       []struct {
		Digest map[string]string `json:"digest"`
	} `json:"subject"`
}

// claimOf reads a bundle's statement without a look at its signature; it is empty when there is none.
func claimOf(b *bundle.Bundle) claim {
	var c claim
	if json.Unmarshal(b.GetDsseEnvelope().GetPayload(), &c) != nil {
		return claim{}
	}
	return c
}

// explain says why verification of b failed, in words that lead to whoever can mend it. Nothing that it finds makes a
// signature good.
func (p Policy) explain(b *bundle.Bundle, failed error) error {
	envelope := b.GetDsseEnvelope()
	switch n := len(claimOf(b).Subject); {
	case envelope == nil:
		return problem(ProblemInvalid, "%w: it holds no DSSE envelope but a message signature, which counts for files only", p.untrusted())
	case len(envelope.GetSignatures()) != 1:
		return problem(ProblemInvalid, "%w: its envelope has %d signatures, not one", p.untrusted(), len(envelope.GetSignatures()))
	case n > maxSubjects:
		return problem(ProblemInvalid, "%w: its statement names %d artifacts, and verifiers accept 1,024", p.untrusted(), n)
	}
	if result, _, err := p.verifyBundle(b, verify.WithoutArtifactUnsafe()); err == nil && result.Statement != nil {
		return otherSubjects(subjectsOf(result.Statement))
	}
	content, err := b.VerificationContent()
	if err != nil {
		return problem(ProblemInvalid, "%w: %w", p.untrusted(), err)
	}
	if p.identity != nil {
		return p.explainIdentity(content, failed)
	}
	return p.explainKey(b, content)
}

// otherSubjects: whoever is trusted signed something else.
func otherSubjects(subjects []string) error {
	if len(subjects) == 1 {
		return problem(ProblemSubject, "it is a good signature of another artifact, %s", subjects[0])
	}
	return problem(ProblemSubject, "it is a good signature of %d other artifacts", len(subjects))
}

// explainKey says who signed in place of a trusted key.
func (p Policy) explainKey(b *bundle.Bundle, content verify.VerificationContent) error {
	if leaf := content.Certificate(); leaf != nil {
		return problem(ProblemKind, "%w: expected key signature, but it was signed with a certificate, of %s", p.untrusted(), describeCertificate(leaf))
	}
	envelope := b.GetDsseEnvelope()
	input, value := signer.PAE(envelope.GetPayloadType(), envelope.GetPayload()), envelope.GetSignatures()[0].GetSig()
	var hint string
	if key := content.PublicKey(); key != nil {
		hint = key.Hint()
	}
	for _, k := range p.keys {
		if hash := k.otherHash(input, value); hash != "" {
			return problem(ProblemHash, "it was signed by %s with %s, and Flux verifies with SHA-256 or plain Ed25519 only", k.id, hash)
		}
	}
	for _, k := range p.keys {
		if own, err := signer.KeyHint(k.public); err == nil && own == hint {
			return problem(ProblemInvalid, "%w: it names this key, but its signature is not valid: it was changed, or made with another key", p.untrusted())
		}
	}
	return problem(ProblemKey, "%w: it was signed with another key, by its own word %s", p.untrusted(), describeHint(hint))
}

// otherHash names the algorithm with which the key did sign input, when it is one that Flux does not verify.
func (k trustedKey) otherHash(input, value []byte) string {
	if key, ok := k.public.(ed25519.PublicKey); ok {
		if v, err := signature.LoadED25519phVerifier(key); err == nil && v.VerifySignature(bytes.NewReader(value), bytes.NewReader(input)) == nil {
			return "Ed25519ph"
		}
		return ""
	}
	for _, hash := range []crypto.Hash{crypto.SHA384, crypto.SHA512} {
		if v, err := signature.LoadVerifier(k.public, hash); err == nil && v.VerifySignature(bytes.NewReader(value), bytes.NewReader(input)) == nil {
			return hash.String()
		}
	}
	return ""
}

// describeHint names the key that a bundle says it is by: its fingerprint, if the hint is one as cosign writes it.
func describeHint(hint string) string {
	sum, err := base64.StdEncoding.DecodeString(hint)
	switch {
	case err == nil && len(sum) == 32:
		return "sha256:" + hex.EncodeToString(sum)
	case hint == "":
		return "of no name"
	}
	return fmt.Sprintf("%.100q", hint)
}

// explainIdentity says what the evidence of a certificate lacks, or whose it is.
func (p Policy) explainIdentity(content verify.VerificationContent, failed error) error {
	leaf := content.Certificate()
	if leaf == nil {
		var hint string
		if key := content.PublicKey(); key != nil {
			hint = key.Hint()
		}
		return problem(ProblemKind, "%w: it was signed with a key, by its own word %s, and not with a certificate", p.untrusted(), describeHint(hint))
	}
	var other *verify.ErrNoMatchingCertificateIdentity
	if errors.As(failed, &other) {
		return problem(ProblemIdentity, "%w: it was signed by %s", p.untrusted(), describeCertificate(leaf))
	}
	if _, err := verify.VerifyLeafCertificate(leaf.NotAfter, leaf, p.identity.trusted); err != nil {
		return problem(ProblemAuthority, "%w: no authority of the trusted root issued its certificate, of %s: %w", p.untrusted(), describeCertificate(leaf), failed)
	}
	for _, e := range []struct{ part, text string }{ // sigstore-go has no types for these
		{"outside certificate validity", "its certificate was not valid when it was logged"},
		{"verify log inclusion", "no transparency log of the trusted root has it"},
		{"verify timestamps", "nothing that is trusted says when it was signed"},
		{"verify leaf certificate", "its certificate was not valid when it was signed"},
		{"verify signed certificate timestamp", "no certificate log of the trusted root has its certificate"},
	} {
		if strings.Contains(failed.Error(), e.part) {
			return problem(ProblemEvidence, "%w: %s: %w", p.untrusted(), e.text, failed)
		}
	}
	return problem(ProblemInvalid, "%w: its signature does not verify: it was changed, or made with another key: %w", p.untrusted(), failed)
}

// describeCertificate names whom a certificate is of, for people.
func describeCertificate(leaf *x509.Certificate) string {
	summary, err := certificate.SummarizeCertificate(leaf)
	if err != nil {
		return "nobody whom it names"
	}
	return describeIdentity(summary.SubjectAlternativeName, summary.Issuer)
}
