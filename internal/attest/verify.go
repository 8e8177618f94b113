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
	// Candidates are all that was looked at, in the order in which it was found.
	Candidates []Candidate
}

// Candidate is what was found beside an artifact, and what it is worth.
type Candidate struct {
	// Digest names the referrer manifest, or the layer at the `.sig` tag.
	Digest string
	Format artifact.Format
	// PredicateType is what kind of statement the bundle holds, by its own word unless Problem is empty. That of a plain
	// signature is PredicateType, and other kinds are attestations. It is empty for a legacy signature.
	PredicateType string
	// By is who signed it; empty when there is a Problem.
	By string
	// Problem is why it is not good, and Reason says so for people; empty when somebody whom the policy trusts signed it.
	Problem Problem
	Reason  string
}

// IsAttestation reports whether the candidate is a statement of another kind than a plain signature.
func (c Candidate) IsAttestation() bool {
	return c.PredicateType != "" && c.PredicateType != PredicateType
}

// Attests reports whether whoever is trusted stated something of this type of predicate, other than that it is signed.
func (v Verdict) Attests(predicateType string) bool {
	return slices.ContainsFunc(v.Candidates, func(c Candidate) bool {
		return c.Problem == "" && c.IsAttestation() && c.PredicateType == predicateType
	})
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
//
// Nothing wanted means whatever Flux accepts. An attestation of the artifact counts then, as it does for Flux.
func (p Policy) Judge(digest string, signatures []artifact.Signature, want []artifact.Format) Verdict {
	var v Verdict
	good := map[artifact.Format]bool{}
	bundles, attested := 0, ""
	for _, s := range signatures {
		c, batch := p.examine(digest, s)
		v.Candidates = append(v.Candidates, c)
		if c.Format == artifact.FormatBundle && c.Problem != ProblemUnreadable {
			bundles++ // verifiers pass over what does not parse
		}
		switch {
		case c.Problem != "":
			v.Reasons = append(v.Reasons, fmt.Sprintf("%s %s: %s", c.Format, c.Digest, c.Reason))
		case c.IsAttestation():
			attested = c.By
			if len(want) > 0 {
				v.Reasons = append(v.Reasons, fmt.Sprintf("%s %s: %v", c.Format, c.Digest, errAttestation))
			}
		default:
			good[c.Format], v.By = true, c.By
			if batch != nil {
				v.Batch = batch
			}
		}
	}
	for _, f := range []artifact.Format{artifact.FormatBundle, artifact.FormatLegacy} {
		if good[f] {
			v.Formats = append(v.Formats, f)
		}
	}
	if len(want) == 0 {
		v.asFlux(good, bundles, attested)
		return v
	}
	for _, f := range want {
		if !good[f] {
			v.Missing = append(v.Missing, f)
		}
	}
	v.Hidden = bundles > 0 && !good[artifact.FormatBundle] && !slices.Contains(want, artifact.FormatBundle)
	return v
}

// asFlux decides where no format is wanted.
func (v *Verdict) asFlux(good map[artifact.Format]bool, bundles int, attested string) {
	if v.By == "" {
		v.By = attested
	}
	switch {
	case good[artifact.FormatBundle], attested != "", bundles == 0 && good[artifact.FormatLegacy]:
		return
	case good[artifact.FormatLegacy]:
		v.Hidden = true
	}
	v.By, v.Missing = "", []artifact.Format{artifact.FormatBundle}
}

// errAttestation: whoever signed it states something about the artifact, and not that it is theirs.
var errAttestation = errors.New("it is an attestation, not a signature")

// finding is what a good signature says.
type finding struct {
	by            string
	predicateType string // empty for a legacy signature
	batch         *Batch // nil when it covers one artifact
}

// examine verifies one stored signature or attestation, and explains what is wrong with it.
func (p Policy) examine(digest string, s artifact.Signature) (Candidate, *Batch) {
	c := Candidate{Digest: s.Digest, Format: s.Format}
	found, err := p.find(digest, s)
	c.PredicateType = found.predicateType
	if err != nil {
		c.Problem, c.Reason = problemOf(err), err.Error()
		return c, nil
	}
	c.By = found.by
	return c, found.batch
}

// check verifies one signature that is to be stored.
func (p Policy) check(digest string, s artifact.Signature) error {
	found, err := p.find(digest, s)
	if err == nil && s.Format == artifact.FormatBundle && found.predicateType != PredicateType {
		return errAttestation
	}
	return err
}

// find verifies what was found. With an error, the type of the predicate is what the bundle says.
func (p Policy) find(digest string, s artifact.Signature) (finding, error) {
	if s.Format == artifact.FormatLegacy {
		by, err := p.checkLegacy(digest, s.Content, s.Value)
		return finding{by: by}, err
	}
	return p.checkBundle(digest, s.Content)
}

func (p Policy) checkLegacy(digest string, payload, value []byte) (string, error) {
	var doc simple
	if err := json.Unmarshal(payload, &doc); err != nil {
		return "", problem(ProblemUnreadable, "payload is not simple signing: %w", err)
	}
	if doc.Critical.Type != simpleType || doc.Critical.Image.DockerManifestDigest != digest {
		return "", problem(ProblemSubject, "payload names %q, not this artifact", doc.Critical.Image.DockerManifestDigest)
	}
	if p.identity != nil {
		return "", problem(ProblemKind, "a legacy signature cannot bring a certificate with all its evidence")
	}
	for _, k := range p.keys {
		if k.verifier.VerifySignature(bytes.NewReader(value), bytes.NewReader(payload)) == nil {
			return k.id, nil
		}
	}
	return "", problem(ProblemKey, "%w", p.untrusted())
}

func (p Policy) checkBundle(digest string, content []byte) (finding, error) {
	sum := sha256.Sum256(content)
	if known, ok := p.batches.find(sum); ok { // a batch takes long to parse
		if !known.covers(digest) {
			return finding{predicateType: known.predicateType}, otherSubjects(known.batch.Subjects)
		}
		return known, nil
	}
	b, err := parseBundle(content)
	if err != nil {
		return finding{}, problem(ProblemUnreadable, "%w", err)
	}
	statement, by, err := p.verifyStatement(digest, b)
	if err != nil {
		return finding{predicateType: claimOf(b).PredicateType}, err
	}
	found := finding{by: by, predicateType: statement.GetPredicateType()}
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
		return nil, "", p.explain(b, err)
	}
	if result.Statement == nil {
		return nil, "", problem(ProblemInvalid, "it holds a signature of the manifest itself, and no DSSE envelope with a statement")
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
	if len(p.IDs()) == 0 {
		return errors.New("nobody is trusted")
	}
	return fmt.Errorf("not signed by %s", strings.Join(p.IDs(), " or "))
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
