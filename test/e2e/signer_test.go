package e2e_test

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/artifactctl/artifactctl/test/fixture"
	"github.com/artifactctl/artifactctl/test/peers"
)

// However artifactctl ends, its children end with it: signers and renderers hold keys and memory.
func TestNoProcessOutlivesItsHost(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("processes are found through /proc")
	}
	fleet := fixture.NewFleet(t, fixture.Options{Apps: 2, Key: fixture.NewKey(t, "p256")})
	bin := ownPrograms(t)
	t.Setenv(peers.PrebuiltEnv, bin)
	r := peers.WithReferrers(t)
	publish(t, fleet, url(r))
	waitForNone(t, bin, "a run that ended well")
	for n := 1; n < 12; n += 3 {
		r := peers.WithReferrers(t)
		if !killAfter(t, fleet, r, n) {
			t.Fatal("the run ended before it could be killed")
		}
		waitForNone(t, bin, "a killed run")
	}
}

// ownPrograms links the built programs into a directory of this test, so that their processes can be told apart.
func ownPrograms(t *testing.T) string {
	t.Helper()
	from := programs(t)
	dir, err := os.MkdirTemp(filepath.Dir(from), "own-") //nolint:usetesting // links need the same file system
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	entries, err := os.ReadDir(from)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if err := os.Link(filepath.Join(from, e.Name()), filepath.Join(dir, e.Name())); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// waitForNone waits until no process runs a program of dir, and fails the test when one stays.
func waitForNone(t *testing.T, dir, after string) {
	t.Helper()
	again, enough := time.NewTicker(20*time.Millisecond), time.After(15*time.Second) // a foreign process cannot be waited for
	defer again.Stop()
	for left := processes(t, dir); len(left) > 0; left = processes(t, dir) {
		select {
		case <-again.C:
		case <-enough:
			t.Fatalf("after %s these processes are left: %v", after, left)
		}
	}
}

// processes lists the programs of dir that are running.
func processes(t *testing.T, dir string) []string {
	t.Helper()
	links, err := filepath.Glob("/proc/[0-9]*/exe")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, link := range links {
		target, err := os.Readlink(link)
		if err == nil && strings.HasPrefix(target, dir+string(filepath.Separator)) {
			found = append(found, filepath.Base(target)+" "+filepath.Base(filepath.Dir(link)))
		}
	}
	return found
}
