package keyless_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/artifactctl/artifactctl/test/keyless/stack"
	"github.com/artifactctl/artifactctl/test/peers"
)

// cosign is the cosign command of the other tests, with a home of its own and one Sigstore that it knows.
type cosign struct{ program, home, trustedRoot string }

func newCosign(t *testing.T, s *stack.Stack) *cosign {
	t.Helper()
	c := &cosign{home: t.TempDir()}
	c.trustedRoot = filepath.Join(c.home, "trusted_root.json")
	if err := os.WriteFile(c.trustedRoot, s.TrustedRoot(t), 0o644); err != nil {
		t.Fatal(err)
	}
	var err error
	if c.program, err = peers.BuildCosign(t.Context()); err != nil {
		t.Fatal(err)
	}
	return c
}

// verify asks cosign whether an artifact was signed by an identity.
func (c *cosign) verify(ctx context.Context, ref, subject, issuer string) error {
	return c.run(ctx, "verify", "--trusted-root", c.trustedRoot, "--certificate-identity", subject, "--certificate-oidc-issuer", issuer, ref)
}

// verifyAttestation asks cosign whether an identity attested something of a type.
func (c *cosign) verifyAttestation(ctx context.Context, ref, predicate, subject, issuer string) error {
	return c.run(ctx, "verify-attestation", "--type", predicate, "--trusted-root", c.trustedRoot,
		"--certificate-identity", subject, "--certificate-oidc-issuer", issuer, ref)
}

func (c *cosign) run(ctx context.Context, args ...string) error {
	cmd := exec.CommandContext(ctx, c.program, args...)
	cmd.Dir = c.home
	cmd.Env = []string{"HOME=" + c.home, "TUF_ROOT=" + filepath.Join(c.home, "tuf"), "PATH=" + os.Getenv("PATH"), "NO_PROXY=127.0.0.1"}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("cosign %s: %w\n%s", args[0], err, out)
	}
	return nil
}
