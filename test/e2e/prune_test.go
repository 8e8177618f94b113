package e2e_test

import (
	"strings"
	"testing"

	"github.com/artifactctl/artifactctl/test/fixture"
	"github.com/artifactctl/artifactctl/test/oracle"
	"github.com/artifactctl/artifactctl/test/peers"
)

// What is pruned goes with its signatures and its tag; everything that other tags name still verifies, and publishing
// goes on as if nothing had been there.
func TestPrune(t *testing.T) {
	cosign := oracle.NewCosign(t)
	for _, kind := range []string{peers.DistributionKind, peers.ReferrersKind} {
		t.Run(kind, func(t *testing.T) {
			fleet := fixture.NewFleet(t, fixture.Options{Apps: 1, Format: "both", Attest: true, Key: fixture.NewKey(t, "p256")})
			r := registryOf(t, kind)
			publish(t, fleet, url(r))
			old := subjects(t, fleet, r)
			addReferrers(t, old[:1])
			if err := fleet.Write("clusters/prod/apps.yaml", "kind: Namespace\n"); err != nil {
				t.Fatal(err)
			}
			publish(t, fleet, url(r), "--allow-dirty", "--set", "tags.commit=")
			before := published(t, fleet, r)
			guard(t, fleet, r)
			got := finish(t, command(t.Context(), t, fleet, url(r), nil, "prune", "--keep-last", "0", "--older-than", "0d", "--delete"))
			if got.code != 0 || !strings.Contains(got.stdout, "1 artifact deleted") {
				t.Fatalf("prune exits with %d\n%s%s", got.code, got.stdout, got.stderr)
			}
			after := published(t, fleet, r)
			gone := 0
			for tag := range before {
				if after[tag] == "" {
					gone++
				}
			}
			if gone != 1 || len(after) != len(before)-1 {
				t.Errorf("tags %v, before %v", after, before)
			}
			for _, ref := range subjects(t, fleet, r) {
				if err := cosign.Verify(t.Context(), ref, fleet.Key.Path); err != nil {
					t.Error(err)
				}
			}
			for _, ref := range old {
				if !strings.Contains(ref, "/manifests@") {
					continue // its content did not change
				}
				if found, err := oracle.Referrers(t.Context(), ref); err != nil || len(found) != 0 {
					t.Errorf("referrers of what is gone: %v %v", found, err)
				}
			}
			checkSigned(t, fleet, r)
		})
	}
}
