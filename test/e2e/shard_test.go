package e2e_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/artifactctl/artifactctl/test/fixture"
	"github.com/artifactctl/artifactctl/test/oracle"
	"github.com/artifactctl/artifactctl/test/peers"
)

// shards is how many processes share a fleet in these tests.
const shards = 4

// Four processes publish a fleet side by side and end where one process ends, though one of them was killed and begun
// again. In a release no tag moves before every shard is complete.
func TestShards(t *testing.T) {
	for _, kind := range []string{peers.DistributionKind, peers.ReferrersKind} {
		for _, release := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/release=%t", kind, release), func(t *testing.T) {
				fleet := fixture.NewFleet(t, fixture.Options{Apps: 8, Key: fixture.NewKey(t, "p256")})
				phase := []string{}
				if release {
					phase = []string{"--phase", "push"}
					if err := fleet.Release(t.Context(), "v1.0.0"); err != nil {
						t.Fatal(err)
					}
				}
				want, _ := undisturbed(t, fleet, kind)
				r := registryOf(t, kind)
				guard(t, fleet, r)
				if !killAfter(t, fleet, r, 3, append(phase, "--shard", "1/4")...) {
					t.Fatal("the first shard was not killed")
				}
				r.OnWrite(nil)
				side(t, fleet, r, 2, phase)
				if release {
					refuseToTag(t, fleet, r)
				}
				side(t, fleet, r, 1, phase)
				if release {
					publish(t, fleet, url(r), "--phase", "tag")
				}
				if got := published(t, fleet, r); !maps.Equal(got, want) {
					t.Errorf("the shards end at %v, want %v", got, want)
				}
				checkSigned(t, fleet, r)
				for _, ref := range subjects(t, fleet, r) {
					if found, err := oracle.Referrers(t.Context(), ref); err != nil || len(found) != 1 {
						t.Errorf("%s has %d referrers (%v), want one", ref, len(found), err)
					}
				}
				nothingToDo(t, fleet, r)
			})
		}
	}
}

// side runs the shards from one to the last at the same time, each a process of its own, and merges their reports when
// they are all.
func side(t *testing.T, fleet *fixture.Fleet, r *peers.Registry, first int, phase []string) {
	t.Helper()
	results := make([]result, shards+1)
	var g sync.WaitGroup
	for i := first; i <= shards; i++ {
		cmd := command(t.Context(), t, fleet, url(r), []string{fmt.Sprint("CI_NODE_INDEX=", i), fmt.Sprint("CI_NODE_TOTAL=", shards)},
			append([]string{"publish", "--shard", "auto", "-o", "json"}, phase...)...)
		g.Go(func() { results[i] = finish(t, cmd) })
	}
	g.Wait()
	merge := []string{"report", "merge"}
	for i := first; i <= shards; i++ {
		if results[i].code != 0 {
			t.Fatalf("shard %d exits with %d\n%s%s", i, results[i].code, results[i].stdout, results[i].stderr)
		}
		file := filepath.Join(t.TempDir(), fmt.Sprint("shard-", i, ".json"))
		if err := os.WriteFile(file, []byte(results[i].stdout), 0o600); err != nil {
			t.Fatal(err)
		}
		merge = append(merge, file)
	}
	merged := finish(t, command(t.Context(), t, fleet, url(r), nil, merge...))
	if complete := first == 1; complete != (merged.code == 0) {
		t.Errorf("merging from shard %d exits with %d\n%s%s", first, merged.code, merged.stdout, merged.stderr)
	}
}

// refuseToTag checks that the tags of a release stay where they are while a shard is missing.
func refuseToTag(t *testing.T, fleet *fixture.Fleet, r *peers.Registry) {
	t.Helper()
	got := finish(t, command(t.Context(), t, fleet, url(r), nil, "publish", "--phase", "tag"))
	if got.code != 1 || !strings.Contains(got.stdout, "is not ") {
		t.Errorf("tagging without a shard exits with %d\n%s%s", got.code, got.stdout, got.stderr)
	}
	if tags := published(t, fleet, r); len(tags) != 0 {
		t.Errorf("tags moved before every shard was complete: %v", tags)
	}
}
