// Package cluster_test has a real Flux on a real API server judge what artifactctl publishes: a fleet is published by the
// real program, what `artifactctl generate flux` writes is applied as it is, and what Flux then says and does counts.
package cluster_test

import (
	"testing"

	"github.com/artifactctl/artifactctl/test/cluster"
)

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
		{"published", testPublished},
		{"bootstrap", testBootstrap},
		{"refused", testRefused},
		{"rotation", testRotation},
		{"vault-rotation", testVaultRotation},
	} {
		t.Run(group.name, func(t *testing.T) { group.test(t, w) })
	}
}
