package main

import (
	"context"
	"fmt"
	"runtime/debug"

	"github.com/artifactctl/artifactctl/plugins/signer"
)

// vaultSigner is a signer.Signer for one version of one transit key. Its fields are set by Open and only read afterwards.
type vaultSigner struct {
	key  signingKey
	sign signFunc
}

// signFunc returns the raw signature over input, the bytes to sign before any hashing. It is safe for concurrent use.
// What collects calls of many goroutines into one request has this form, too, and stands in front of transit.sign.
type signFunc func(ctx context.Context, input []byte) ([]byte, error)

// Open reads the key that with names and signs a text that means nothing. Only a signature shows all that can be in the
// way: the policy on this very path, its parameters, quotas, a version that may not sign any more, a key whose material
// is elsewhere. Asking for capabilities would show the first of these, and needs a permission of its own.
func (s *vaultSigner) Open(ctx context.Context, with map[string]any) (signer.Info, error) {
	if err := ctx.Err(); err != nil {
		return signer.Info{}, err
	}
	o, err := parseOptions(with)
	if err != nil {
		return signer.Info{}, err
	}
	server, warnings, err := connect(o)
	if err != nil {
		return signer.Info{}, err
	}
	t := &transit{server: server, mount: o.mount, name: o.key}
	if t.key, err = t.read(ctx, o.keyVersion); err != nil {
		return signer.Info{}, err
	}
	info, err := describe(t.key)
	if err != nil {
		return signer.Info{}, fmt.Errorf("key %s: %w", t.keyPath(), err)
	}
	info.Warnings = warnings
	s.key, s.sign = t.key, t.sign
	if _, err := s.signed(ctx, probe()); err != nil {
		return signer.Info{}, err
	}
	return info, nil
}

// probe is what Open has signed. No verifier takes it for anything: the payload type stands inside of what is signed.
func probe() []byte {
	return signer.PAE("text/vnd.artifactctl.signer-probe", []byte("artifactctl asks whether it may sign; this signature stands for nothing"))
}

func describe(key signingKey) (info signer.Info, err error) {
	if info.Algorithm, err = signer.Algorithm(key.public); err != nil {
		return info, err
	}
	if info.Identity, err = signer.Fingerprint(key.public); err != nil {
		return info, err
	}
	if info.PublicKey, err = signer.MarshalPublicKey(key.public); err != nil {
		return info, err
	}
	info.Name, info.Version = "signer-vault", version()
	return info, nil
}

// Sign has the server sign. RSA and Ed25519 signatures are deterministic, those of ECDSA are not.
func (s *vaultSigner) Sign(ctx context.Context, r signer.Request) (signer.Signature, error) {
	input, err := signer.SigningInput(r)
	if err != nil {
		return signer.Signature{}, err
	}
	sig, err := s.signed(ctx, input)
	if err != nil {
		return signer.Signature{}, err
	}
	return signer.KeyBundle(r, s.key.public, sig)
}

// signed returns a signature over input that verifies with the key that Open announced.
func (s *vaultSigner) signed(ctx context.Context, input []byte) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	sig, err := s.sign(ctx, input)
	if err != nil {
		return nil, err
	}
	return sig, s.key.verify(input, sig)
}

func version() string {
	if build, ok := debug.ReadBuildInfo(); ok && build.Main.Version != "" {
		return build.Main.Version
	}
	return "(devel)"
}
