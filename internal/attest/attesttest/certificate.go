package attesttest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"time"

	ct "github.com/google/certificate-transparency-go"
	"github.com/google/certificate-transparency-go/tls"
	ctx509 "github.com/google/certificate-transparency-go/x509"
	"github.com/sigstore/sigstore-go/pkg/testing/ca"
)

// Certify issues a certificate for a key, with an embedded SCT by the log of o if that has one.
func (s *Sigstore) Certify(key crypto.Signer, o SignOptions) (*x509.Certificate, error) {
	leaf, err := ca.GenerateLeafCert(o.Subject, o.Issuer, time.Now().Add(-o.Issued), key, s.intermediate, s.intermediateKey)
	if err != nil || o.Log == nil {
		return leaf, err
	}
	promise, err := s.promise(leaf, o.Log.certificateLog)
	if err != nil {
		return nil, err
	}
	leaf.ExtraExtensions = append(leaf.Extensions, pkix.Extension{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 11129, 2, 4, 2}, Value: promise})
	der, err := x509.CreateCertificate(rand.Reader, leaf, s.intermediate, key.Public(), s.intermediateKey)
	if err != nil {
		return nil, fmt.Errorf("issue a certificate: %w", err)
	}
	return x509.ParseCertificate(der)
}

// certificateLogID names the log (RFC 6962, section 3.2).
func (s *Sigstore) certificateLogID() ([]byte, error) {
	der, err := x509.MarshalPKIXPublicKey(s.certificateLog.Public())
	if err != nil {
		return nil, fmt.Errorf("name the certificate log: %w", err)
	}
	id := sha256.Sum256(der)
	return id[:], nil
}

// promise is the extension with the SCT for a certificate that has none yet (RFC 6962, section 3.3). It names this
// Sigstore's log, whoever signs it.
func (s *Sigstore) promise(leaf *x509.Certificate, log *ecdsa.PrivateKey) ([]byte, error) {
	id, err := s.certificateLogID()
	if err != nil {
		return nil, err
	}
	now := uint64(time.Now().UnixMilli())
	sct := ct.SignedCertificateTimestamp{SCTVersion: ct.V1, Timestamp: now}
	copy(sct.LogID.KeyID[:], id)
	input, err := ct.SerializeSCTSignatureInput(sct, ct.LogEntry{Leaf: ct.MerkleTreeLeaf{LeafType: ct.TimestampedEntryLeafType, TimestampedEntry: &ct.TimestampedEntry{
		Timestamp: now, EntryType: ct.PrecertLogEntryType,
		PrecertEntry: &ct.PreCert{IssuerKeyHash: sha256.Sum256(s.intermediate.RawSubjectPublicKeyInfo), TBSCertificate: leaf.RawTBSCertificate},
	}}})
	if err != nil {
		return nil, fmt.Errorf("promise to log a certificate: %w", err)
	}
	signed, err := tls.CreateSignature(*log, tls.SHA256, input)
	if err != nil {
		return nil, fmt.Errorf("promise to log a certificate: %w", err)
	}
	sct.Signature = ct.DigitallySigned(signed)
	one, err := tls.Marshal(sct)
	if err != nil {
		return nil, fmt.Errorf("encode an SCT: %w", err)
	}
	list, err := tls.Marshal(ctx509.SignedCertificateTimestampList{SCTList: []ctx509.SerializedSCT{{Val: one}}})
	if err != nil {
		return nil, fmt.Errorf("encode an SCT: %w", err)
	}
	return asn1.Marshal(list)
}
