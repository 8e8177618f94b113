// Package e2e_test drives the built artifactctl as a user does: a git repository, a registry, a key, a command line.
// It judges by what stands in the registry afterwards, asking cosign and Flux, not by what artifactctl says.
package e2e_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/artifactctl/artifactctl/test/peers"
)

// TestMain builds artifactctl and its signers once, with the race detector where there is a C compiler for it.
func TestMain(m *testing.M) {
	ctx := context.Background()
	out, err := exec.CommandContext(ctx, "go", "env", "CGO_ENABLED").Output()
	race := err == nil && strings.TrimSpace(string(out)) == "1"
	dir, err := peers.BuildProduct(ctx, race)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if err := os.Setenv(peers.PrebuiltEnv, dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}
