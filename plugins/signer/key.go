package signer

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"fmt"
)

// MinRSABits is the smallest RSA key that Algorithm accepts.
const MinRSABits = 2048

// Algorithm names the algorithm by which a key of this type must sign, as Info.Algorithm shows it, or says as
// ErrInvalid why the key cannot be used. Flux checks key signatures with SHA-256 whatever the size of the key, RSA with
// PKCS #1 v1.5 only, and Ed25519 pure (not Ed25519ph); other signatures would never verify in a cluster.
func Algorithm(publicKey crypto.PublicKey) (string, error) {
	switch k := publicKey.(type) {
	case *ecdsa.PublicKey:
		switch k.Curve {
		case elliptic.P256():
			return "ecdsa-p256-sha256", nil
		case elliptic.P384():
			return "ecdsa-p384-sha256", nil
		case elliptic.P521():
			return "ecdsa-p521-sha256", nil
		}
		return "", fmt.Errorf("%w: curve %s is not supported; use P-256, P-384 or P-521", ErrInvalid, curveName(k))
	case *rsa.PublicKey:
		if bits := k.N.BitLen(); bits < MinRSABits {
			return "", fmt.Errorf("%w: an RSA key of %d bits is too weak; at least %d are needed", ErrInvalid, bits, MinRSABits)
		}
		return fmt.Sprintf("rsa-pkcs1v15-%d-sha256", k.N.BitLen()), nil
	case ed25519.PublicKey:
		return "ed25519", nil
	}
	return "", fmt.Errorf("%w: this type of key is not supported; use ECDSA, RSA or Ed25519", ErrInvalid)
}

func curveName(k *ecdsa.PublicKey) string {
	if k.Curve == nil {
		return "unknown"
	}
	return k.Params().Name
}

// Fingerprint is the identity of a key for people: "sha256:" and the lower-case hex SHA-256 of its PKIX DER form.
func Fingerprint(publicKey crypto.PublicKey) (string, error) {
	sum, err := keySum(publicKey)
	return "sha256:" + hex.EncodeToString(sum), err
}

// KeyHint is what a bundle says about the key that made it: base64 of the SHA-256 of the key's PKIX DER form, as cosign
// writes it.
func KeyHint(publicKey crypto.PublicKey) (string, error) {
	sum, err := keySum(publicKey)
	return base64.StdEncoding.EncodeToString(sum), err
}

// MarshalPublicKey is the PEM form of a key (PKIX, "PUBLIC KEY"), as Info.PublicKey holds it.
func MarshalPublicKey(publicKey crypto.PublicKey) ([]byte, error) {
	der, err := pkix(publicKey)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), nil
}

// KeyInfo is what Open reports of a plain key: identity, algorithm and public key. Name and version are the plugin's own.
func KeyInfo(publicKey crypto.PublicKey) (info Info, err error) {
	if info.Algorithm, err = Algorithm(publicKey); err != nil {
		return info, err
	}
	if info.Identity, err = Fingerprint(publicKey); err != nil {
		return info, err
	}
	info.PublicKey, err = MarshalPublicKey(publicKey)
	return info, err
}

func keySum(publicKey crypto.PublicKey) ([]byte, error) {
	der, err := pkix(publicKey)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(der)
	return sum[:], nil
}

func pkix(publicKey crypto.PublicKey) ([]byte, error) {
	der, err := x509.MarshalPKIXPublicKey(publicKey)
	if err != nil {
		return nil, fmt.Errorf("%w: encode public key: %w", ErrInvalid, err)
	}
	return der, nil
}
