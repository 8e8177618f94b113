package attest

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"time"

	"github.com/sigstore/sigstore-go/pkg/fulcio/certificate"
	"github.com/sigstore/sigstore-go/pkg/verify"
)

// CheckCertificate says whether signatures with this certificate (PEM, the leaf first) can be good: it is of an authority
// of the trusted root, valid now, logged, and names the trusted identity. A signature brings more that is checked; this
// is what can be known before there is one.
func (p Policy) CheckCertificate(text []byte) error {
	if p.identity == nil {
		return errors.New("a key is trusted, not a certificate")
	}
	block, _ := pem.Decode(text)
	if block == nil || block.Type != "CERTIFICATE" {
		return errors.New("no PEM block of type CERTIFICATE")
	}
	leaf, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return fmt.Errorf("parse the certificate: %w", err)
	}
	chains, err := verify.VerifyLeafCertificate(time.Now(), leaf, p.identity.trusted)
	if err != nil {
		return fmt.Errorf("no authority of the trusted root issued the certificate: %w", err)
	}
	if err := verify.VerifySignedCertificateTimestamp(chains, 1, p.identity.trusted); err != nil {
		return fmt.Errorf("no log of the trusted root promised to log the certificate: %w", err)
	}
	summary, err := certificate.SummarizeCertificate(leaf)
	if err != nil {
		return fmt.Errorf("read the certificate: %w", err)
	}
	if p.identity.identity.Verify(summary) != nil {
		return fmt.Errorf("its certificate is of %s", describeIdentity(summary.SubjectAlternativeName, summary.Issuer))
	}
	return nil
}
