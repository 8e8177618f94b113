package main

import (
	"bytes"
	"context"
	"crypto"
	"errors"
	"fmt"
	"regexp"
	"runtime/debug"

	"github.com/sigstore/sigstore/pkg/signature"
	sigopts "github.com/sigstore/sigstore/pkg/signature/options"

	"github.com/artifactctl/artifactctl/plugins/signer"
)

// kmsSigner is a signer.Signer for one key of a service. Its fields are set by Open and only read afterwards.
type kmsSigner struct {
	limits limits
	// choose reads the options and says who serves them; replaced in tests.
	choose func(with map[string]any) (options, provider, error)

	calls   *caller
	service service
	public  crypto.PublicKey
	version string // that signs, if the driver can be told; empty otherwise
}

func newKMSSigner() *kmsSigner { return &kmsSigner{limits: defaultLimits(), choose: parseOptions} }

// Open reads the public key and signs a text that means nothing. Only a signature shows all that can be in the way: the
// permission to sign, a disabled key, quotas, and which padding and hash the service really takes.
func (s *kmsSigner) Open(ctx context.Context, with map[string]any) (signer.Info, error) {
	if err := ctx.Err(); err != nil {
		return signer.Info{}, err
	}
	o, p, err := s.choose(with)
	if err != nil {
		return signer.Info{}, err
	}
	bounded, cancel := context.WithTimeout(ctx, s.limits.open)
	defer cancel()
	info, err := s.open(bounded, o, p)
	if err != nil && bounded.Err() != nil && ctx.Err() == nil {
		return info, failure{class: signer.ErrUnavailable, text: fmt.Sprintf("no answer within %s", s.limits.open), hint: p.credentials}.err("open " + o.key)
	}
	return info, err
}

func (s *kmsSigner) open(ctx context.Context, o options, p provider) (signer.Info, error) {
	s.version = o.version
	s.calls = newCaller(s.limits, p, o.key)
	if err := s.connect(ctx, o, crypto.SHA256); err != nil {
		return signer.Info{}, err
	}
	if err := s.learn(ctx); err != nil {
		return signer.Info{}, err
	}
	if hash := hashFor(s.public); hash != crypto.SHA256 {
		if err := s.connect(ctx, o, hash); err != nil {
			return signer.Info{}, err
		}
	}
	if err := s.try(ctx); err != nil {
		return signer.Info{}, err
	}
	info, err := describe(s.public)
	info.Warnings = warnings()
	return info, err
}

// connect prepares the driver for signatures over this hash. What the driver keeps of the context must outlive Open.
func (s *kmsSigner) connect(ctx context.Context, o options, hash crypto.Hash) (err error) {
	s.service, err = ask(ctx, s.calls, "open", func(ctx context.Context) (service, error) {
		return s.calls.load(context.WithoutCancel(ctx), o, hash)
	})
	return err
}

// learn reads the public key and the hash that goes with it, and refuses keys that are of no use.
func (s *kmsSigner) learn(ctx context.Context) (err error) {
	s.public, err = ask(ctx, s.calls, "read", func(ctx context.Context) (crypto.PublicKey, error) {
		return s.service.PublicKey(sigopts.WithContext(ctx))
	})
	if err != nil {
		return err
	}
	prescribed, err := ask(ctx, s.calls, "read", func(ctx context.Context) (crypto.Hash, error) {
		_, opts, err := s.service.CryptoSigner(ctx, nil)
		if err != nil {
			return 0, err
		}
		return opts.HashFunc(), nil
	})
	if err != nil {
		return err
	}
	if err := checkKind(s.calls.provider, s.public, prescribed); err != nil {
		return fmt.Errorf("key %s: %w", s.calls.key, err)
	}
	return nil
}

// try has the probe signed, and remembers the version that signed it if the driver tells.
func (s *kmsSigner) try(ctx context.Context) error {
	input := probe()
	got, err := s.request(ctx, input)
	if err != nil {
		return err
	}
	if verify(s.public, input, got.bytes) {
		if got.version != "" {
			s.version = got.version
		}
		return nil
	}
	key := "key " + s.calls.key
	if scheme := recognize(s.public, input, got.bytes); scheme != "" {
		return fmt.Errorf("%s: %w", key, signer.Invalidf(s.calls.keys, "it signs by %s, which Flux and cosign do not verify", scheme))
	}
	return fmt.Errorf("%s: %w", key, signer.Invalidf(s.calls.mismatch, "its signature does not verify with the public key that the service shows"))
}

// probe is what Open has signed. No verifier takes it for anything: the payload type stands inside of what is signed.
func probe() []byte {
	return signer.PAE("text/vnd.artifactctl.signer-probe", []byte("artifactctl asks whether it may sign; this signature stands for nothing"))
}

func describe(public crypto.PublicKey) (signer.Info, error) {
	info, err := signer.KeyInfo(public)
	info.Name, info.Version = "signer-kms", version()
	return info, err
}

// Sign has the service sign and checks the signature with the key that Open announced. RSA and Ed25519 signatures are
// deterministic, those of ECDSA are not.
func (s *kmsSigner) Sign(ctx context.Context, r signer.Request) (signer.Signature, error) {
	if err := ctx.Err(); err != nil {
		return signer.Signature{}, err
	}
	input, err := signer.SigningInput(r)
	if err != nil {
		return signer.Signature{}, err
	}
	if s.service == nil {
		return signer.Signature{}, errors.New("sign: the signer is not open")
	}
	sig, err := s.request(ctx, input)
	if err != nil {
		return signer.Signature{}, err
	}
	if !verify(s.public, input, sig.bytes) {
		err := fmt.Errorf("sign with %s: the signature does not verify with the key as it was at the start of the run", s.calls.key)
		return signer.Signature{}, signer.WithHint(err, "was the key rotated, or its alias moved? run again; a version in the key keeps it fixed")
	}
	return signer.KeyBundle(r, s.public, sig.bytes)
}

// rawSignature is a signature and the version of the key that made it, if the driver tells.
type rawSignature struct {
	bytes   []byte
	version string
}

// usedVersion is how the driver of the transit engine tells the version.
var usedVersion = regexp.MustCompile(`^vault:v([0-9]+):$`)

func (s *kmsSigner) request(ctx context.Context, input []byte) (rawSignature, error) {
	return ask(ctx, s.calls, "sign with", func(ctx context.Context) (rawSignature, error) {
		var used string
		opts := []signature.SignOption{
			sigopts.WithContext(ctx), sigopts.WithCryptoSignerOpts(hashFor(s.public)), sigopts.ReturnKeyVersionUsed(&used),
		}
		if s.version != "" {
			opts = append(opts, sigopts.WithKeyVersion(s.version))
		}
		sig, err := s.service.SignMessage(bytes.NewReader(input), opts...)
		if m := usedVersion.FindStringSubmatch(used); m != nil {
			used = m[1]
		}
		return rawSignature{bytes: sig, version: used}, err
	})
}

func version() string {
	if build, ok := debug.ReadBuildInfo(); ok && build.Main.Version != "" {
		return build.Main.Version
	}
	return "(devel)"
}
