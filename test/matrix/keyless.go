package matrix

import (
	"bytes"
	"context"
	"fmt"
	"regexp"
	"time"

	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"

	"github.com/artifactctl/artifactctl/internal/attest/attesttest"
	"github.com/artifactctl/artifactctl/plugins/signer"
)

// Who signs without a key, and who vouches for them.
const (
	issuer  = "https://issuer.example.com"
	subject = "ci@example.com"
)

// sigstores are the one that is trusted and another, with their trusted roots.
type sigstores struct {
	own, other         *attesttest.Sigstore
	ownRoot, otherRoot []byte
	unstampedRoot      []byte // own, without a timestamp authority
}

func newSigstores() (*sigstores, error) {
	var s sigstores
	var err error
	if s.own, err = attesttest.New(); err != nil {
		return nil, err
	}
	if s.other, err = attesttest.New(); err != nil {
		return nil, err
	}
	if s.ownRoot, err = s.own.TrustedRoot(); err != nil {
		return nil, err
	}
	if s.unstampedRoot, err = s.own.TrustedRoot(attesttest.Stampers); err != nil {
		return nil, err
	}
	s.otherRoot, err = s.other.TrustedRoot()
	return &s, err
}

// exactly trusts one subject of one issuer.
func exactly(root []byte, issuer, subject string) Policy {
	return Policy{TrustedRoot: root, Identity: &Identity{
		Issuer: issuer, Subject: subject,
		IssuerRegExp: "^" + regexp.QuoteMeta(issuer) + "$", SubjectRegExp: "^" + regexp.QuoteMeta(subject) + "$",
	}}
}

// matching trusts whoever matches.
func matching(root []byte, issuer, subject string) Policy {
	return Policy{TrustedRoot: root, Identity: &Identity{IssuerRegExp: issuer, SubjectRegExp: subject}}
}

// certified attaches a signature of an identity, with all the evidence unless change takes some away.
func certified(by *attesttest.Sigstore, changes ...func(*attesttest.SignOptions)) step {
	return func(ctx context.Context, w *work) error {
		o := attesttest.SignOptions{Subject: subject, Issuer: issuer, Log: by, Issued: time.Minute}
		for _, c := range changes {
			c(&o)
		}
		b, err := by.Sign(signer.Request{PayloadType: signer.PayloadInToto, Payload: statement(signPredicate, w.subject.Digest)}, o)
		if err != nil {
			return fmt.Errorf("sign as %s: %w", o.Subject, err)
		}
		w.kept = append(w.kept, b.Content)
		return w.bundle(ctx, w.subject, b.Content)
	}
}

func without(take func(*protobundle.VerificationMaterial)) func(*attesttest.SignOptions) {
	return func(o *attesttest.SignOptions) {
		o.Edit = func(b *protobundle.Bundle) { take(b.VerificationMaterial) }
	}
}

// seals returns who states something as an identity that a policy trusts.
func (s *sigstores) seals(p Policy) sealer {
	by, who := s.own, subject
	if bytes.Equal(p.TrustedRoot, s.otherRoot) {
		by = s.other
	}
	if !regexp.MustCompile(p.Identity.SubjectRegExp).MatchString(who) {
		who = "cd@example.com"
	}
	return func(statement []byte) ([]byte, error) {
		b, err := by.Sign(signer.Request{PayloadType: signer.PayloadInToto, Payload: statement},
			attesttest.SignOptions{Subject: who, Issuer: issuer, Log: by, Issued: time.Minute})
		return b.Content, err
	}
}

// identityCases are about who signed, and by what evidence.
func identityCases(k *keys, s *sigstores) []Case {
	right := exactly(s.ownRoot, issuer, subject)
	noLog := without(func(m *protobundle.VerificationMaterial) { m.TlogEntries = nil })
	noStamp := without(func(m *protobundle.VerificationMaterial) { m.TimestampVerificationData = nil })
	noPromise := without(func(m *protobundle.VerificationMaterial) { m.TlogEntries[0].InclusionPromise = nil })
	noTime := without(func(m *protobundle.VerificationMaterial) { m.TlogEntries[0].IntegratedTime = 0 })
	unlogged := func(o *attesttest.SignOptions) { o.Log = nil }
	foreignLog := func(o *attesttest.SignOptions) { o.Log = s.other }
	eve := func(o *attesttest.SignOptions) { o.Subject = "eve@example.com" }
	cases := []Case{
		{Name: "identity", Policy: right, Want: Signed, Cluster: true, steps: []step{certified(s.own)}},
		{Name: "identity-wrong-subject", Policy: right, Want: Unsigned, Reason: "eve@example.com", Cluster: true, steps: []step{certified(s.own, eve)}},
		{Name: "identity-wrong-issuer", Policy: right, Want: Unsigned, Reason: "https://evil.example.com", Cluster: true,
			steps: []step{certified(s.own, func(o *attesttest.SignOptions) { o.Issuer = "https://evil.example.com" })}},
		{Name: "identity-longer-subject", Policy: right, Want: Unsigned, Reason: "ci@example.com.evil.com", steps: []step{certified(s.own, func(o *attesttest.SignOptions) { o.Subject = "ci@example.com.evil.com" })}},
		{Name: "identity-by-patterns", Policy: matching(s.ownRoot, `^https://issuer\.example\.com$`, `^(ci|cd)@example\.com$`), Want: Signed, Cluster: true, steps: []step{certified(s.own)}},
		{Name: "identity-pattern-without-anchors", Policy: matching(s.ownRoot, `issuer`, `@example`), Want: Signed, steps: []step{certified(s.own)}},
		{Name: "identity-other-patterns", Policy: matching(s.ownRoot, `^https://issuer\.example\.com$`, `^cd@`), Want: Unsigned, Reason: subject, steps: []step{certified(s.own)}},
		{Name: "identity-foreign-and-good", Policy: right, Want: Signed, steps: []step{certified(s.own, eve), certified(s.own)}},
		{Name: "identity-other-root", Policy: exactly(s.otherRoot, issuer, subject), Want: Unsigned, Reason: "trusted root", Cluster: true, steps: []step{certified(s.own)}},
		{Name: "identity-other-authority", Policy: right, Want: Unsigned, Reason: "trusted root", steps: []step{certified(s.other)}},
		{Name: "identity-no-sct", Policy: right, Want: Unsigned, Reason: "certificate log", steps: []step{certified(s.own, unlogged)}},
		{Name: "identity-sct-of-another-log", Policy: right, Want: Unsigned, Reason: "certificate log", steps: []step{certified(s.own, foreignLog)}},
		{Name: "identity-not-logged", Policy: right, Want: Unsigned, Reason: "transparency log", Cluster: true, steps: []step{certified(s.own, noLog)}},
		{Name: "identity-no-promise", Policy: right, Want: Unsigned, Reason: "when it was signed", steps: []step{certified(s.own, noPromise)}},
		{Name: "identity-no-time", Policy: right, Want: Unsigned, Reason: "transparency log", steps: []step{certified(s.own, noTime)}},
		{Name: "identity-no-timestamp", Policy: right, Want: Signed, steps: []step{certified(s.own, noStamp)}},
		{Name: "identity-certificate-expired", Policy: exactly(s.unstampedRoot, issuer, subject), Want: Unsigned, Reason: "not valid when",
			steps: []step{certified(s.own, func(o *attesttest.SignOptions) { o.Issued = 11 * time.Minute })}},
		{Name: "identity-stamped-too-late", Policy: right, Want: Unsigned, Reason: "not valid when",
			steps:    []step{certified(s.own, func(o *attesttest.SignOptions) { o.Issued, o.Logged = 11*time.Minute, 90*time.Second })},
			Stricter: "the timestamp is later than the certificate allows; Flux does not look at it where the log gives a time"},
		{Name: "identity-signature-moved", Policy: right, Want: Unsigned, Reason: "of another artifact", stray: true, steps: []step{certified(s.own), changed(true), attachKept()}},
		{Name: "key-for-identity", Policy: right, Want: Unsigned, Reason: "key", steps: []step{signed(k.right)}},
		{Name: "identity-for-key", Policy: trust(k.right), Want: Unsigned, Reason: subject, steps: []step{certified(s.own)}},
		{Name: "identity-and-legacy", Policy: right, Want: Signed, steps: []step{certified(s.own), legacy(k.right)}},
		{Name: "legacy-for-identity", Policy: right, Want: Unsigned, Reason: "legacy", steps: []step{legacy(k.right)}},
		{Name: "foreign-bundle-and-identity", Policy: right, Want: Signed, steps: []step{signed(k.foreign), certified(s.own)}},
	}
	for i, c := range cases {
		if c.Policy.Identity != nil {
			cases[i].Policy.seal = s.seals(c.Policy)
		}
	}
	return cases
}
