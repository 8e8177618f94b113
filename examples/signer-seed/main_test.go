package main

import (
	"encoding/base64"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/artifactctl/artifactctl/plugins/signer"
	"github.com/artifactctl/artifactctl/plugins/signer/rpc"
	"github.com/artifactctl/artifactctl/plugins/signer/signertest"
)

// seed is the one that its name promises: the signatures of this test are worth nothing.
func seed() string { return base64.StdEncoding.EncodeToString(make([]byte, 32)) }

func TestSigner(t *testing.T) {
	t.Setenv("SEED", seed())
	signertest.Run(t, signertest.Suite{
		New:           func(*testing.T) (signer.Signer, map[string]any) { return &seedSigner{}, nil },
		Deterministic: true,
	})
}

// As artifactctl starts it.
func TestPlugin(t *testing.T) {
	program := filepath.Join(t.TempDir(), "signer-seed")
	if runtime.GOOS == "windows" {
		program += ".exe"
	}
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	signertest.Run(t, signertest.Suite{
		New: func(t *testing.T) (signer.Signer, map[string]any) {
			p, err := rpc.Start(t.Context(), rpc.StartOptions{Name: "seed", Path: program, Dir: t.TempDir(), Env: []string{"SEED=" + seed()}})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = p.Close() })
			return p, nil
		},
		Deterministic: true,
	})
}

// What the documentation shows is what was tested, to the letter.
func TestDocsShowTheExample(t *testing.T) {
	docs, err := os.ReadFile("../../docs/plugins.md")
	if err != nil {
		t.Fatal(err)
	}
	code, err := os.ReadFile("main.go")
	if err != nil {
		t.Fatal(err)
	}
	_, example, found := strings.Cut(string(code), "\npackage main")
	if !found || !strings.Contains(string(docs), "package main"+example+"```") {
		t.Error("docs/plugins.md does not show main.go")
	}
}
