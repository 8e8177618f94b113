package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/artifactctl/artifactctl/plugins/signer"
)

// signingKey is one version of a transit key.
type signingKey struct {
	public  crypto.PublicKey
	version int
	hashed  bool // the server gets the SHA-256 of what is signed; otherwise all of it (Ed25519 is pure)
}

// keyAnswer is what the server says about a key. See "Read key" in the documentation of the transit engine's API.
type keyAnswer struct {
	Type                 string                     `json:"type"`
	LatestVersion        int                        `json:"latest_version"`
	MinEncryptionVersion int                        `json:"min_encryption_version"` // the least version that may sign
	SupportsSigning      bool                       `json:"supports_signing"`
	Derived              bool                       `json:"derived"`
	SoftDeleted          bool                       `json:"soft_deleted"`
	Keys                 map[string]versionedAnswer `json:"keys"`
}

// versionedAnswer is a version of an asymmetric key; for others the server gives just a number.
type versionedAnswer struct {
	PublicKey string `json:"public_key"`
}

// UnmarshalJSON reads a version; what is no object has no public key.
func (v *versionedAnswer) UnmarshalJSON(text []byte) error {
	type plain versionedAnswer
	if strings.HasPrefix(string(text), "{") {
		return json.Unmarshal(text, (*plain)(v))
	}
	return nil
}

// choose returns the version of the key that signs: wanted, or the latest if that is 0.
func (a keyAnswer) choose(wanted int) (signingKey, error) {
	if err := a.usable(); err != nil {
		return signingKey{}, err
	}
	version := wanted
	if version == 0 {
		version = a.LatestVersion
	}
	found, ok := a.Keys[strconv.Itoa(version)]
	switch {
	case !ok:
		return signingKey{}, signer.Invalidf("leave keyVersion out for the latest", "there is no version %d; the latest is %d", version, a.LatestVersion)
	case version < a.MinEncryptionVersion:
		return signingKey{}, signer.Invalidf("sign with a later version, or lower min_encryption_version", "version %d may not sign: min_encryption_version is %d", version, a.MinEncryptionVersion)
	}
	public, err := parsePublic(found.PublicKey)
	if err != nil {
		return signingKey{}, fmt.Errorf("public key of version %d: %w", version, err)
	}
	if _, err := signer.Algorithm(public); err != nil {
		return signingKey{}, err
	}
	_, pure := public.(ed25519.PublicKey)
	return signingKey{public: public, version: version, hashed: !pure}, nil
}

// usable says why signatures of this key would be worth nothing to Flux.
func (a keyAnswer) usable() error {
	const hint = "make a key of type ecdsa-p256, or another of: ecdsa-p384, ecdsa-p521, rsa-2048, rsa-3072, rsa-4096, ed25519"
	switch a.Type {
	case "ecdsa-p256", "ecdsa-p384", "ecdsa-p521", "rsa-2048", "rsa-3072", "rsa-4096", "ed25519":
	case "ml-dsa", "slh-dsa", "hybrid":
		return signer.Invalidf(hint, "it is of type %s: Flux and cosign verify no post-quantum signatures", a.Type)
	case "managed_key":
		return signer.Invalidf(hint, "it is a managed key: the server does not tell its public key")
	default:
		return signer.Invalidf(hint, "it is of type %q, which Flux cannot verify signatures of", a.Type)
	}
	switch {
	case a.SoftDeleted:
		return signer.Invalidf("restore it, or name another", "it is deleted")
	case !a.SupportsSigning:
		return signer.Invalidf(hint, "the server says that it cannot sign")
	case a.Derived:
		return signer.Invalidf("make a key without derived=true", "it is derived: each context would sign with another key")
	}
	return nil
}

// parsePublic reads PEM, as ECDSA and RSA keys come, or the 32 bytes of an Ed25519 key in base64.
func parsePublic(text string) (crypto.PublicKey, error) {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		raw, err := base64.StdEncoding.DecodeString(strings.TrimSpace(text))
		if err != nil || len(raw) != ed25519.PublicKeySize {
			return nil, errors.New("it is neither PEM nor an Ed25519 key")
		}
		return ed25519.PublicKey(raw), nil
	}
	return x509.ParsePKIXPublicKey(block.Bytes)
}

// message is what the server is to sign for input.
func (k signingKey) message(input []byte) []byte {
	if !k.hashed {
		return input
	}
	digest := sha256.Sum256(input)
	return digest[:]
}

// verify checks a signature over input as Flux will.
func (k signingKey) verify(input, sig []byte) error {
	good := false
	switch public := k.public.(type) {
	case *ecdsa.PublicKey:
		good = ecdsa.VerifyASN1(public, k.message(input), sig)
	case *rsa.PublicKey:
		good = rsa.VerifyPKCS1v15(public, crypto.SHA256, k.message(input), sig) == nil
	case ed25519.PublicKey:
		good = ed25519.Verify(public, input, sig)
	}
	if !good {
		return fmt.Errorf("the server's signature does not verify with version %d of the key, as it was read before", k.version)
	}
	return nil
}
