package e2e_test

import (
	"maps"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fluxcd/pkg/oci"

	"github.com/artifactctl/artifactctl/test/fixture"
	"github.com/artifactctl/artifactctl/test/oracle"
	"github.com/artifactctl/artifactctl/test/peers"
)

// A fleet that the flux CLI pushed, without content digests and without signatures, differs in nothing: its artifacts
// keep their digests and tags, and publish only signs them.
func TestArtifactsOfFluxAreKeptAndSigned(t *testing.T) {
	key := fixture.NewKey(t, "p256")
	fleet := fixture.NewFleet(t, fixture.Options{Apps: 2, Key: key})
	for _, r := range peers.Registries(t) {
		t.Run(r.Kind, func(t *testing.T) {
			for _, repository := range fleet.Repositories {
				app := strings.TrimPrefix(repository, "fleet/")
				if app == "manifests" {
					app = "flux-system"
				}
				dir := filepath.Join(t.TempDir(), app)
				if got := finish(t, command(t.Context(), t, fleet, url(r), nil, "render", app, "--dir", dir)); got.code != 0 {
					t.Fatalf("render exits with %d\n%s", got.code, got.stderr)
				}
				meta := oci.Metadata{Source: "https://git.example.com/org/fleet", Revision: "main@sha1:" + strings.Repeat("1", 40)}
				if _, err := oracle.FluxPush(t.Context(), direct(r, repository)+":edge", dir, meta); err != nil {
					t.Fatal(err)
				}
			}
			before := published(t, fleet, r)
			plan := finish(t, command(t.Context(), t, fleet, url(r), nil, "plan", "-o", "json"))
			if plan.code != 0 || !strings.Contains(plan.stdout, `"unchanged": 3`) || !strings.Contains(plan.stdout, `"healed": 3`) {
				t.Fatalf("plan exits with %d\n%s%s", plan.code, plan.stdout, plan.stderr)
			}
			publish(t, fleet, url(r))
			if after := published(t, fleet, r); !maps.Equal(after, before) {
				t.Errorf("tags %v, before %v", after, before)
			}
			checkSigned(t, fleet, r)
			nothingToDo(t, fleet, r)
		})
	}
}
