package e2e_test

import (
	"bytes"
	"fmt"
	"maps"
	"os/exec"
	"testing"

	"github.com/artifactctl/artifactctl/test/fixture"
	"github.com/artifactctl/artifactctl/test/oracle"
	"github.com/artifactctl/artifactctl/test/peers"
)

// The process is killed after every single write that the registry stores, before it learns of it: on both kinds of
// registry, publishing a branch and publishing a release. At no moment does a tag name unsigned bytes; one more run ends
// at the digests of a run that nobody disturbed; and a third has nothing left to do.
func TestCrashMatrix(t *testing.T) {
	for _, kind := range []string{peers.DistributionKind, peers.ReferrersKind} {
		for _, release := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/release=%t", kind, release), func(t *testing.T) {
				t.Parallel()
				fleet := fixture.NewFleet(t, fixture.Options{Apps: 1, Key: fixture.NewKey(t, "p256")})
				if release {
					if err := fleet.Release(t.Context(), "v1.0.0"); err != nil {
						t.Fatal(err)
					}
				}
				want, writes := undisturbed(t, fleet, kind)
				if release != (want["manifests:1.0.0"] != "") || len(want) < len(fleet.Repositories) {
					t.Fatalf("an undisturbed run makes the tags %v", want)
				}
				for n := 1; n <= writes; n++ {
					t.Run(fmt.Sprint("write ", n, " of ", writes), func(t *testing.T) { crash(t, fleet, kind, n, want) })
				}
			})
		}
	}
}

// undisturbed publishes to a fresh registry and returns what its tags name then, and how many writes that took.
func undisturbed(t *testing.T, fleet *fixture.Fleet, kind string) (tags map[string]string, writes int) {
	t.Helper()
	r := registryOf(t, kind)
	guard(t, fleet, r)
	publish(t, fleet, url(r))
	return published(t, fleet, r), r.Writes()
}

// crash kills a run after write n, and looks at what is there then and after one and two more runs.
func crash(t *testing.T, fleet *fixture.Fleet, kind string, n int, want map[string]string) {
	r := registryOf(t, kind)
	guard(t, fleet, r)
	// A blob that two apps share is sent by one or by both, so that a run may need a write less than the first one did.
	if !killAfter(t, fleet, r, n) && r.Writes() >= n {
		t.Fatal("the run was not killed")
	}
	checkSigned(t, fleet, r)
	for tag, digest := range published(t, fleet, r) {
		if want[tag] != digest {
			t.Errorf("the killed run left %s at %s, want %s or nothing", tag, digest, want[tag])
		}
	}
	r.OnWrite(nil)
	publish(t, fleet, url(r))
	if got := published(t, fleet, r); !maps.Equal(got, want) {
		t.Errorf("one more run ends at %v, want %v", got, want)
	}
	checkSigned(t, fleet, r)
	for _, ref := range subjects(t, fleet, r) {
		if found, err := oracle.Referrers(t.Context(), ref); err != nil || len(found) != 1 {
			t.Errorf("%s has %d referrers (%v), want one", ref, len(found), err)
		}
	}
	nothingToDo(t, fleet, r)
}

// killAfter publishes, and kills artifactctl when the registry has stored the n-th write; nobody tells it of that
// write. It reports whether the run got that far.
func killAfter(t *testing.T, fleet *fixture.Fleet, r *peers.Registry, n int, args ...string) bool {
	t.Helper()
	return killRun(t, command(t.Context(), t, fleet, url(r), nil, append([]string{"publish"}, args...)...), r, n)
}

// killRun is killAfter for any command that writes to a registry.
func killRun(t *testing.T, cmd *exec.Cmd, r *peers.Registry, n int) bool {
	t.Helper()
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	gone := make(chan struct{})
	r.OnWrite(func(i int) peers.Verdict {
		if i < n {
			return peers.Answer
		}
		if err := cmd.Process.Kill(); err == nil {
			<-gone
		}
		return peers.Cut
	})
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // killed: that is the point
	close(gone)
	result{stderr: output.String()}.checkRace(t)
	return cmd.ProcessState.ExitCode() == -1
}

func registryOf(t *testing.T, kind string) *peers.Registry {
	t.Helper()
	if kind == peers.DistributionKind {
		return peers.Distribution(t)
	}
	return peers.WithReferrers(t)
}
