// Package stack runs a whole private Sigstore on loopback for a test: an identity provider, a certificate log, the real
// Fulcio, the real timestamp authority and the real Rekor. It signs nothing and judges nothing.
package stack

import (
	"context"
	"crypto"
	"encoding/hex"
	"fmt"
	"testing"
	"time"

	prototrustroot "github.com/sigstore/protobuf-specs/gen/pb-go/trustroot/v1"
	"github.com/sigstore/sigstore-go/pkg/root"
)

// Stack is a running Sigstore. All of it is safe for concurrent use. Stacks share nothing but the timestamp authority.
type Stack struct {
	Issuer *Issuer

	// FulcioURL, RekorURL and TimestampURL are where signers find the services. Rekor speaks version 2.
	FulcioURL, RekorURL, TimestampURL string
	// UnloggedURL is a Fulcio of the same authority whose certificates are in no log (no SCT).
	UnloggedURL string

	log    *certificateLog
	fulcio *fulcio
	tsa    *timestampAuthority
	rekor  *rekor
}

// Start starts a Sigstore for the time of a test. Its certificate authority and its logs
// are nobody else's.
func Start(t testing.TB) *Stack {
	t.Helper()
	s, err := start(t.Context(), t.TempDir(), t.Cleanup)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Run is Start for a caller that has no test at hand: it keeps its files in dir, and calls atEnd with what ends it.
func Run(ctx context.Context, dir string, atEnd func(func())) (*Stack, error) {
	return start(ctx, dir, atEnd)
}

func start(ctx context.Context, dir string, atEnd func(func())) (*Stack, error) {
	s := &Stack{}
	var err error
	if s.Issuer, err = newIssuer(); err != nil {
		return nil, err
	}
	atEnd(s.Issuer.server.Close)
	if s.log, err = newCertificateLog(); err != nil {
		return nil, err
	}
	atEnd(s.log.server.Close)
	if s.fulcio, err = newFulcio(ctx, s.Issuer.URL, s.log); err != nil {
		return nil, err
	}
	atEnd(s.fulcio.server.Close)
	atEnd(s.fulcio.unlogged.Close)
	if s.tsa, err = sharedTimestampAuthority(); err != nil {
		return nil, err
	}
	if s.rekor, err = newRekor(ctx, dir); err != nil {
		return nil, err
	}
	atEnd(s.rekor.close)
	s.UnloggedURL = s.fulcio.unlogged.URL
	s.FulcioURL, s.RekorURL, s.TimestampURL = s.fulcio.server.URL, s.rekor.url, s.tsa.url
	return s, nil
}

// Certificates is how many certificates Fulcio has been asked for.
func (s *Stack) Certificates() int { return int(s.fulcio.requests.Load()) }

// Entries is how many entries Rekor has, as its last checkpoint tells. A new entry is answered when it is in one.
func (s *Stack) Entries(t testing.TB) int {
	t.Helper()
	n, err := s.rekor.entries()
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TrustedRoot is the JSON of the trusted root that verifies what this Sigstore signed.
func (s *Stack) TrustedRoot(t testing.TB) []byte {
	t.Helper()
	return must(t)(s.EncodeTrustedRoot())
}

// EncodeTrustedRoot is TrustedRoot for a caller that has no test at hand.
func (s *Stack) EncodeTrustedRoot() ([]byte, error) {
	since := time.Now().Add(-time.Hour)
	ca, tsa := s.fulcio.chain, s.tsa.chain
	trusted, err := root.NewTrustedRoot(root.TrustedRootMediaType01,
		[]root.CertificateAuthority{&root.FulcioCertificateAuthority{
			Root: ca[len(ca)-1], Intermediates: ca[:len(ca)-1], ValidityPeriodStart: since, URI: s.FulcioURL,
		}},
		logOf(s.log.server.URL, s.log.id[:], &s.log.key.PublicKey, crypto.SHA256, since),
		[]root.TimestampingAuthority{&root.SigstoreTimestampingAuthority{
			Root: tsa[len(tsa)-1], Intermediates: tsa[1 : len(tsa)-1], Leaf: tsa[0], ValidityPeriodStart: since, URI: s.TimestampURL,
		}},
		logOf(s.RekorURL, s.rekor.id, s.rekor.key, crypto.SHA512, since))
	if err != nil {
		return nil, fmt.Errorf("make the trusted root: %w", err)
	}
	return trusted.MarshalJSON()
}

func logOf(url string, id []byte, key crypto.PublicKey, hash crypto.Hash, since time.Time) map[string]*root.TransparencyLog {
	return map[string]*root.TransparencyLog{hex.EncodeToString(id): {
		BaseURL: url, ID: id, PublicKey: key, HashFunc: crypto.SHA256, SignatureHashFunc: hash, ValidityPeriodStart: since,
	}}
}

// SigningConfig is the JSON of the signing config that names the services.
func (s *Stack) SigningConfig(t testing.TB) []byte {
	t.Helper()
	service := func(url string, version uint32) []root.Service {
		return []root.Service{{URL: url, MajorAPIVersion: version, ValidityPeriodStart: time.Now().Add(-time.Hour), Operator: "test"}}
	}
	one := root.ServiceConfiguration{Selector: prototrustroot.ServiceSelector_ANY}
	config, err := root.NewSigningConfig(root.SigningConfigMediaType02, service(s.FulcioURL, 1), service(s.Issuer.URL, 1),
		service(s.RekorURL, 2), one, service(s.TimestampURL, 1), one)
	if err != nil {
		t.Fatal(err)
	}
	return marshal(t, config)
}

func marshal(t testing.TB, document interface{ MarshalJSON() ([]byte, error) }) []byte {
	t.Helper()
	return must(t)(document.MarshalJSON())
}

func must(t testing.TB) func([]byte, error) []byte {
	return func(text []byte, err error) []byte {
		t.Helper()
		if err != nil {
			t.Fatal(fmt.Errorf("encode: %w", err))
		}
		return text
	}
}
