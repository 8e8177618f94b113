package signer

import (
	"crypto"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"strconv"
)

// PAE is the pre-authentication encoding of DSSE v1 (https://github.com/secure-systems-lab/dsse): the bytes that a DSSE
// signature covers.
func PAE(payloadType string, payload []byte) []byte {
	out := make([]byte, 0, len("DSSEv1")+len(payloadType)+len(payload)+24)
	out = append(out, "DSSEv1 "...)
	out = strconv.AppendInt(out, int64(len(payloadType)), 10)
	out = append(out, ' ')
	out = append(out, payloadType...)
	out = append(out, ' ')
	out = strconv.AppendInt(out, int64(len(payload)), 10)
	out = append(out, ' ')
	return append(out, payload...)
}

// SigningInput is the bytes that the signature for r must cover, before any hashing: PAE for PayloadInToto, the payload
// itself for PayloadSimpleSigning. An empty payload or another payload type is ErrInvalid.
func SigningInput(r Request) ([]byte, error) {
	if len(r.Payload) == 0 {
		return nil, fmt.Errorf("%w: the payload to sign is empty", ErrInvalid)
	}
	switch r.PayloadType {
	case PayloadInToto:
		return PAE(r.PayloadType, r.Payload), nil
	case PayloadSimpleSigning:
		return r.Payload, nil
	}
	return nil, fmt.Errorf("%w: payload type %q is neither %s nor %s", ErrInvalid, r.PayloadType, PayloadInToto, PayloadSimpleSigning)
}

// The JSON form of a Sigstore bundle (protobuf-specs, sigstore_bundle.proto), with the fields of a signature by a plain
// key. The order of fields is that of cosign's own bundles.
type bundle struct {
	MediaType            string               `json:"mediaType"`
	VerificationMaterial verificationMaterial `json:"verificationMaterial"`
	DSSEEnvelope         *dsseEnvelope        `json:"dsseEnvelope,omitempty"`
	MessageSignature     *messageSignature    `json:"messageSignature,omitempty"`
}

type verificationMaterial struct {
	PublicKey publicKeyIdentifier `json:"publicKey"`
}

type publicKeyIdentifier struct {
	Hint string `json:"hint"`
}

type dsseEnvelope struct {
	Payload     []byte          `json:"payload"`
	PayloadType string          `json:"payloadType"`
	Signatures  []dsseSignature `json:"signatures"`
}

type dsseSignature struct {
	Sig []byte `json:"sig"`
}

type messageSignature struct {
	MessageDigest messageDigest `json:"messageDigest"`
	Signature     []byte        `json:"signature"`
}

type messageDigest struct {
	Algorithm string `json:"algorithm"`
	Digest    []byte `json:"digest"`
}

// KeyBundle wraps sig, made by the key of publicKey over SigningInput(r), into the bundle that answers r: a DSSE
// envelope for PayloadInToto, a message signature for PayloadSimpleSigning. The bytes depend on nothing but the
// arguments, so that signing again with a deterministic algorithm gives the same bundle and the same digest.
func KeyBundle(r Request, publicKey crypto.PublicKey, sig []byte) (Signature, error) {
	if _, err := SigningInput(r); err != nil {
		return Signature{}, err
	}
	if len(sig) == 0 {
		return Signature{}, fmt.Errorf("%w: the signature is empty", ErrInvalid)
	}
	hint, err := KeyHint(publicKey)
	if err != nil {
		return Signature{}, err
	}
	b := bundle{MediaType: BundleMediaType, VerificationMaterial: verificationMaterial{PublicKey: publicKeyIdentifier{Hint: hint}}}
	if r.PayloadType == PayloadInToto {
		b.DSSEEnvelope = &dsseEnvelope{Payload: r.Payload, PayloadType: r.PayloadType, Signatures: []dsseSignature{{Sig: sig}}}
	} else {
		digest := sha256.Sum256(r.Payload)
		b.MessageSignature = &messageSignature{MessageDigest: messageDigest{Algorithm: "SHA2_256", Digest: digest[:]}, Signature: sig}
	}
	content, err := json.Marshal(b)
	if err != nil {
		return Signature{}, fmt.Errorf("encode bundle: %w", err)
	}
	return Signature{MediaType: BundleMediaType, Content: content}, nil
}
