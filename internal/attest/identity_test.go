package attest_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	protorekor "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/artifactctl/artifactctl/internal/artifact"
	"github.com/artifactctl/artifactctl/internal/attest"
	"github.com/artifactctl/artifactctl/internal/attest/attesttest"
	"github.com/artifactctl/artifactctl/plugins/signer"
)

const (
	subject = "ci@example.com"
	issuer  = "https://issuer.example.com"
)

// sigstore is a private Sigstore whose faults fail the test.
type sigstore struct {
	*attesttest.Sigstore
	certificateLog *attesttest.Sigstore // itself
	issued, logged time.Duration        // how long ago its certificates and log entries are made; timestamps are made now
}

func newSigstore(t testing.TB) *sigstore {
	t.Helper()
	s, err := attesttest.New()
	if err != nil {
		t.Fatal(err)
	}
	return &sigstore{s, s, time.Minute, 0}
}

// trustedRoot is what verifies this Sigstore; parts can be left out.
func (s *sigstore) trustedRoot(t testing.TB, without ...attesttest.Part) []byte {
	t.Helper()
	text, err := s.TrustedRoot(without...)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// sign answers r with a bundle as Rekor v1 and a timestamp authority make it, changed by edit.
func (s *sigstore) sign(t testing.TB, r signer.Request, subject, issuer string, log *attesttest.Sigstore, edit func(*protobundle.Bundle)) signer.Signature {
	t.Helper()
	b, err := s.Sign(r, attesttest.SignOptions{Subject: subject, Issuer: issuer, Log: log, Issued: s.issued, Logged: s.logged, Edit: edit})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// signV2 answers r as Rekor v2 does, without a time in the entry; its certificate has no SCT.
func (s *sigstore) signV2(t testing.TB, r signer.Request, edit func(*protobundle.Bundle)) signer.Signature {
	t.Helper()
	b, err := s.SignV2(r, attesttest.SignOptions{Subject: subject, Issuer: issuer, Edit: edit})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func identityPolicy(t testing.TB, o attest.IdentityOptions) attest.Policy {
	t.Helper()
	p, err := attest.IdentityPolicy(o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestIdentityIsAccepted(t *testing.T) {
	s := newSigstore(t)
	r := request(t, artifact.FormatBundle, digestA)
	answer := s.sign(t, r, subject, issuer, s.certificateLog, nil)
	unstamped := s.sign(t, r, subject, issuer, s.certificateLog, func(b *protobundle.Bundle) { b.VerificationMaterial.TimestampVerificationData = nil })
	want := []artifact.Format{artifact.FormatBundle}
	for name, o := range map[string]attest.IdentityOptions{
		"exact":   {Issuer: issuer, Subject: subject},
		"pattern": {IssuerRegExp: `^https://issuer\.`, SubjectRegExp: `@example\.com$`},
		"mixed":   {Issuer: issuer, SubjectRegExp: ".*"},
	} {
		o.TrustedRoot = s.trustedRoot(t)
		p := identityPolicy(t, o)
		stored, err := p.Accept(r, answer)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if v := p.Judge(digestA, []artifact.Signature{stored}, want); !v.Good() || v.By != subject+" ("+issuer+")" {
			t.Errorf("%s: %+v", name, v)
		}
		if v := p.Judge(digestB, []artifact.Signature{stored}, want); v.Good() {
			t.Errorf("%s: accepted for another artifact", name)
		}
		if _, err := p.Accept(r, unstamped); err != nil {
			t.Errorf("%s: without a timestamp, but with Rekor's time: %v", name, err)
		}
	}
	p := identityPolicy(t, attest.IdentityOptions{Issuer: issuer, Subject: subject, TrustedRoot: s.trustedRoot(t)})
	if ids := p.IDs(); !p.ByIdentity() || len(ids) != 1 || ids[0] != subject+" ("+issuer+")" || p.Trusts(newKey(t, "p256").pem(t)) {
		t.Errorf("the policy is of %v", ids)
	}
}

func TestIdentityIsRefused(t *testing.T) {
	s, other := newSigstore(t), newSigstore(t)
	r := request(t, artifact.FormatBundle, digestA)
	attestation := r
	attestation.Payload = []byte(strings.Replace(string(r.Payload), attest.PredicateType, "https://slsa.dev/provenance/v1", 1))
	good := s.sign(t, r, subject, issuer, s.certificateLog, nil)
	edited := func(edit func(*protobundle.VerificationMaterial)) signer.Signature {
		return s.sign(t, r, subject, issuer, s.certificateLog, func(b *protobundle.Bundle) { edit(b.VerificationMaterial) })
	}
	entry := func(edit func(*protorekor.TransparencyLogEntry)) signer.Signature {
		return edited(func(m *protobundle.VerificationMaterial) { edit(m.TlogEntries[0]) })
	}
	policy := func(edit func(*attest.IdentityOptions)) attest.Policy {
		o := attest.IdentityOptions{Issuer: issuer, Subject: subject, TrustedRoot: s.trustedRoot(t)}
		edit(&o)
		return identityPolicy(t, o)
	}
	plain := policy(func(*attest.IdentityOptions) {})
	keyed, err := newKey(t, "p256").Sign(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		policy attest.Policy
		r      signer.Request
		s      signer.Signature
		want   string
	}{
		"other subject":         {plain, r, s.sign(t, r, "eve@example.com", issuer, s.certificateLog, nil), "it was signed by eve@example.com"},
		"other issuer":          {plain, r, s.sign(t, r, subject, "https://evil.example.com", s.certificateLog, nil), "(https://evil.example.com)"},
		"subject by pattern":    {policy(func(o *attest.IdentityOptions) { o.Subject, o.SubjectRegExp = "", "^other@" }), r, good, "it was signed by " + subject},
		"issuer by pattern":     {policy(func(o *attest.IdentityOptions) { o.Issuer, o.IssuerRegExp = "", "^http://" }), r, good, "it was signed by " + subject},
		"other trusted root":    {policy(func(o *attest.IdentityOptions) { o.TrustedRoot = other.trustedRoot(t) }), r, good, "log inclusion"},
		"other authority":       {plain, r, other.sign(t, r, subject, issuer, s.certificateLog, nil), "not signed by"},
		"no SCT":                {plain, r, s.sign(t, r, subject, issuer, nil, nil), "signed certificate timestamp"},
		"SCT by another log":    {plain, r, s.sign(t, r, subject, issuer, other.certificateLog, nil), "signed certificate timestamp"},
		"no log entry":          {plain, r, edited(func(m *protobundle.VerificationMaterial) { m.TlogEntries = nil }), "log"},
		"no promise of the log": {plain, r, entry(func(e *protorekor.TransparencyLogEntry) { e.InclusionPromise = nil }), "integrated timestamps"},
		"another time":          {plain, r, entry(func(e *protorekor.TransparencyLogEntry) { e.IntegratedTime++ }), "log inclusion"},
		"time left out":         {plain, r, entry(func(e *protorekor.TransparencyLogEntry) { e.IntegratedTime = 0 }), "log inclusion"},
		"entry of another":      {plain, r, edited(func(m *protobundle.VerificationMaterial) { m.TlogEntries[0] = entryOf(t, good) }), "log inclusion"},
		"attestation":           {plain, attestation, s.sign(t, attestation, subject, issuer, s.certificateLog, nil), "attestation"},
		"other artifact":        {plain, r, s.sign(t, request(t, artifact.FormatBundle, digestB), subject, issuer, s.certificateLog, nil), "another payload"},
		"by a key":              {plain, r, keyed, "not signed by"},
		"Rekor v2, no SCT":      {plain, r, s.signV2(t, r, nil), "signed certificate timestamp"},
		"Rekor v2, no timestamp": {plain, r, s.signV2(t, r, func(b *protobundle.Bundle) {
			b.VerificationMaterial.TimestampVerificationData = nil
		}), "verify timestamps"},
		"Rekor v2, nobody's timestamp": {policy(func(o *attest.IdentityOptions) { o.TrustedRoot = s.trustedRoot(t, "stampers") }), r, s.signV2(t, r, nil), "verify timestamps"},
		"by an identity, for a key":    {policyOf(t, newKey(t, "p256")), r, good, "expected key signature"},
	} {
		if _, err := c.policy.Accept(c.r, c.s); !errors.Is(err, attest.ErrRejected) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want ErrRejected with %q", name, err, c.want)
		}
	}
	if _, err := plain.Accept(r, good); err != nil {
		t.Errorf("the good answer: %v", err)
	}
	legacy := artifact.Signature{Format: artifact.FormatLegacy, Content: request(t, artifact.FormatLegacy, digestA).Payload, Value: []byte("x")}
	if v := plain.Judge(digestA, []artifact.Signature{legacy}, []artifact.Format{artifact.FormatLegacy}); v.Good() || !strings.Contains(strings.Join(v.Reasons, " "), "certificate") {
		t.Errorf("legacy: %+v", v)
	}
}

// The certificate lives ten minutes: it was valid when the entry was logged, but is not when it is stamped.
func TestTimestampMustAgreeWithTheLog(t *testing.T) {
	s := newSigstore(t)
	s.issued, s.logged = 11*time.Minute, 90*time.Second
	r := request(t, artifact.FormatBundle, digestA)
	late := s.sign(t, r, subject, issuer, s.certificateLog, nil)
	unstamped := s.sign(t, r, subject, issuer, s.certificateLog, func(b *protobundle.Bundle) { b.VerificationMaterial.TimestampVerificationData = nil })
	p := identityPolicy(t, attest.IdentityOptions{Issuer: issuer, Subject: subject, TrustedRoot: s.trustedRoot(t)})
	if _, err := p.Accept(r, late); !errors.Is(err, attest.ErrRejected) || !strings.Contains(err.Error(), "leaf certificate") {
		t.Errorf("stamped after the certificate ended: %v", err)
	}
	if _, err := p.Accept(r, unstamped); err != nil {
		t.Errorf("not stamped: %v", err)
	}
	stranger := identityPolicy(t, attest.IdentityOptions{Issuer: issuer, Subject: subject, TrustedRoot: s.trustedRoot(t, "stampers")})
	if _, err := stranger.Accept(r, late); err != nil {
		t.Errorf("stamped by nobody who is known: %v", err)
	}
}

// entryOf is the log entry of another answer.
func entryOf(t testing.TB, s signer.Signature) *protorekor.TransparencyLogEntry {
	t.Helper()
	var b protobundle.Bundle
	if err := protojson.Unmarshal(s.Content, &b); err != nil {
		t.Fatal(err)
	}
	return b.VerificationMaterial.TlogEntries[0]
}

func TestIdentityPolicyRefuses(t *testing.T) {
	s := newSigstore(t)
	whole := s.trustedRoot(t)
	for name, c := range map[string]struct {
		options attest.IdentityOptions
		want    string
	}{
		"nothing":                   {attest.IdentityOptions{}, "one issuer and one subject"},
		"no issuer":                 {attest.IdentityOptions{Subject: subject, TrustedRoot: whole}, "one issuer and one subject"},
		"no subject":                {attest.IdentityOptions{Issuer: issuer, TrustedRoot: whole}, "one issuer and one subject"},
		"two issuers":               {attest.IdentityOptions{Issuer: issuer, IssuerRegExp: ".*", Subject: subject, TrustedRoot: whole}, "one issuer and one subject"},
		"two subjects":              {attest.IdentityOptions{Issuer: issuer, Subject: subject, SubjectRegExp: ".*", TrustedRoot: whole}, "one issuer and one subject"},
		"bad pattern":               {attest.IdentityOptions{Issuer: issuer, SubjectRegExp: "(", TrustedRoot: whole}, "missing closing )"},
		"no trusted root":           {attest.IdentityOptions{Issuer: issuer, Subject: subject}, "no Sigstore trusted root"},
		"rubbish for a root":        {attest.IdentityOptions{Issuer: issuer, Subject: subject, TrustedRoot: []byte("{}")}, "no Sigstore trusted root"},
		"root without authorities":  {attest.IdentityOptions{Issuer: issuer, Subject: subject, TrustedRoot: s.trustedRoot(t, "authorities")}, "no certificate authority"},
		"root without certificates": {attest.IdentityOptions{Issuer: issuer, Subject: subject, TrustedRoot: s.trustedRoot(t, "certificate logs")}, "no certificate transparency log"},
		"root without logs":         {attest.IdentityOptions{Issuer: issuer, Subject: subject, TrustedRoot: s.trustedRoot(t, "logs")}, "no transparency log"},
	} {
		if _, err := attest.IdentityPolicy(c.options); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
}
