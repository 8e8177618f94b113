package main_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A run that fails leaves its profiles, too, says where, and keeps its exit code.
func TestProfile(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "profiles")
	cmd := exec.CommandContext(t.Context(), filepath.Join(binaries, "artifactctl"), "publish", "--file", "missing.yaml", "--profile", dir)
	cmd.Dir = t.TempDir()
	out, _ := cmd.CombinedOutput()
	if cmd.ProcessState.ExitCode() != 3 || !strings.Contains(string(out), "profiles: "+dir) {
		t.Errorf("publish exits with %d\n%s", cmd.ProcessState.ExitCode(), out)
	}
	for _, name := range []string{"cpu.pprof", "heap.pprof"} {
		content, err := os.ReadFile(filepath.Join(dir, name))
		if gzip := []byte{0x1f, 0x8b}; err != nil || !bytes.HasPrefix(content, gzip) {
			t.Errorf("%s is no profile (%v)", name, err)
		}
	}
}
