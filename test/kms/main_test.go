// Package kms_test drives the built signer-kms, alone and under artifactctl, against what plays AWS, Google Cloud and
// Azure, against the real transit engine, and with a program that follows sigstore's protocol for such.
package kms_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/artifactctl/artifactctl/test/peers"
)

// programEnv names a variable with the directory of the built sigstore-kms-sealed.
const programEnv = "KMS_TEST_PROGRAMS"

// TestMain builds artifactctl, its signers and the program once.
func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (int, error) {
	dir, err := peers.BuildProduct(context.Background(), false)
	if err != nil {
		return 1, err
	}
	programs, err := os.MkdirTemp("", "kms-programs-")
	if err != nil {
		return 1, err
	}
	defer func() { _ = os.RemoveAll(programs) }()
	cmd := exec.Command("go", "build", "-o", filepath.Join(programs, "sigstore-kms-sealed"), "./sigstore-kms-sealed")
	if out, err := cmd.CombinedOutput(); err != nil {
		return 1, fmt.Errorf("build the program: %w\n%s", err, out)
	}
	for name, value := range map[string]string{peers.PrebuiltEnv: dir, programEnv: programs} {
		if err := os.Setenv(name, value); err != nil {
			return 1, err
		}
	}
	return m.Run(), nil
}
