package attest_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"strings"
	"testing"
	"time"

	ct "github.com/google/certificate-transparency-go"
	"github.com/google/certificate-transparency-go/tls"
	ctx509 "github.com/google/certificate-transparency-go/x509"
	"github.com/secure-systems-lab/go-securesystemslib/dsse"
	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	protocommon "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	protodsse "github.com/sigstore/protobuf-specs/gen/pb-go/dsse"
	protorekor "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/testing/ca"
	"github.com/sigstore/sigstore-go/pkg/tlog"
	"github.com/sigstore/sigstore-go/pkg/verify"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/artifactctl/artifactctl/internal/artifact"
	"github.com/artifactctl/artifactctl/internal/attest"
	"github.com/artifactctl/artifactctl/plugins/signer"
)

const (
	subject = "ci@example.com"
	issuer  = "https://issuer.example.com"
)

// sigstore is sigstore-go's own, in memory, with a certificate authority and a certificate log of the test's own: its
// certificates have no SCT.
type sigstore struct {
	*ca.VirtualSigstore
	root, intermediate *x509.Certificate
	intermediateKey    crypto.Signer
	certificateLog     *ecdsa.PrivateKey
	issued, logged     time.Duration // how long ago its certificates and log entries are made; timestamps are made now
}

func newSigstore(t testing.TB) *sigstore {
	t.Helper()
	virtual, err := ca.NewVirtualSigstore()
	if err != nil {
		t.Fatal(err)
	}
	root, rootKey, err := ca.GenerateRootCa()
	if err != nil {
		t.Fatal(err)
	}
	intermediate, intermediateKey, err := ca.GenerateFulcioIntermediate(root, rootKey)
	if err != nil {
		t.Fatal(err)
	}
	return &sigstore{virtual, root, intermediate, intermediateKey, newECDSA(t), time.Minute, 0}
}

func newECDSA(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// trustedRoot is what verifies this Sigstore; parts can be left out by name.
func (s *sigstore) trustedRoot(t testing.TB, without ...string) []byte {
	t.Helper()
	since := time.Now().Add(-time.Hour)
	authorities := append(s.FulcioCertificateAuthorities(), &root.FulcioCertificateAuthority{
		Root: s.root, Intermediates: []*x509.Certificate{s.intermediate}, ValidityPeriodStart: since, URI: "https://fulcio.example.com",
	})
	id := s.certificateLogID(t)
	certificateLogs := map[string]*root.TransparencyLog{hex.EncodeToString(id): {
		BaseURL: "https://ct.example.com", ID: id, ValidityPeriodStart: since, HashFunc: crypto.SHA256, PublicKey: s.certificateLog.Public(), SignatureHashFunc: crypto.SHA256,
	}}
	logs, stampers := s.RekorLogs(), s.TimestampingAuthorities()
	for id, log := range logs {
		log.ID, _ = hex.DecodeString(id)
	}
	for _, part := range without {
		switch part {
		case "authorities":
			authorities = nil
		case "certificate logs":
			certificateLogs = nil
		case "logs":
			logs = nil
		case "stampers":
			stampers = nil
		default:
			t.Fatalf("no part %q", part)
		}
	}
	trusted, err := root.NewTrustedRoot(root.TrustedRootMediaType01, authorities, certificateLogs, stampers, logs)
	if err != nil {
		t.Fatal(err)
	}
	text, err := trusted.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func (s *sigstore) certificateLogID(t testing.TB) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(s.certificateLog.Public())
	if err != nil {
		t.Fatal(err)
	}
	id := sha256.Sum256(der)
	return id[:]
}

// certify issues a certificate with an embedded SCT by the log key.
func (s *sigstore) certify(t testing.TB, k crypto.Signer, subject, issuer string, log *ecdsa.PrivateKey) *x509.Certificate {
	t.Helper()
	leaf, err := ca.GenerateLeafCert(subject, issuer, time.Now().Add(-s.issued), k, s.intermediate, s.intermediateKey.(*ecdsa.PrivateKey))
	if err != nil {
		t.Fatal(err)
	}
	if log == nil {
		return leaf
	}
	leaf.ExtraExtensions = append(leaf.Extensions, pkix.Extension{
		Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 11129, 2, 4, 2}, Value: s.promise(t, leaf, log),
	})
	der, err := x509.CreateCertificate(rand.Reader, leaf, s.intermediate, k.Public(), s.intermediateKey)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return certificate
}

// promise is the extension with the SCT for a certificate that has none yet (RFC 6962, section 3.3).
func (s *sigstore) promise(t testing.TB, leaf *x509.Certificate, log *ecdsa.PrivateKey) []byte {
	t.Helper()
	now := uint64(time.Now().UnixMilli())
	sct := ct.SignedCertificateTimestamp{SCTVersion: ct.V1, Timestamp: now}
	copy(sct.LogID.KeyID[:], s.certificateLogID(t))
	input, err := ct.SerializeSCTSignatureInput(sct, ct.LogEntry{Leaf: ct.MerkleTreeLeaf{LeafType: ct.TimestampedEntryLeafType, TimestampedEntry: &ct.TimestampedEntry{
		Timestamp: now, EntryType: ct.PrecertLogEntryType,
		PrecertEntry: &ct.PreCert{IssuerKeyHash: sha256.Sum256(s.intermediate.RawSubjectPublicKeyInfo), TBSCertificate: leaf.RawTBSCertificate},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	signed, err := tls.CreateSignature(*log, tls.SHA256, input)
	if err != nil {
		t.Fatal(err)
	}
	sct.Signature = ct.DigitallySigned(signed)
	one, err := tls.Marshal(sct)
	if err != nil {
		t.Fatal(err)
	}
	list, err := tls.Marshal(ctx509.SignedCertificateTimestampList{SCTList: []ctx509.SerializedSCT{{Val: one}}})
	if err != nil {
		t.Fatal(err)
	}
	value, err := asn1.Marshal(list)
	if err != nil {
		t.Fatal(err)
	}
	return value
}

// sign answers r with a bundle as Rekor v1 and a timestamp authority make it, changed by edit.
func (s *sigstore) sign(t testing.TB, r signer.Request, subject, issuer string, log *ecdsa.PrivateKey, edit func(*protobundle.Bundle)) signer.Signature {
	t.Helper()
	k := newECDSA(t)
	leaf := s.certify(t, k, subject, issuer, log)
	digest := sha256.Sum256(signer.PAE(r.PayloadType, r.Payload))
	sig, err := ecdsa.SignASN1(rand.Reader, k, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	envelope := &dsse.Envelope{PayloadType: r.PayloadType, Payload: base64.StdEncoding.EncodeToString(r.Payload), Signatures: []dsse.Signature{{Sig: base64.StdEncoding.EncodeToString(sig)}}}
	entry, err := s.GenerateTlogEntry(leaf, envelope, sig, time.Now().Add(-s.logged).Unix(), true)
	if err != nil {
		t.Fatal(err)
	}
	stamp, err := s.TimestampResponse(sig)
	if err != nil {
		t.Fatal(err)
	}
	logged := entry.TransparencyLogEntry()
	logged.KindVersion = &protorekor.KindVersion{Kind: "dsse", Version: "0.0.1"}
	promise, err := s.RekorSignPayload(tlog.RekorPayload{
		Body: base64.StdEncoding.EncodeToString(logged.CanonicalizedBody), IntegratedTime: logged.IntegratedTime,
		LogIndex: logged.LogIndex, LogID: hex.EncodeToString(logged.LogId.KeyId),
	})
	if err != nil {
		t.Fatal(err)
	}
	logged.InclusionPromise = &protorekor.InclusionPromise{SignedEntryTimestamp: promise}
	return bundleWith(t, r, leaf, sig, logged, stamp, edit)
}

// signV2 answers r as Rekor v2 does, without a time in the entry; its certificate has no SCT.
func (s *sigstore) signV2(t testing.TB, r signer.Request, edit func(*protobundle.Bundle)) signer.Signature {
	t.Helper()
	entity, err := s.AttestAtTimeHashedRekordV2(subject, issuer, r.Payload, time.Unix(0, 0))
	if err != nil {
		t.Fatal(err)
	}
	content, err := entity.VerificationContent()
	if err != nil {
		t.Fatal(err)
	}
	signature, err := entity.SignatureContent()
	if err != nil {
		t.Fatal(err)
	}
	entries, err := entity.TlogEntries()
	if err != nil {
		t.Fatal(err)
	}
	stamps, err := verify.SignedEntity(entity).Timestamps()
	if err != nil {
		t.Fatal(err)
	}
	return bundleWith(t, r, content.Certificate(), signature.Signature(), entries[0].TransparencyLogEntry(), stamps[0], edit)
}

func bundleWith(t testing.TB, r signer.Request, leaf *x509.Certificate, sig []byte, entry *protorekor.TransparencyLogEntry, stamp []byte, edit func(*protobundle.Bundle)) signer.Signature {
	t.Helper()
	b := &protobundle.Bundle{
		MediaType: signer.BundleMediaType,
		Content: &protobundle.Bundle_DsseEnvelope{DsseEnvelope: &protodsse.Envelope{
			Payload: r.Payload, PayloadType: r.PayloadType, Signatures: []*protodsse.Signature{{Sig: sig}},
		}},
		VerificationMaterial: &protobundle.VerificationMaterial{
			Content:                   &protobundle.VerificationMaterial_Certificate{Certificate: &protocommon.X509Certificate{RawBytes: leaf.Raw}},
			TlogEntries:               []*protorekor.TransparencyLogEntry{entry},
			TimestampVerificationData: &protobundle.TimestampVerificationData{Rfc3161Timestamps: []*protocommon.RFC3161SignedTimestamp{{SignedTimestamp: stamp}}},
		},
	}
	if edit != nil {
		edit(b)
	}
	content, err := protojson.Marshal(b)
	if err != nil {
		t.Fatal(err)
	}
	return signer.Signature{MediaType: signer.BundleMediaType, Content: content}
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
