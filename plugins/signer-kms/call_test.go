package main

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sigstore/sigstore/pkg/signature"

	"github.com/artifactctl/artifactctl/plugins/signer"
	"github.com/artifactctl/artifactctl/plugins/signer/signertest"
)

// faulty is a driver with a real key, whose signatures are made, delayed or spoiled by sign.
type faulty struct {
	key  crypto.Signer
	hash crypto.Hash
	sign func(input []byte) ([]byte, error)
}

func (f *faulty) PublicKey(...signature.PublicKeyOption) (crypto.PublicKey, error) {
	return f.key.Public(), nil
}

func (f *faulty) SignMessage(message io.Reader, _ ...signature.SignOption) ([]byte, error) {
	input, err := io.ReadAll(message)
	if err != nil {
		return nil, err
	}
	if f.sign != nil {
		return f.sign(input)
	}
	return f.key.Sign(rand.Reader, sum(crypto.SHA256, input), crypto.SHA256)
}

func (f *faulty) CryptoSigner(context.Context, func(error)) (crypto.Signer, crypto.SignerOpts, error) {
	return nil, f.hash, nil
}

func newFaulty(t *testing.T) (*faulty, *kmsSigner) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	f := &faulty{key: key, hash: crypto.SHA256}
	s := &kmsSigner{
		limits: limits{parallel: 4, attempts: 3, patience: 50 * time.Millisecond, pause: time.Microsecond, open: time.Second},
		choose: func(map[string]any) (options, provider, error) {
			load := func(context.Context, options, crypto.Hash) (service, error) { return f, nil }
			return options{key: "test://key"}, provider{load: load, judge: judgeRest, keys: "other keys", mismatch: "another version"}, nil
		},
	}
	return f, s
}

func open(t *testing.T, s *kmsSigner) {
	t.Helper()
	if _, err := s.Open(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
}

var errReset = &net.OpError{Op: "read", Net: "tcp", Err: errors.New("connection reset")}

// What passes is tried again, and not for ever.
func TestRetries(t *testing.T) {
	f, s := newFaulty(t)
	open(t, s)
	var calls atomic.Int64
	f.sign = func(input []byte) ([]byte, error) {
		if calls.Add(1) < 3 {
			return nil, errReset
		}
		return f.key.Sign(rand.Reader, sum(crypto.SHA256, input), crypto.SHA256)
	}
	if _, err := s.Sign(t.Context(), signertest.Request(signer.PayloadInToto, 1)); err != nil || calls.Load() != 3 {
		t.Errorf("after %d calls: %v", calls.Load(), err)
	}
	calls.Store(-10)
	_, err := s.Sign(t.Context(), signertest.Request(signer.PayloadInToto, 1))
	check(t, err, signer.ErrUnavailable, "sign with test://key: signer backend unavailable: read tcp: connection reset", "")
	if calls.Load() != -7 {
		t.Errorf("%d calls, want 3", calls.Load()+10)
	}
}

// No more calls run at once than the limit says, and one that never ends takes no place for ever.
func TestLimit(t *testing.T) {
	f, s := newFaulty(t)
	open(t, s)
	var running, most atomic.Int64
	f.sign = func(input []byte) ([]byte, error) {
		n := running.Add(1)
		defer running.Add(-1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		return f.key.Sign(rand.Reader, sum(crypto.SHA256, input), crypto.SHA256)
	}
	failures := make(chan error, 64)
	for i := range 64 {
		go func() {
			_, err := s.Sign(t.Context(), signertest.Request(signer.PayloadInToto, i))
			failures <- err
		}()
	}
	for range 64 {
		if err := <-failures; err != nil {
			t.Error(err)
		}
	}
	if most.Load() > 4 {
		t.Errorf("%d calls at once", most.Load())
	}
	stuck := make(chan struct{})
	defer close(stuck)
	f.sign = func([]byte) ([]byte, error) { <-stuck; return nil, nil }
	for range 6 {
		_, err := s.Sign(t.Context(), signertest.Request(signer.PayloadInToto, 1))
		check(t, err, signer.ErrUnavailable, "no answer within 50ms", "")
	}
}

// A driver that fails over an answer does not take the plugin with it.
func TestPanic(t *testing.T) {
	f, s := newFaulty(t)
	f.sign = func([]byte) ([]byte, error) { var none []byte; return none[:1:1], nil }
	_, err := s.Open(t.Context(), nil)
	check(t, err, signer.ErrInvalid, "the driver failed over the service's answer", "other keys")
}

// Open names what a signature is, if it is none that Flux accepts.
func TestSchemes(t *testing.T) {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		rsa        bool
		hash       crypto.Hash
		pss        bool
		text, hint string
	}{
		"SHA-384":        {false, crypto.SHA384, false, "it signs by ECDSA with SHA-384", "other keys"},
		"RSA, SHA-512":   {true, crypto.SHA512, false, "it signs by RSA PKCS #1 v1.5 with SHA-512", "other keys"},
		"RSA-PSS":        {true, crypto.SHA256, true, "it signs by RSA-PSS with SHA-256", "other keys"},
		"something else": {false, 0, false, "does not verify with the public key that the service shows", "another version"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			f, s := newFaulty(t)
			if tt.rsa {
				f.key = rsaKey
			}
			f.sign = func(input []byte) ([]byte, error) {
				opts := crypto.SignerOpts(tt.hash)
				if tt.pss {
					opts = &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: tt.hash}
				}
				if tt.hash == 0 {
					return []byte("no signature"), nil
				}
				return f.key.Sign(rand.Reader, sum(tt.hash, input), opts)
			}
			_, err := s.Open(t.Context(), nil)
			check(t, err, signer.ErrInvalid, tt.text, tt.hint)
		})
	}
}

func TestConformance(t *testing.T) {
	signertest.Run(t, signertest.Suite{New: func(t *testing.T) (signer.Signer, map[string]any) {
		_, s := newFaulty(t)
		choose := s.choose
		s.limits.patience = 10 * time.Second
		s.choose = func(with map[string]any) (options, provider, error) {
			if err := signer.CheckOptions(with, "key"); err != nil {
				return options{}, provider{}, err
			}
			return choose(with)
		}
		return s, map[string]any{"key": "test://key"}
	}})
}

func TestRedact(t *testing.T) {
	t.Setenv("AWS_SECRET_ACCESS_KEY", "pw-pw-pw-secret")
	t.Setenv("AWS_REGION", "eu-central-1")
	got := redact("in eu-central-1 with pw-pw-pw-secret, Authorization: Bearer pw-pw-pw.x, x-amz-security-token:pw-pw-pw==")
	if strings.Contains(got, "pw-pw-pw") || !strings.Contains(got, "eu-central-1") {
		t.Errorf("got %s", got)
	}
	if got := firstLine(strings.Repeat("ä", maxText) + "\nsecond"); len(got) > maxText+3 || strings.Contains(got, "second") {
		t.Errorf("got %s", got)
	}
}
