// Package transit_test drives the built signer-vault, alone and under artifactctl, against the real transit engine.
package transit_test

import (
	"context"
	"fmt"
	"os"
	"testing"

	"github.com/artifactctl/artifactctl/test/peers"
)

// TestMain builds artifactctl and its signers once.
func TestMain(m *testing.M) {
	dir, err := peers.BuildProduct(context.Background(), false)
	if err == nil {
		err = os.Setenv(peers.PrebuiltEnv, dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}
