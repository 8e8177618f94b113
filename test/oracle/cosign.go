package oracle

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/artifactctl/artifactctl/test/peers"
)

// Cosign is the cosign command, kept offline: no transparency log, no timestamps, no TUF, a home of its own.
type Cosign struct {
	Program string // path of the executable
	Home    string // $HOME and the directory for everything it writes
}

// NewCosign returns the pinned cosign with an empty home.
func NewCosign(t testing.TB) *Cosign {
	t.Helper()
	return &Cosign{Program: peers.Cosign(t), Home: t.TempDir()}
}

// Password is what Cosign encrypts keys with.
const Password = "correct horse"

// Verify runs `cosign verify` on ref with the key in file publicKey.
func (c *Cosign) Verify(ctx context.Context, ref, publicKey string, flags ...string) error {
	args := append([]string{"verify", "--key", publicKey, "--insecure-ignore-tlog=true"}, flags...)
	_, err := c.Run(ctx, append(args, ref)...)
	return err
}

// VerifyAttestation runs `cosign verify-attestation` on ref for a type of predicate ("slsaprovenance1", "cyclonedx") with the
// key in file publicKey, and returns what it printed: a DSSE envelope a line.
func (c *Cosign) VerifyAttestation(ctx context.Context, ref, predicate, publicKey string) (string, error) {
	return c.Run(ctx, "verify-attestation", "--type", predicate, "--key", publicKey, "--insecure-ignore-tlog=true", ref)
}

// Sign runs `cosign sign` on ref with the encrypted key in file privateKey; it makes a bundle unless legacy.
func (c *Cosign) Sign(ctx context.Context, ref, privateKey string, legacy bool) error {
	args := []string{"sign", "--yes", "--key", privateKey, "--use-signing-config=false", "--tlog-upload=false"}
	if legacy {
		args = append(args, "--new-bundle-format=false")
	}
	_, err := c.Run(ctx, append(args, ref)...)
	return err
}

// Tree returns what `cosign tree` prints of ref: the signatures it finds beside it.
func (c *Cosign) Tree(ctx context.Context, ref string) (string, error) {
	return c.Run(ctx, "tree", ref)
}

// Generate makes a key pair with `cosign generate-key-pair` and returns the two files; the private one is encrypted
// with Password.
func (c *Cosign) Generate(ctx context.Context, name string) (privateKey, publicKey string, err error) {
	prefix := filepath.Join(c.Home, name)
	_, err = c.Run(ctx, "generate-key-pair", "--output-key-prefix", prefix)
	return prefix + ".key", prefix + ".pub", err
}

// Import encrypts the plain PEM key in file plain with Password, as cosign wants it, and returns the new file.
func (c *Cosign) Import(ctx context.Context, plain, name string) (privateKey string, err error) {
	prefix := filepath.Join(c.Home, name)
	_, err = c.Run(ctx, "import-key-pair", "--yes", "--key", plain, "--output-key-prefix", prefix)
	return prefix + ".key", err
}

// Run runs cosign and returns what it printed; its messages are part of the error.
func (c *Cosign) Run(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, c.Program, args...)
	cmd.Dir = c.Home
	cmd.Env = []string{
		"HOME=" + c.Home,
		"TUF_ROOT=" + filepath.Join(c.Home, "tuf"),
		"TMPDIR=" + os.TempDir(),
		"PATH=" + os.Getenv("PATH"),
		"COSIGN_PASSWORD=" + Password,
		"NO_PROXY=127.0.0.1",
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("cosign %s: %w\n%s", args[0], err, out)
	}
	return string(out), nil
}
