package main

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"

	"github.com/artifactctl/artifactctl/plugins/signer"
	"github.com/artifactctl/artifactctl/plugins/signer/cosignkey"
)

// fileSigner is a signer.Signer for one private key. Its fields are set by Open and only read afterwards.
type fileSigner struct {
	key crypto.Signer
	// ask asks a person for the password of the key; replaced in tests.
	ask func(ctx context.Context, prompt string) ([]byte, error)
}

func newFileSigner() *fileSigner { return &fileSigner{ask: askTerminal} }

// Open reads the key that with names and gets its password, if it needs one.
func (s *fileSigner) Open(ctx context.Context, with map[string]any) (signer.Info, error) {
	if err := ctx.Err(); err != nil {
		return signer.Info{}, err
	}
	o, err := parseOptions(with)
	if err != nil {
		return signer.Info{}, err
	}
	text, warnings, err := o.key.read()
	if err != nil {
		return signer.Info{}, err
	}
	defer clear(text)
	key, err := cosignkey.Load(text, func() ([]byte, error) { return s.password(ctx, o) })
	if err != nil {
		return signer.Info{}, fmt.Errorf("key %s: %w", o.key, err)
	}
	info, err := describe(key.Signer.Public())
	if err != nil {
		return signer.Info{}, fmt.Errorf("key %s: %w", o.key, err)
	}
	for _, w := range append(warnings, key.Warnings...) {
		info.Warnings = append(info.Warnings, fmt.Sprintf("key %s: %s", o.key, w))
	}
	s.key = key.Signer
	return info, nil
}

func describe(public crypto.PublicKey) (signer.Info, error) {
	info, err := signer.KeyInfo(public)
	info.Name, info.Version = "signer-file", version()
	return info, err
}

// Sign signs with the algorithm that signer.Algorithm prescribes for the key. All are deterministic: ECDSA by RFC 6979,
// since Sign of crypto/ecdsa gets no randomness.
func (s *fileSigner) Sign(ctx context.Context, r signer.Request) (signer.Signature, error) {
	if err := ctx.Err(); err != nil {
		return signer.Signature{}, err
	}
	input, err := signer.SigningInput(r)
	if err != nil {
		return signer.Signature{}, err
	}
	hash := crypto.SHA256
	if _, pure := s.key.(ed25519.PrivateKey); pure {
		hash = crypto.Hash(0)
	} else {
		digest := sha256.Sum256(input)
		input = digest[:]
	}
	sig, err := s.key.Sign(nil, input, hash)
	if err != nil {
		return signer.Signature{}, fmt.Errorf("sign: %w", err)
	}
	return signer.KeyBundle(r, s.key.Public(), sig)
}
