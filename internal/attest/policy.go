package attest

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/verify"
	"github.com/sigstore/sigstore/pkg/signature"

	"github.com/artifactctl/artifactctl/plugins/signer"
)

// Policy says whose signatures are good: those of some keys, or those of an identity. The zero Policy accepts none. It is
// immutable but for what it remembers of batch signatures, and safe for concurrent use.
type Policy struct {
	keys     []trustedKey
	identity *trustedIdentity // nil: keys count
	batches  *memo
}

type trustedKey struct {
	id       string
	public   crypto.PublicKey
	verifier signature.Verifier // over SHA-256 or pure Ed25519: what Flux uses
	bundles  *verify.Verifier
}

// KeyPolicy accepts signatures by any of these public keys (PEM, PKIX). Keys that Flux could not verify with are
// refused: only ECDSA on P-256, P-384 or P-521, RSA of 2048 bits and more, and Ed25519 will do.
func KeyPolicy(pems ...[]byte) (Policy, error) {
	p := Policy{batches: newMemo()}
	for _, text := range pems {
		key, err := parsePublicKey(text)
		if err != nil {
			return Policy{}, err
		}
		t, err := trust(key)
		if err != nil {
			return Policy{}, err
		}
		p.keys = append(p.keys, t)
	}
	if len(p.keys) == 0 {
		return Policy{}, errors.New("no public key to verify signatures with")
	}
	return p, nil
}

// ByIdentity reports whether signatures need a certificate, so that those by a plain key are never accepted.
func (p Policy) ByIdentity() bool { return p.identity != nil }

// Trusts reports whether signatures by this public key (PEM) would be accepted.
func (p Policy) Trusts(publicKey []byte) bool {
	key, err := parsePublicKey(publicKey)
	if err != nil {
		return false
	}
	id, err := signer.Fingerprint(key)
	return err == nil && slices.Contains(p.IDs(), id)
}

// IDs lists the identities that the policy accepts, for people.
func (p Policy) IDs() []string {
	if p.identity != nil {
		return []string{p.identity.name}
	}
	var ids []string
	for _, k := range p.keys {
		ids = append(ids, k.id)
	}
	return ids
}

// parsePublicKey reads one PEM block of type PUBLIC KEY (PKIX).
func parsePublicKey(text []byte) (crypto.PublicKey, error) {
	block, rest := pem.Decode(text)
	if block == nil || block.Type != "PUBLIC KEY" {
		return nil, errors.New("no PEM block of type PUBLIC KEY")
	}
	if len(bytes.TrimSpace(rest)) > 0 {
		return nil, errors.New("more than one PEM block: name one file for each key")
	}
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("parse the public key: %w", err)
	}
	return key, nil
}

func trust(key crypto.PublicKey) (trustedKey, error) {
	if _, err := signer.Algorithm(key); err != nil {
		return trustedKey{}, err
	}
	id, err := signer.Fingerprint(key)
	if err != nil {
		return trustedKey{}, err
	}
	// SHA-256 for every curve, PKCS #1 v1.5 for RSA, pure Ed25519: Flux loads keys exactly so.
	verifier, err := signature.LoadVerifier(key, crypto.SHA256)
	if err != nil {
		return trustedKey{}, fmt.Errorf("load public key %s: %w", id, err)
	}
	// No hint is checked and no time limits the key, as in Flux.
	material := root.NewTrustedPublicKeyMaterial(func(string) (root.TimeConstrainedVerifier, error) {
		return root.NewExpiringKey(verifier, time.Time{}, time.Time{}), nil
	})
	bundles, err := verify.NewVerifier(material, verify.WithNoObserverTimestamps())
	if err != nil {
		return trustedKey{}, fmt.Errorf("make a verifier for %s: %w", id, err)
	}
	return trustedKey{id: id, public: key, verifier: verifier, bundles: bundles}, nil
}
