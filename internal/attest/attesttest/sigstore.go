// Package attesttest is a private Sigstore in memory, for tests: it signs as an identity, with all the evidence that
// verifiers ask for, or with a part of it missing or wrong. It serves nothing and verifies nothing.
package attesttest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"time"

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

	"github.com/artifactctl/artifactctl/plugins/signer"
)

// Sigstore is sigstore-go's own, in memory, with a certificate authority and a certificate log of its own, because
// certificates of sigstore-go's have no SCT. It is not safe for concurrent use.
type Sigstore struct {
	virtual            *ca.VirtualSigstore
	root, intermediate *x509.Certificate
	intermediateKey    *ecdsa.PrivateKey
	certificateLog     *ecdsa.PrivateKey
}

// New makes a Sigstore with new keys.
func New() (*Sigstore, error) {
	virtual, err := ca.NewVirtualSigstore()
	if err != nil {
		return nil, fmt.Errorf("make a Sigstore: %w", err)
	}
	root, rootKey, err := ca.GenerateRootCa()
	if err != nil {
		return nil, fmt.Errorf("make a certificate authority: %w", err)
	}
	intermediate, intermediateKey, err := ca.GenerateFulcioIntermediate(root, rootKey)
	if err != nil {
		return nil, fmt.Errorf("make a certificate authority: %w", err)
	}
	log, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make a certificate log: %w", err)
	}
	return &Sigstore{virtual: virtual, root: root, intermediate: intermediate, intermediateKey: intermediateKey, certificateLog: log}, nil
}

// Part is a part of a trusted root that can be left out.
type Part string

// The parts.
const (
	Authorities     Part = "authorities"
	CertificateLogs Part = "certificate logs"
	Logs            Part = "logs"
	Stampers        Part = "stampers"
)

// TrustedRoot is the JSON of what verifies this Sigstore, without some parts.
func (s *Sigstore) TrustedRoot(without ...Part) ([]byte, error) {
	since := time.Now().Add(-time.Hour)
	authorities := append(s.virtual.FulcioCertificateAuthorities(), &root.FulcioCertificateAuthority{
		Root: s.root, Intermediates: []*x509.Certificate{s.intermediate}, ValidityPeriodStart: since, URI: "https://fulcio.example.com",
	})
	id, err := s.certificateLogID()
	if err != nil {
		return nil, err
	}
	certificateLogs := map[string]*root.TransparencyLog{hex.EncodeToString(id): {
		BaseURL: "https://ct.example.com", ID: id, ValidityPeriodStart: since, HashFunc: crypto.SHA256, PublicKey: s.certificateLog.Public(), SignatureHashFunc: crypto.SHA256,
	}}
	logs, stampers := s.virtual.RekorLogs(), s.virtual.TimestampingAuthorities()
	for id, log := range logs {
		if log.ID, err = hex.DecodeString(id); err != nil {
			return nil, fmt.Errorf("name a log: %w", err)
		}
	}
	for _, part := range without {
		switch part {
		case Authorities:
			authorities = nil
		case CertificateLogs:
			certificateLogs = nil
		case Logs:
			logs = nil
		case Stampers:
			stampers = nil
		default:
			return nil, fmt.Errorf("a trusted root has no part %q", part)
		}
	}
	trusted, err := root.NewTrustedRoot(root.TrustedRootMediaType01, authorities, certificateLogs, stampers, logs)
	if err != nil {
		return nil, fmt.Errorf("make a trusted root: %w", err)
	}
	return trusted.MarshalJSON()
}

// SignOptions say who signs, and with what evidence.
type SignOptions struct {
	Subject, Issuer string
	// Log is the Sigstore whose certificate log promises to log the certificate; nil for none.
	Log *Sigstore
	// Issued and Logged are how long ago the certificate, which is valid for ten minutes, and the log entry are made. The
	// timestamp is made now.
	Issued, Logged time.Duration
	// Edit changes the bundle, if given.
	Edit func(*protobundle.Bundle)
}

// Sign answers r with a bundle as Rekor v1 and a timestamp authority make it.
func (s *Sigstore) Sign(r signer.Request, o SignOptions) (signer.Signature, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return signer.Signature{}, fmt.Errorf("make a key: %w", err)
	}
	leaf, err := s.Certify(key, o)
	if err != nil {
		return signer.Signature{}, err
	}
	digest := sha256.Sum256(signer.PAE(r.PayloadType, r.Payload))
	sig, err := ecdsa.SignASN1(rand.Reader, key, digest[:])
	if err != nil {
		return signer.Signature{}, fmt.Errorf("sign: %w", err)
	}
	envelope := &dsse.Envelope{PayloadType: r.PayloadType, Payload: base64.StdEncoding.EncodeToString(r.Payload), Signatures: []dsse.Signature{{Sig: base64.StdEncoding.EncodeToString(sig)}}}
	entry, err := s.virtual.GenerateTlogEntry(leaf, envelope, sig, time.Now().Add(-o.Logged).Unix(), true)
	if err != nil {
		return signer.Signature{}, fmt.Errorf("log: %w", err)
	}
	stamp, err := s.virtual.TimestampResponse(sig)
	if err != nil {
		return signer.Signature{}, fmt.Errorf("stamp: %w", err)
	}
	logged := entry.TransparencyLogEntry()
	logged.KindVersion = &protorekor.KindVersion{Kind: "dsse", Version: "0.0.1"}
	promise, err := s.virtual.RekorSignPayload(tlog.RekorPayload{
		Body: base64.StdEncoding.EncodeToString(logged.CanonicalizedBody), IntegratedTime: logged.IntegratedTime,
		LogIndex: logged.LogIndex, LogID: hex.EncodeToString(logged.LogId.KeyId),
	})
	if err != nil {
		return signer.Signature{}, fmt.Errorf("promise to log: %w", err)
	}
	logged.InclusionPromise = &protorekor.InclusionPromise{SignedEntryTimestamp: promise}
	return bundleOf(r, leaf, sig, logged, stamp, o.Edit)
}

// SignV2 answers r as Rekor v2 does, without a time in the entry. The certificate has no SCT whatever the options say,
// and was issued in 1970, as was the entry.
func (s *Sigstore) SignV2(r signer.Request, o SignOptions) (signer.Signature, error) {
	entity, err := s.virtual.AttestAtTimeHashedRekordV2(o.Subject, o.Issuer, r.Payload, time.Unix(0, 0))
	if err != nil {
		return signer.Signature{}, fmt.Errorf("sign: %w", err)
	}
	content, err := entity.VerificationContent()
	if err != nil {
		return signer.Signature{}, err
	}
	signature, err := entity.SignatureContent()
	if err != nil {
		return signer.Signature{}, err
	}
	entries, err := entity.TlogEntries()
	if err != nil {
		return signer.Signature{}, err
	}
	stamps, err := verify.SignedEntity(entity).Timestamps()
	if err != nil {
		return signer.Signature{}, err
	}
	return bundleOf(r, content.Certificate(), signature.Signature(), entries[0].TransparencyLogEntry(), stamps[0], o.Edit)
}

func bundleOf(r signer.Request, leaf *x509.Certificate, sig []byte, entry *protorekor.TransparencyLogEntry, stamp []byte, edit func(*protobundle.Bundle)) (signer.Signature, error) {
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
		return signer.Signature{}, fmt.Errorf("encode a bundle: %w", err)
	}
	return signer.Signature{MediaType: signer.BundleMediaType, Content: content}, nil
}
