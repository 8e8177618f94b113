package main

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"

	"github.com/artifactctl/artifactctl/plugins/signer"
)

// vaultSigner is a signer.Signer for one version of one transit key. Its fields are set by Open and only read afterwards.
type vaultSigner struct {
	transit *transit
	batcher *batcher

	mu     sync.Mutex // held while Open and Close run
	server *server
}

// shared are the limits of requests to sign. 250 signatures with the slowest kind of key take a server about a second, on
// one processor, since it makes those of one request one after the other; the bytes are far below what one takes by default.
func shared() limits { return limits{calls: 250, bytes: 1 << 20, requests: 4} }

// single are the limits where batches do not work.
func single() limits { return limits{calls: 1, requests: 8} }

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
	s.mu.Lock()
	defer s.mu.Unlock()
	server, warnings, err := connect(ctx, o)
	if err != nil {
		return signer.Info{}, err
	}
	s.server = server
	t := &transit{server: server, mount: o.mount, name: o.key}
	if t.key, err = t.read(ctx, o.keyVersion); err != nil {
		return signer.Info{}, err
	}
	info, err := describe(t.key)
	if err != nil {
		return signer.Info{}, fmt.Errorf("key %s: %w", t.keyPath(), err)
	}
	s.transit = t
	warning, err := s.try(ctx)
	if err != nil {
		return signer.Info{}, err
	}
	if info.Warnings = warnings; warning != "" {
		info.Warnings = append(info.Warnings, warning)
	}
	return info, nil
}

// try has the probe signed as everything else will be: in a batch, or if the server or a policy does not allow those, in
// a request of its own, which deserves a warning.
func (s *vaultSigner) try(ctx context.Context) (warning string, err error) {
	refusal := s.check(probe(), s.transit.signAsBatch(ctx, s.transit.key.message(probe())))
	if refusal == nil {
		s.batcher = newBatcher(s.transit.signBatch, shared())
		return "", nil
	}
	if errors.Is(refusal, signer.ErrUnavailable) || ctx.Err() != nil {
		return "", refusal
	}
	s.batcher = newBatcher(s.transit.signEach, single())
	if _, err := s.signed(ctx, probe()); err != nil {
		return "", err
	}
	return fmt.Sprintf("each signature takes a request of its own: %s, though only with batch_input; does a policy list allowed_parameters?", refusal), nil
}

// probe is what Open has signed. No verifier takes it for anything: the payload type stands inside of what is signed.
func probe() []byte {
	return signer.PAE("text/vnd.artifactctl.signer-probe", []byte("artifactctl asks whether it may sign; this signature stands for nothing"))
}

func describe(key signingKey) (signer.Info, error) {
	info, err := signer.KeyInfo(key.public)
	info.Name, info.Version = "signer-vault", version()
	return info, err
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
	return signer.KeyBundle(r, s.transit.key.public, sig)
}

// signed returns a signature over input that verifies with the key that Open announced.
func (s *vaultSigner) signed(ctx context.Context, input []byte) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	sig, err := s.batcher.sign(ctx, s.transit.key.message(input))
	if err != nil && ctx.Err() != nil {
		err = fmt.Errorf("sign with %s: %w", s.transit.signPath(), ctx.Err())
	}
	return sig, s.check(input, result{sig, err})
}

// check is the error of r, or of its signature.
func (s *vaultSigner) check(input []byte, r result) error {
	if r.err != nil {
		return r.err
	}
	return s.transit.key.verify(input, r.signature)
}

// Close revokes the token, if the plugin itself obtained it. It implements io.Closer for package rpc.
func (s *vaultSigner) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.server == nil {
		return nil
	}
	return s.server.close()
}

func version() string {
	if build, ok := debug.ReadBuildInfo(); ok && build.Main.Version != "" {
		return build.Main.Version
	}
	return "(devel)"
}
