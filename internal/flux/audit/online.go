package audit

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"

	"github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore-go/pkg/fulcio/certificate"
	"golang.org/x/sync/errgroup"

	"github.com/artifactctl/artifactctl/internal/flux/identity"
)

// Reference is an artifact in a registry, as a source names it: a digest, else a range of versions, else a tag.
type Reference struct {
	Repository string // host/path
	Tag        string
	Semver     string // of tags, as Masterminds/semver reads it
	Digest     string
	Insecure   bool // the source fetches over plain HTTP
}

// Signature is a signature that a registry holds for an artifact.
type Signature struct {
	// Bundle is a Sigstore bundle as JSON; empty for a legacy signature.
	Bundle []byte
	// Certificate is the PEM of a legacy signature's certificate; empty where a key signed.
	Certificate []byte
	// Verified says that the signature was found to be good under a trusted root, so that its identity is no mere claim.
	Verified bool
}

// Registry tells what signatures an artifact has. An error means that it is not known.
type Registry interface {
	Signatures(ctx context.Context, r Reference) ([]Signature, error)
}

// Upstream is what a registry holds for a source's artifact.
type Upstream struct {
	State   string   `json:"state" jsonschema:"enum=signed,enum=unsigned,enum=unknown"`
	Signers []Signer `json:"signers,omitempty"`
	Error   string   `json:"error,omitempty"` // why it is unknown
}

// Signer is who a signature says it is by.
type Signer struct {
	// Issuer and Subject are those of the certificate; empty where a key signed.
	Issuer  string `json:"issuer,omitempty"`
	Subject string `json:"subject,omitempty"`
	Key     bool   `json:"key,omitempty"` // a key signed; which one, a signature does not tell
	Legacy  bool   `json:"legacy,omitempty"`
	// Verified is false when the identity is only what the certificate claims.
	Verified bool `json:"verified"`
}

// Online asks a registry, at most limit artifacts at a time, who signed what each source names, and adds what that means:
// a block to paste for sources without verification, and identities that no longer fit. Only ctx ends it early.
func Online(ctx context.Context, r *Report, registry Registry, limit int) error {
	upstream := make([]*Upstream, len(r.Sources))
	var group errgroup.Group
	group.SetLimit(max(limit, 1))
	for i, s := range r.Sources {
		if s.reference.Repository != "" {
			group.Go(func() error {
				upstream[i] = ask(ctx, registry, s.reference)
				return ctx.Err()
			})
		}
	}
	if err := group.Wait(); err != nil {
		return fmt.Errorf("ask registries for signatures: %w", err)
	}
	for i, u := range upstream {
		if u != nil {
			r.Sources[i].Upstream = u
			r.learn(&r.Sources[i])
		}
	}
	r.sort()
	return nil
}

func ask(ctx context.Context, registry Registry, ref Reference) *Upstream {
	signatures, err := registry.Signatures(ctx, ref)
	if err != nil {
		return &Upstream{State: "unknown", Error: err.Error()}
	}
	u := &Upstream{State: "unsigned"}
	for _, s := range signatures {
		signer, err := SignerOf(s)
		switch {
		case err != nil && u.State == "unsigned": // what cannot be read is no proof that nobody signed
			u.State, u.Error = "unknown", err.Error()
		case err == nil && !slices.Contains(u.Signers, signer):
			u.Signers = append(u.Signers, signer)
			u.State, u.Error = "signed", ""
		}
	}
	return u
}

// SignerOf reads who signed from a signature. It checks nothing: the identity is what the certificate claims.
func SignerOf(s Signature) (Signer, error) {
	signer := Signer{Legacy: len(s.Bundle) == 0, Verified: s.Verified}
	leaf, err := leafOf(s)
	if err != nil {
		return Signer{}, err
	}
	if leaf == nil {
		signer.Key = true
		return signer, nil
	}
	summary, err := certificate.SummarizeCertificate(leaf)
	if err != nil {
		return Signer{}, fmt.Errorf("read the certificate: %w", err)
	}
	signer.Issuer, signer.Subject = summary.Issuer, summary.SubjectAlternativeName
	return signer, nil
}

// leafOf returns the certificate that a signature brings, nil when a key signed.
func leafOf(s Signature) (*x509.Certificate, error) {
	if len(s.Bundle) == 0 {
		if len(s.Certificate) == 0 {
			return nil, nil
		}
		block, _ := pem.Decode(s.Certificate)
		if block == nil {
			return nil, errors.New("the certificate is not PEM")
		}
		return x509.ParseCertificate(block.Bytes)
	}
	var b bundle.Bundle
	if err := b.UnmarshalJSON(s.Bundle); err != nil {
		return nil, fmt.Errorf("read the bundle: %w", err)
	}
	content, err := b.VerificationContent()
	if err != nil {
		return nil, fmt.Errorf("read the bundle: %w", err)
	}
	return content.Certificate(), nil
}

// Block returns the verify block that accepts exactly this signer, empty for a key: which one is for upstream to say.
func (s Signer) Block() string {
	if s.Issuer == "" || s.Subject == "" {
		return ""
	}
	return identity.Block(identity.Exact(s.Issuer), identity.Exact(s.Subject), "")
}

// best returns the signer that is offered: an identity rather than a key, a verified one rather than a claim, a bundle
// rather than a legacy signature.
func (u *Upstream) best() Signer {
	rank := func(s Signer) int {
		n := 0
		for i, good := range []bool{!s.Legacy, s.Verified, !s.Key} {
			if good {
				n += 1 << i
			}
		}
		return n
	}
	return slices.MaxFunc(u.Signers, func(a, b Signer) int { return rank(a) - rank(b) })
}

// learn adds to the findings of a source what its upstream tells.
func (r *Report) learn(s *Source) {
	at := finding{object: s.ID(), file: s.File, line: s.Line}
	switch s.Upstream.State {
	case "unknown":
		at.rule, at.message, at.fix = upstreamUnknown, "its registry could not tell whether it is signed: "+s.Upstream.Error, "check access to the registry, and run it again"
	case "unsigned":
		at.rule, at.message, at.fix = upstreamUnsigned, "nothing that it names is signed", "ask upstream to sign, or mirror and sign it yourself"
	default:
		r.compare(s, at)
		return
	}
	r.addFinding(at)
}

// compare offers the block for what is not verified, and tells of identities that verification does not accept.
func (r *Report) compare(s *Source, at finding) {
	if s.identity != nil && len(s.Upstream.Signers) > 0 {
		for _, signer := range s.Upstream.Signers {
			if s.identity.accepts(signer.Issuer, signer.Subject) && !signer.Key {
				return
			}
		}
		first := s.Upstream.best()
		at.rule, at.message, at.block = upstreamOther, "what it names now is signed by "+first.describe(), first.Block()
		at.fix = "find out which of them is right before changing verify"
		r.addFinding(at)
		return
	}
	for i := range r.Findings {
		f := &r.Findings[i]
		if f.Object != s.ID() || f.File != s.File || f.Rule != unverifiedSource && f.Rule != unverifiedChart && f.Rule != noIdentity || f.Block != "" {
			continue
		}
		signer := s.Upstream.best()
		f.Fix = "upstream is signed by " + signer.describe() + "; make sure that this is who should sign, and add verify"
		if f.Block = signer.Block(); f.Block != "" && !s.features.identities {
			f.Fix += "; a HelmRelease cannot verify an identity, so put it into an OCIRepository and name that by chartRef"
		}
	}
}

func (r *Report) addFinding(f finding) { (&auditor{report: r}).add(f) }

func (s Signer) describe() string {
	switch {
	case s.Key:
		return "a key, which upstream must publish"
	case s.Verified:
		return s.Subject + " (" + s.Issuer + ")"
	}
	return s.Subject + " (" + s.Issuer + "), as its certificate claims"
}
