package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/artifactctl/artifactctl/internal/artifact"
	"github.com/artifactctl/artifactctl/internal/attest"
)

// FoundSignature is a signature that was found beside an artifact, and what it is worth.
type FoundSignature struct {
	Digest   string          `json:"digest"` // of the referrer manifest, or of the layer at the `.sig` tag
	Format   artifact.Format `json:"format" jsonschema:"enum=bundle,enum=legacy"`
	Trusted  bool            `json:"trusted"` // valid, of this artifact, by somebody whom the policy trusts
	SignedBy string          `json:"signedBy,omitempty"`
	Problem  attest.Problem  `json:"problem,omitempty"` // kind of fault, a word for programs
	Reason   string          `json:"reason,omitempty"`  // the same for people
}

// FoundAttestation is a statement about an artifact that is more than a signature.
type FoundAttestation struct {
	Digest        string         `json:"digest"` // of the referrer manifest
	PredicateType string         `json:"predicateType"`
	Trusted       bool           `json:"trusted"` // valid, of this artifact, by somebody whom the policy trusts
	SignedBy      string         `json:"signedBy,omitempty"`
	Problem       attest.Problem `json:"problem,omitempty"`
	Reason        string         `json:"reason,omitempty"`
}

// legacyReader is a Registry that can be asked for legacy signatures alone.
type legacyReader interface {
	// LegacySignatures returns what is stored at the subject's `.sig` tag.
	LegacySignatures(ctx context.Context, repository string, subject artifact.Descriptor) ([]artifact.Signature, error)
}

// judge looks up what lies beside the manifest that was found and judges it. A good signature is good though others could
// not be read, for Flux would pass over those; with anything less, they may be what is missing.
func (e *Engine) judge(ctx context.Context, app App, found *examined) error {
	subject := found.manifest.Descriptor
	digest := subject.Digest.String()
	signatures, err := e.Registry.Signatures(ctx, app.Repository, subject)
	found.signatures, found.verdict = signatures, e.Policy.Judge(digest, signatures, e.Formats)
	switch {
	case found.verdict.Good():
		return nil
	case err != nil:
		return fmt.Errorf("look up the signatures of %s: %w", digest, err)
	}
	if err := e.lookFurther(ctx, app, found); err != nil {
		return fmt.Errorf("look up the signatures of %s: %w", digest, err)
	}
	if found.verdict.Good() {
		return nil
	}
	return unsignedError(digest, found.verdict)
}

// lookFurther reads the legacy signatures that a registry leaves out where it sees bundles. They count if no verifier can
// read any of those; else they only explain what the bundles hide, and nothing depends on them.
func (e *Engine) lookFurther(ctx context.Context, app App, found *examined) error {
	reader, ok := e.Registry.(legacyReader)
	legacy := func(s artifact.Signature) bool { return s.Format == artifact.FormatLegacy }
	if !ok || len(found.signatures) == 0 || slices.ContainsFunc(found.signatures, legacy) {
		return nil
	}
	readable := func(c attest.Candidate) bool { return c.Problem != attest.ProblemUnreadable }
	hides := slices.ContainsFunc(found.verdict.Candidates, readable)
	old, err := reader.LegacySignatures(ctx, app.Repository, found.manifest.Descriptor)
	switch {
	case err != nil && hides:
		return nil // it would only have explained more
	case err != nil:
		return err
	}
	found.signatures = slices.Concat(found.signatures, old)
	found.verdict = e.Policy.Judge(found.manifest.Digest.String(), found.signatures, e.Formats)
	return nil
}

// list sorts what was found into signatures and attestations.
func (v *VerifiedApp) list(candidates []attest.Candidate) {
	for _, c := range candidates {
		if c.IsAttestation() {
			v.Attestations = append(v.Attestations, FoundAttestation{
				Digest: c.Digest, PredicateType: c.PredicateType, Trusted: c.Problem == "", SignedBy: c.By, Problem: c.Problem, Reason: c.Reason,
			})
			continue
		}
		v.Signatures = append(v.Signatures, FoundSignature{
			Digest: c.Digest, Format: c.Format, Trusted: c.Problem == "", SignedBy: c.By, Problem: c.Problem, Reason: c.Reason,
		})
	}
}

// unsigned is an artifact without the signatures that a policy wants. It is ErrUnsigned.
type unsigned struct {
	digest  string
	verdict attest.Verdict
}

// unsignedError says why an artifact does not count as signed.
func unsignedError(digest string, v attest.Verdict) error { return &unsigned{digest, v} }

func (u *unsigned) Error() string {
	return fmt.Sprintf("%v on %s: %s", ErrUnsigned, u.digest, strings.Join(u.reasons(), "; "))
}

func (u *unsigned) Is(target error) bool { return target == ErrUnsigned }

// Hint says what can be done.
func (u *unsigned) Hint() string { return u.verdict.Hint() }

func (u *unsigned) reasons() []string {
	reasons := slices.Clone(u.verdict.Reasons)
	if len(reasons) == 0 {
		reasons = []string{"it carries no signature"}
	}
	if u.verdict.Hidden {
		reasons = append(reasons, "bundles hide the good legacy signature: where there is any, Flux looks at no other format")
	}
	if n := len(u.verdict.Formats); n > 0 && len(u.verdict.Missing) > 0 && !u.verdict.Hidden {
		reasons = append(reasons, fmt.Sprintf("it has a good signature as %s, and none as %s", u.verdict.Formats[0], u.verdict.Missing[0]))
	}
	return reasons
}

// reasonsOf is each reason of an error on its own.
func reasonsOf(err error) []string {
	var u *unsigned
	if errors.As(err, &u) {
		return u.reasons()
	}
	return []string{err.Error()}
}

// isDigest tells a digest from a tag, which has no colon.
func isDigest(ref string) bool { return strings.Contains(ref, ":") }

// refWord names a tag or a digest in a message.
func refWord(ref string) string {
	if isDigest(ref) {
		return ref
	}
	return fmt.Sprintf("tag %q", ref)
}
