package attest

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	intoto "github.com/in-toto/attestation/go/v1"
	"github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore-go/pkg/verify"

	"github.com/artifactctl/artifactctl/internal/artifact"
)

// Verdict is what the signatures beside an artifact are worth.
type Verdict struct {
	// By is the identity of the good signatures; empty when there is none.
	By string
	// Batch is the good signature that covers other artifacts, too; nil when there is none.
	Batch *Batch
	// Formats lists the formats in which there is a good signature, wanted or not.
	Formats []artifact.Format
	// Missing lists the wanted formats in which there is no good signature.
	Missing []artifact.Format
	// Hidden says that bundles which are not ours hide a good legacy signature: Flux looks at no legacy signature
	// once it found a bundle.
	Hidden bool
	// Reasons says, for people, why each signature that is not good is not.
	Reasons []string
}

// Batch is one signature over many artifacts, stored beside each of them.
type Batch struct {
	// Digest is the sha256 of the bundle ("sha256:…"), the same beside each of its subjects.
	Digest string
	// Subjects are the digests of all artifacts that it covers, sorted.
	Subjects []string
}

// Good reports whether every wanted format has a good signature that a verifier will see.
func (v Verdict) Good() bool { return len(v.Missing) == 0 && !v.Hidden }

// Judge looks at all signatures beside the artifact with this digest and decides by Flux's rules: one good bundle among
// bundles is enough, and legacy signatures count only where there is no bundle at all, or a good one. Unlike Flux, a
// legacy payload must name the digest, and a bundle must be a signature and not some other attestation.
func (p Policy) Judge(digest string, signatures []artifact.Signature, want []artifact.Format) Verdict {
	var v Verdict
	good := map[artifact.Format]bool{}
	bundles := 0
	for _, s := range signatures {
		if s.Format == artifact.FormatBundle && !p.isBundle(s.Content) {
			continue // verifiers pass over what does not parse
		}
		if s.Format == artifact.FormatBundle {
			bundles++
		}
		found, err := p.check(digest, s)
		if err != nil {
			v.Reasons = append(v.Reasons, fmt.Sprintf("%s %s: %v", s.Format, s.Digest, err))
			continue
		}
		good[s.Format], v.By = true, found.by
		if found.batch != nil {
			v.Batch = found.batch
		}
	}
	for _, f := range []artifact.Format{artifact.FormatBundle, artifact.FormatLegacy} {
		if good[f] {
			v.Formats = append(v.Formats, f)
		}
	}
	for _, f := range want {
		if !good[f] {
			v.Missing = append(v.Missing, f)
		}
	}
	v.Hidden = bundles > 0 && !good[artifact.FormatBundle] && !slices.Contains(want, artifact.FormatBundle)
	return v
}

// finding is what a good signature says.
type finding struct {
	by    string
	batch *Batch // nil when it covers one artifact
}

// check verifies one stored signature.
func (p Policy) check(digest string, s artifact.Signature) (finding, error) {
	if s.Format == artifact.FormatLegacy {
		by, err := p.checkLegacy(digest, s.Content, s.Value)
		return finding{by: by}, err
	}
	return p.checkBundle(digest, s.Content)
}

func (p Policy) checkLegacy(digest string, payload, value []byte) (string, error) {
	var doc simple
	if err := json.Unmarshal(payload, &doc); err != nil {
		return "", fmt.Errorf("payload is not simple signing: %w", err)
	}
	if doc.Critical.Type != simpleType || doc.Critical.Image.DockerManifestDigest != digest {
		return "", fmt.Errorf("payload names %q, not this artifact", doc.Critical.Image.DockerManifestDigest)
	}
	if p.identity != nil {
		return "", errors.New("a legacy signature cannot bring a certificate with all its evidence")
	}
	for _, k := range p.keys {
		if k.verifier.VerifySignature(bytes.NewReader(value), bytes.NewReader(payload)) == nil {
			return k.id, nil
		}
	}
	return "", p.untrusted()
}

func (p Policy) checkBundle(digest string, content []byte) (finding, error) {
	sum := sha256.Sum256(content)
	if known, ok := p.batches.find(sum); ok {
		if !known.covers(digest) {
			return finding{}, fmt.Errorf("its %d subjects are other artifacts", len(known.batch.Subjects))
		}
		return known, nil
	}
	b, err := parseBundle(content)
	if err != nil {
		return finding{}, err
	}
	statement, by, err := p.verifyStatement(digest, b)
	if err != nil {
		return finding{}, err
	}
	if statement.GetPredicateType() != PredicateType {
		return finding{}, errors.New("it is an attestation, not a signature")
	}
	found := finding{by: by}
	if len(statement.GetSubject()) > 1 {
		found.batch = &Batch{Digest: "sha256:" + hex.EncodeToString(sum[:]), Subjects: subjectsOf(statement)}
		p.batches.keep(sum, found)
	}
	return found, nil
}

// verifyStatement returns the statement in b, one of whose subjects is the artifact with this digest, and who signed it.
func (p Policy) verifyStatement(digest string, b *bundle.Bundle) (*intoto.Statement, string, error) {
	algorithm, text, _ := strings.Cut(digest, ":")
	raw, err := hex.DecodeString(text)
	if err != nil || algorithm != "sha256" || len(raw) != sha256.Size {
		return nil, "", fmt.Errorf("digest %q is not sha256", digest)
	}
	result, by, err := p.verifyBundle(b, verify.WithArtifactDigest(algorithm, raw))
	if err != nil {
		return nil, "", fmt.Errorf("%w: %w", p.untrusted(), err)
	}
	if result.Statement == nil {
		return nil, "", errors.New("it holds no in-toto statement")
	}
	return result.Statement, by, nil
}

// verifyBundle returns the result of whoever of the policy signed b, and who that is.
func (p Policy) verifyBundle(b *bundle.Bundle, artifact verify.ArtifactPolicyOption) (*verify.VerificationResult, string, error) {
	if p.identity != nil {
		return p.identity.verify(b, artifact)
	}
	last := errors.New("nobody is trusted")
	for _, k := range p.keys {
		result, err := k.bundles.Verify(b, verify.NewPolicy(artifact, verify.WithKey()))
		if err == nil {
			return result, k.id, nil
		}
		last = err
	}
	return nil, "", last
}

func (p Policy) untrusted() error {
	return fmt.Errorf("not signed by %s", strings.Join(p.IDs(), " or "))
}

func (p Policy) isBundle(content []byte) bool {
	if _, known := p.batches.find(sha256.Sum256(content)); known {
		return true // a batch takes long to parse
	}
	_, err := parseBundle(content)
	return err == nil
}

// parseBundle accepts what Flux's verifier accepts: v0.3 or later of v0, without a certificate chain.
func parseBundle(content []byte) (*bundle.Bundle, error) {
	var b bundle.Bundle
	if err := b.UnmarshalJSON(content); err != nil {
		return nil, fmt.Errorf("not a sigstore bundle: %w", err)
	}
	if !b.MinVersion("v0.3") {
		return nil, fmt.Errorf("bundle %s is older than v0.3", b.MediaType)
	}
	return &b, nil
}
