package e2e_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/artifactctl/artifactctl/test/fixture"
	"github.com/artifactctl/artifactctl/test/peers"
)

// result is what a run of artifactctl left behind.
type result struct {
	stdout, stderr string
	code           int // -1 when a signal ended it
}

// command prepares a run of artifactctl in the working tree of a fleet against a registry ("oci://…", "oci-layout:…").
// Its environment is small and its home empty; later entries of env win.
func command(ctx context.Context, t *testing.T, fleet *fixture.Fleet, registry string, env []string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(ctx, filepath.Join(programs(t), "artifactctl"), args...)
	cmd.Dir = fleet.Dir
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "NO_COLOR=1"}, fleet.Env(registry)...)
	cmd.Env = append(cmd.Env, env...)
	cmd.WaitDelay = 20 * time.Second // somebody holds its output though it is gone: an error then, not a hang
	return cmd
}

// finish runs cmd to its end.
func finish(t *testing.T, cmd *exec.Cmd) result {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatalf("run %s: %v", strings.Join(cmd.Args, " "), err)
	}
	r := result{stdout: stdout.String(), stderr: stderr.String(), code: cmd.ProcessState.ExitCode()}
	r.checkRace(t)
	return r
}

// checkRace fails the test when the race detector of the program has found something.
func (r result) checkRace(t *testing.T) {
	t.Helper()
	if strings.Contains(r.stdout+r.stderr, "DATA RACE") {
		t.Fatalf("artifactctl has a data race:\n%s", r.stderr)
	}
}

// publish runs `artifactctl publish`, which has to succeed.
func publish(t *testing.T, fleet *fixture.Fleet, registry string, args ...string) result {
	t.Helper()
	r := finish(t, command(t.Context(), t, fleet, registry, nil, append([]string{"publish"}, args...)...))
	if r.code != 0 {
		t.Fatalf("publish exits with %d\n%s%s", r.code, r.stdout, r.stderr)
	}
	return r
}

// url is the address under which a fleet is published to a registry.
func url(r *peers.Registry) string { return "oci://" + r.Host + "/org" }
