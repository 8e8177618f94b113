package keyless_test

import (
	"bytes"
	"os/exec"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/artifactctl/artifactctl/test/keyless/stack"
	"github.com/artifactctl/artifactctl/test/peers"
)

// Killed between the log entry and the attached signature, or between two writes of attaching it, the next run does what
// is missing. At no point does a tag name what is not signed.
func TestKilled(t *testing.T) {
	s := stack.Start(t)
	judge := newCosign(t, s)
	const apps = 3
	for name, arm := range map[string]func(through fronts, r *registry, kill func()){
		"when the first entry is logged": func(through fronts, _ *registry, kill func()) {
			through.rekor.watch(func(int64) { kill() })
		},
		"when the first bundle is stored": func(through fronts, r *registry, kill func()) {
			var logged atomic.Bool
			through.rekor.watch(func(int64) { logged.Store(true) })
			r.OnWrite(func(int) peers.Verdict {
				if logged.Load() {
					kill()
				}
				return peers.Answer
			})
		},
	} {
		for kind, r := range registries(t) {
			t.Run(name+"/"+kind, func(t *testing.T) {
				through := newFronts(t, s)
				f := newFleet(t, s, settings{apps: apps, with: through.with()})
				var cmd *exec.Cmd
				var once sync.Once
				started := make(chan struct{})
				arm(through, r, func() {
					<-started
					once.Do(func() { _ = cmd.Process.Kill() }) // it has ended if that fails, which Wait tells
				})
				var out bytes.Buffer
				cmd = f.command(t, r, &out, "publish")
				if err := cmd.Start(); err != nil {
					t.Fatal(err)
				}
				close(started)
				if err := cmd.Wait(); err == nil || cmd.ProcessState.Exited() {
					t.Fatalf("it was not killed: %v\n%s", err, out.String())
				}
				r.Reset()
				judge.accepts(t, s, r.tagged("edge"))
				f.must(t, r, "publish")
				f.must(t, r, "verify")
				edge := r.tagged("edge")
				if len(edge) != apps {
					t.Errorf("%d apps are published, want %d", len(edge), apps)
				}
				judge.accepts(t, s, edge)
				before, _ := r.attached()
				f.must(t, r, "publish")
				if again, _ := r.attached(); again != before {
					t.Errorf("one run more attaches %d signatures more", again-before)
				}
			})
		}
	}
}
