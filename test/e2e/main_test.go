// Package e2e_test drives the built artifactctl as a user does: a git repository, a registry, a key, a command line.
// It judges by what stands in the registry afterwards, asking cosign and Flux, not by what artifactctl says.
package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/artifactctl/artifactctl/test/peers"
)

// racedBin names the variable with the directory of the programs that watch for data races.
const racedBin = "E2E_RACED_BIN"

// raced lists the tests whose program watches for data races: those in which most happens at once. It makes a program
// several times as slow, and the tests that start one a hundred times would tell nothing new with it: the scripts of
// cmd/artifactctl have it, too.
func raced() []string {
	return []string{"TestPassingFaults", "TestUnknownChangesNothing", "TestShards", "TestPublishedIsVerifiable", "TestBatchIsVerifiable",
		"TestPolicyRefusesOneOfTwenty", "TestGatesRunOnce", "TestAttestationsSayWhatWasDone", "TestLayout"}
}

// TestMain builds artifactctl and its signers once and, where there is a C compiler for it, once more with the race
// detector.
func TestMain(m *testing.M) {
	if err := build(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func build(ctx context.Context) error {
	plain, err := peers.BuildProduct(ctx, false)
	if err != nil {
		return err
	}
	watched := plain
	if out, err := exec.CommandContext(ctx, "go", "env", "CGO_ENABLED").Output(); err == nil && strings.TrimSpace(string(out)) == "1" {
		if watched, err = peers.BuildProduct(ctx, true); err != nil {
			return err
		}
	}
	return errors.Join(os.Setenv(peers.PrebuiltEnv, plain), os.Setenv(racedBin, watched))
}

// programs is the directory of the programs that a test runs.
func programs(t *testing.T) string {
	t.Helper()
	name, _, _ := strings.Cut(t.Name(), "/")
	if dir := os.Getenv(racedBin); dir != "" && slices.Contains(raced(), name) {
		return dir
	}
	return peers.Product(t, false)
}
