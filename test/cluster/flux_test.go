// Package cluster_test has a real Flux on a real API server judge what artifactctl publishes: a fleet is published by the
// real program, what `artifactctl generate flux` writes is applied as it is, and what Flux then says and does counts.
package cluster_test

import (
	"context"
	"fmt"
	"os"
	"testing"

	"github.com/artifactctl/artifactctl/test/cluster"
	"github.com/artifactctl/artifactctl/test/peers"
)

// TestMain builds artifactctl and its signers once, if they are needed.
func TestMain(m *testing.M) {
	if os.Getenv(cluster.Env) != "" {
		dir, err := peers.BuildProduct(context.Background(), false)
		if err == nil {
			err = os.Setenv(peers.PrebuiltEnv, dir)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

// world is what the tests share: a cluster with Flux, in which each has a namespace of its own, and the services that
// sign.
type world struct {
	*cluster.Cluster
	vault    *vault
	sigstore *sigstore
}

// TestFlux runs everything in one cluster: starting one for each test would take longer than the tests.
func TestFlux(t *testing.T) {
	c := cluster.Start(t)
	c.Flux(t)
	w := &world{Cluster: c, vault: startVault(t), sigstore: startSigstore(t)}
	for _, group := range []struct {
		name string
		test func(*testing.T, *world)
	}{
		{"gate", testGate},
		{"published", testPublished},
		{"bootstrap", testBootstrap},
		{"refused", testRefused},
		{"matrix", testMatrix},
		{"promotion", testPromotion},
		{"rotation", testRotation},
		{"vault-rotation", testVaultRotation},
	} {
		t.Run(group.name, func(t *testing.T) { group.test(t, w) })
	}
}
