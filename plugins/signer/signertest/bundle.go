package signertest

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"testing"

	"github.com/artifactctl/artifactctl/plugins/signer"
)

// answer is the part of a bundle that the suite reads. It is written down anew here, so that a mistake in package
// signer's own types is found.
type answer struct {
	MediaType            string `json:"mediaType"`
	VerificationMaterial struct {
		PublicKey *struct {
			Hint string `json:"hint"`
		} `json:"publicKey"`
		Certificate json.RawMessage `json:"certificate"`
	} `json:"verificationMaterial"`
	DSSEEnvelope *struct {
		Payload     []byte `json:"payload"`
		PayloadType string `json:"payloadType"`
		Signatures  []struct {
			Sig []byte `json:"sig"`
		} `json:"signatures"`
	} `json:"dsseEnvelope"`
	MessageSignature *struct {
		MessageDigest struct {
			Algorithm string `json:"algorithm"`
			Digest    []byte `json:"digest"`
		} `json:"messageDigest"`
		Signature []byte `json:"signature"`
	} `json:"messageSignature"`
}

// check says what is wrong with the answer to r.
func (s Suite) check(t *testing.T, info signer.Info, r signer.Request, got signer.Signature) error {
	t.Helper()
	if got.MediaType != signer.BundleMediaType {
		return fmt.Errorf("media type is %q, want %q", got.MediaType, signer.BundleMediaType)
	}
	var a answer
	if err := json.Unmarshal(got.Content, &a); err != nil {
		return fmt.Errorf("bundle is not JSON: %w", err)
	}
	if a.MediaType != signer.BundleMediaType {
		return fmt.Errorf("mediaType in the bundle is %q, want %q", a.MediaType, signer.BundleMediaType)
	}
	signed, sig, err := a.signature(r)
	if err != nil {
		return err
	}
	if len(info.PublicKey) == 0 {
		if a.VerificationMaterial.Certificate == nil {
			return errors.New("there is neither a public key in Info nor a certificate in the bundle")
		}
		if s.Verify != nil {
			s.Verify(t, got, signed, sig)
		}
		return nil
	}
	key, err := publicKey(info.PublicKey)
	if err != nil {
		return err
	}
	hint, err := signer.KeyHint(key)
	if err != nil {
		return err
	}
	if a.VerificationMaterial.PublicKey == nil || a.VerificationMaterial.PublicKey.Hint != hint {
		return errors.New("verificationMaterial.publicKey.hint is not that of Info.PublicKey")
	}
	return verify(key, signed, sig)
}

// signature gives the signed bytes and the signature, if the bundle is of the kind that answers r.
func (a answer) signature(r signer.Request) (signed, sig []byte, err error) {
	if r.PayloadType == signer.PayloadInToto {
		switch e := a.DSSEEnvelope; {
		case e == nil || a.MessageSignature != nil:
			return nil, nil, errors.New("the answer must have a dsseEnvelope and no messageSignature")
		case e.PayloadType != r.PayloadType || !bytes.Equal(e.Payload, r.Payload):
			return nil, nil, errors.New("the envelope does not hold the payload that was to be signed")
		case len(e.Signatures) != 1:
			return nil, nil, fmt.Errorf("the envelope has %d signatures, want 1", len(e.Signatures))
		default:
			return fmt.Appendf(nil, "DSSEv1 %d %s %d %s", len(e.PayloadType), e.PayloadType, len(e.Payload), e.Payload), e.Signatures[0].Sig, nil
		}
	}
	m := a.MessageSignature
	if m == nil || a.DSSEEnvelope != nil {
		return nil, nil, errors.New("the answer must have a messageSignature and no dsseEnvelope")
	}
	digest := sha256.Sum256(r.Payload)
	if m.MessageDigest.Algorithm != "SHA2_256" || !bytes.Equal(m.MessageDigest.Digest, digest[:]) {
		return nil, nil, errors.New("messageDigest is not the SHA2_256 of the payload")
	}
	return r.Payload, m.Signature, nil
}

// verify checks a signature the way Flux does: SHA-256 for every ECDSA and RSA key, PKCS #1 v1.5, pure Ed25519.
func verify(key crypto.PublicKey, signed, sig []byte) error {
	digest := sha256.Sum256(signed)
	switch k := key.(type) {
	case *ecdsa.PublicKey:
		if !ecdsa.VerifyASN1(k, digest[:], sig) {
			return errors.New("the signature does not verify with Info.PublicKey (ECDSA, SHA-256)")
		}
		return nil
	case *rsa.PublicKey:
		if rsa.VerifyPKCS1v15(k, crypto.SHA256, digest[:], sig) != nil {
			return errors.New("the signature does not verify with Info.PublicKey (RSA PKCS #1 v1.5, SHA-256)")
		}
		return nil
	case ed25519.PublicKey:
		if !ed25519.Verify(k, signed, sig) {
			return errors.New("the signature does not verify with Info.PublicKey (pure Ed25519)")
		}
		return nil
	}
	return errors.New("Info.PublicKey is of a type that Flux does not know")
}

func publicKey(text []byte) (crypto.PublicKey, error) {
	block, _ := pem.Decode(text)
	if block == nil || block.Type != "PUBLIC KEY" {
		return nil, errors.New("it is not PEM of type PUBLIC KEY")
	}
	return x509.ParsePKIXPublicKey(block.Bytes)
}
