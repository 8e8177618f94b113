// Package keyless_test drives the built artifactctl and its signer-keyless against a real private Sigstore, and asks
// cosign what their signatures are worth.
package keyless_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/artifactctl/artifactctl/plugins/signer/rpc"
)

// prebuiltEnv names a directory that holds artifactctl and its signers; without it they are built once.
const prebuiltEnv = "ARTIFACTCTL_TEST_BIN"

// TestMain builds the programs. It is also the program of the forger, see there.
func TestMain(m *testing.M) {
	if os.Getenv(forgeEnv) != "" {
		os.Exit(rpc.Serve(rpc.ServeOptions{Name: "forger", Signer: &forger{}}))
	}
	os.Exit(run(m))
}

func run(m *testing.M) int {
	if os.Getenv(prebuiltEnv) == "" {
		dir, err := os.MkdirTemp("", "keyless-")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer func() { _ = os.RemoveAll(dir) }()
		if err := build(context.Background(), dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		if err := os.Setenv(prebuiltEnv, dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	return m.Run()
}

func build(ctx context.Context, dir string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-o", dir+string(filepath.Separator), "./cmd/artifactctl", "./plugins/signer-keyless")
	cmd.Dir = filepath.Join("..", "..")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build artifactctl: %w\n%s", err, out)
	}
	return nil
}

func program(name string) string { return filepath.Join(os.Getenv(prebuiltEnv), name) }
