// Package signertest is the conformance suite that every signer passes, in process or as a started plugin. It asks what
// artifactctl relies on; it does not test what is a signer's own (its options, its backend).
package signertest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/artifactctl/artifactctl/plugins/signer"
)

// prompt is how soon a call must return after its context ended. It is generous: the machine may be busy.
const prompt = 10 * time.Second

// parallel is how many Sign calls run at once.
const parallel = 64

// Suite says how to get signers to test.
type Suite struct {
	// New gives a fresh signer, not open yet, and the with: block that opens it. It is called for several subtests;
	// t.Cleanup is the place to close what it made.
	New func(t *testing.T) (signer.Signer, map[string]any)
	// Deterministic says that signing the same request twice gives the same bytes.
	Deterministic bool
	// PayloadTypes that the signer supports. Default: both.
	PayloadTypes []string
	// Verify checks a signature when Info.PublicKey is empty, since each answer brings a certificate. sig covers signed.
	Verify func(t *testing.T, answer signer.Signature, signed, sig []byte)
}

// Run runs the suite as subtests of t.
func Run(t *testing.T, s Suite) {
	t.Helper()
	if len(s.PayloadTypes) == 0 {
		s.PayloadTypes = []string{signer.PayloadInToto, signer.PayloadSimpleSigning}
	}
	t.Run("unknown option", s.unknownOption)
	t.Run("open cancelled", s.openCancelled)

	opened, with := s.New(t)
	info, err := opened.Open(t.Context(), with)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	s.checkInfo(t, info)
	for _, payloadType := range s.PayloadTypes {
		t.Run("sign "+payloadType, func(t *testing.T) { s.sign(t, opened, info, payloadType) })
	}
	t.Run("parallel", func(t *testing.T) { s.parallel(t, opened, info) })
	t.Run("refused requests", func(t *testing.T) { s.refused(t, opened) })
	t.Run("sign cancelled", func(t *testing.T) { s.signCancelled(t, opened) })
	// Whatever was refused or cancelled, the signer still works.
	t.Run("sign again", func(t *testing.T) { s.sign(t, opened, info, s.PayloadTypes[0]) })
}

func (s Suite) unknownOption(t *testing.T) {
	fresh, with := s.New(t)
	bad := map[string]any{"no-such-option": true}
	for k, v := range with {
		bad[k] = v
	}
	if _, err := fresh.Open(t.Context(), bad); !errors.Is(err, signer.ErrInvalid) {
		t.Errorf("open with an unknown option: %v, want ErrInvalid", err)
	}
}

func (s Suite) openCancelled(t *testing.T) {
	fresh, with := s.New(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	soon(t, "open", func() {
		// A signer may be done before it looks at its context; it may not report another error.
		if _, err := fresh.Open(ctx, with); err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("open after cancel: %v, want context.Canceled", err)
		}
	})
}

func (s Suite) checkInfo(t *testing.T, info signer.Info) {
	t.Helper()
	for field, value := range map[string]string{
		"Name": info.Name, "Version": info.Version, "Identity": info.Identity, "Algorithm": info.Algorithm,
	} {
		if value == "" {
			t.Errorf("Info.%s is empty", field)
		}
	}
	if len(info.PublicKey) == 0 {
		if s.Verify == nil {
			t.Error("Info.PublicKey is empty and the suite has no Verify")
		}
		return
	}
	key, err := publicKey(info.PublicKey)
	if err != nil {
		t.Errorf("Info.PublicKey: %v", err)
		return
	}
	if want, err := signer.Algorithm(key); err != nil || info.Algorithm != want {
		t.Errorf("Info.Algorithm is %q, the key's is %q (%v)", info.Algorithm, want, err)
	}
}

func (s Suite) sign(t *testing.T, opened signer.Signer, info signer.Info, payloadType string) {
	r := Request(payloadType, 1)
	first, err := opened.Sign(t.Context(), r)
	if err != nil {
		t.Fatalf("sign: %v", err)
	}
	if err := s.check(t, info, r, first); err != nil {
		t.Error(err)
	}
	second, err := opened.Sign(t.Context(), r)
	if err != nil {
		t.Fatalf("sign again: %v", err)
	}
	if s.Deterministic && string(first.Content) != string(second.Content) {
		t.Errorf("signing the same request twice gives different bytes:\n%s\n%s", first.Content, second.Content)
	}
}

func (s Suite) parallel(t *testing.T, opened signer.Signer, info signer.Info) {
	requests := make([]signer.Request, parallel)
	answers := make([]signer.Signature, parallel)
	failures := make([]error, parallel)
	var wg sync.WaitGroup
	for i := range requests {
		requests[i] = Request(s.PayloadTypes[i%len(s.PayloadTypes)], i)
		wg.Go(func() { answers[i], failures[i] = opened.Sign(t.Context(), requests[i]) })
	}
	wg.Wait()
	for i, err := range failures {
		if err == nil {
			err = s.check(t, info, requests[i], answers[i])
		}
		if err != nil {
			t.Errorf("request %d of %d at once: %v", i, parallel, err)
		}
	}
}

func (s Suite) refused(t *testing.T, opened signer.Signer) {
	empty := Request(s.PayloadTypes[0], 1)
	empty.Payload = nil
	unknown := Request("text/plain", 1)
	none := Request("", 1)
	for name, r := range map[string]signer.Request{
		"empty payload": empty, "unknown payload type": unknown, "no payload type": none,
	} {
		if _, err := opened.Sign(t.Context(), r); !errors.Is(err, signer.ErrInvalid) {
			t.Errorf("%s: %v, want ErrInvalid", name, err)
		}
	}
}

func (s Suite) signCancelled(t *testing.T, opened signer.Signer) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	soon(t, "sign", func() {
		if _, err := opened.Sign(ctx, Request(s.PayloadTypes[0], 2)); !errors.Is(err, context.Canceled) {
			t.Errorf("sign after cancel: %v, want context.Canceled", err)
		}
	})
	ctx, cancel = context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer cancel()
	soon(t, "sign", func() {
		if _, err := opened.Sign(ctx, Request(s.PayloadTypes[0], 3)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("sign after the deadline: %v, want context.DeadlineExceeded", err)
		}
	})
}

// soon fails the test when call does not return promptly.
func soon(t *testing.T, what string, call func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		call()
	}()
	timer := time.NewTimer(prompt)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
		t.Fatalf("%s does not return when its context ends", what)
	}
}

// Request is a realistic request, the n-th of a run.
func Request(payloadType string, n int) signer.Request {
	digest := fmt.Sprintf("sha256:%064x", n+1)
	r := signer.Request{Repository: "registry.example.com/org/app", Digests: []string{digest}, PayloadType: payloadType}
	switch payloadType {
	case signer.PayloadInToto:
		r.Payload = fmt.Appendf(nil, `{"_type":"https://in-toto.io/Statement/v1","subject":[{"digest":{"sha256":%q}}],"predicateType":"https://sigstore.dev/cosign/sign/v1","predicate":{}}`, digest[len("sha256:"):])
	default:
		r.Payload = fmt.Appendf(nil, `{"critical":{"identity":{"docker-reference":%q},"image":{"docker-manifest-digest":%q},"type":"cosign container image signature"},"optional":null}`, r.Repository, digest)
	}
	return r
}
