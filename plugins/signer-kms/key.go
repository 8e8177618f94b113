package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	_ "crypto/sha256" // crypto.Hash.New needs them
	_ "crypto/sha512"
	"fmt"

	"github.com/artifactctl/artifactctl/plugins/signer"
)

// hashFor is what Flux and `cosign verify` hash with before they check a signature of this key: always SHA-256, and
// nothing for Ed25519, which is pure.
func hashFor(public crypto.PublicKey) crypto.Hash {
	if _, pure := public.(ed25519.PublicKey); pure {
		return 0
	}
	return crypto.SHA256
}

// verify checks a signature over input as Flux will.
func verify(public crypto.PublicKey, input, sig []byte) bool {
	switch key := public.(type) {
	case *ecdsa.PublicKey:
		return ecdsa.VerifyASN1(key, sum(crypto.SHA256, input), sig)
	case *rsa.PublicKey:
		return rsa.VerifyPKCS1v15(key, crypto.SHA256, sum(crypto.SHA256, input), sig) == nil
	case ed25519.PublicKey:
		return ed25519.Verify(key, input, sig)
	}
	return false
}

// recognize names the scheme of a signature over input that verify does not accept; empty when it is none that is known,
// or of another key.
func recognize(public crypto.PublicKey, input, sig []byte) string {
	for _, hash := range []crypto.Hash{crypto.SHA256, crypto.SHA384, crypto.SHA512} {
		digest := sum(hash, input)
		switch key := public.(type) {
		case *ecdsa.PublicKey:
			if ecdsa.VerifyASN1(key, digest, sig) {
				return fmt.Sprintf("ECDSA with %s", hash)
			}
		case *rsa.PublicKey:
			if rsa.VerifyPKCS1v15(key, hash, digest, sig) == nil {
				return fmt.Sprintf("RSA PKCS #1 v1.5 with %s", hash)
			}
			if rsa.VerifyPSS(key, hash, digest, sig, nil) == nil {
				return fmt.Sprintf("RSA-PSS with %s", hash)
			}
		case ed25519.PublicKey:
			if ed25519.Verify(key, digest, sig) {
				return fmt.Sprintf("Ed25519 over a digest by %s", hash)
			}
			if hash == crypto.SHA512 && ed25519.VerifyWithOptions(key, digest, sig, &ed25519.Options{Hash: hash}) == nil {
				return "Ed25519ph"
			}
		}
	}
	return ""
}

func sum(hash crypto.Hash, input []byte) []byte {
	h := hash.New()
	_, _ = h.Write(input) // a hash takes everything
	return h.Sum(nil)
}

// checkKind refuses a key whose signatures Flux would never accept. prescribed is the hash that the service takes for it.
func checkKind(p provider, public crypto.PublicKey, prescribed crypto.Hash) error {
	algorithm, err := signer.Algorithm(public)
	if err != nil {
		return signer.WithHint(err, p.keys)
	}
	if _, pure := public.(ed25519.PublicKey); pure {
		if p.ed25519 {
			return nil
		}
		return signer.Invalidf(p.keys, "it is an Ed25519 key, with which sigstore's driver of this service cannot sign")
	}
	if prescribed == 0 {
		return signer.Invalidf(p.keys, "the service names no algorithm for it by which sigstore's driver can sign")
	}
	if prescribed != crypto.SHA256 {
		return signer.Invalidf(p.keys, "it would sign over %s (%s), but Flux and cosign verify with SHA-256", prescribed, family(algorithm, public))
	}
	return nil
}

func family(algorithm string, public crypto.PublicKey) string {
	switch key := public.(type) {
	case *ecdsa.PublicKey:
		return "ECDSA " + key.Params().Name
	case *rsa.PublicKey:
		return fmt.Sprintf("RSA %d", key.N.BitLen())
	}
	return algorithm
}
