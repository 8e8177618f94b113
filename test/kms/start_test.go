package kms_test

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/artifactctl/artifactctl/plugins/signer"
	"github.com/artifactctl/artifactctl/plugins/signer/rpc"
	"github.com/artifactctl/artifactctl/plugins/signer/signertest"
	"github.com/artifactctl/artifactctl/test/kms/cloud"
	"github.com/artifactctl/artifactctl/test/peers"
)

// secrets must not be seen in any message.
var secrets = []string{cloud.AWSSecret, cloud.AWSSession, cloud.AWSWebToken, cloud.AzureSecret, cloud.AzureFederated, "of-the-test", vaultToken, sealedPassword, "PRIVATE KEY"}

// start starts the plugin with these variables and nothing else.
func start(t *testing.T, env ...string) *rpc.Process {
	t.Helper()
	p, err := rpc.Start(t.Context(), rpc.StartOptions{
		Name: "kms", Path: filepath.Join(peers.Product(t, false), "signer-kms"), Dir: t.TempDir(), Env: env,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	return p
}

// conform runs the suite and checks what Open says of the algorithm.
func conform(t *testing.T, env []string, with map[string]any, algorithm string) {
	t.Helper()
	signertest.Run(t, signertest.Suite{
		New:           func(t *testing.T) (signer.Signer, map[string]any) { return start(t, env...), with },
		Deterministic: !strings.HasPrefix(algorithm, "ecdsa"),
	})
	info, err := start(t, env...).Open(t.Context(), with)
	if err != nil || info.Algorithm != algorithm || len(info.Warnings) > 0 {
		t.Errorf("info is %+v, %v", info, err)
	}
}

// want compares an error with its class (nil: none of the three), a part of its text and of its hint.
func want(t *testing.T, err error, class error, text, hint string) {
	t.Helper()
	if err == nil {
		t.Errorf("no error, want %s", text)
		return
	}
	for _, c := range []error{signer.ErrInvalid, signer.ErrDenied, signer.ErrUnavailable} {
		if errors.Is(err, c) != errors.Is(class, c) {
			t.Errorf("the class of %q is not %v", err, class)
		}
	}
	advice := ""
	var h interface{ Hint() string }
	if errors.As(err, &h) {
		advice = h.Hint()
	}
	if !strings.Contains(err.Error(), text) || !strings.Contains(advice, hint) {
		t.Errorf("got  %v\nhint %s\nwant %s\nhint %s", err, advice, text, hint)
	}
	for _, secret := range secrets {
		if strings.Contains(err.Error()+advice, secret) {
			t.Errorf("%q is shown: %v %s", secret, err, advice)
		}
	}
}

// request is what tests have signed.
func request() signer.Request { return signertest.Request(signer.PayloadInToto, 1) }
