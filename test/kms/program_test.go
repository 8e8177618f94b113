package kms_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/artifactctl/artifactctl/plugins/signer"
	"github.com/artifactctl/artifactctl/test/fixture"
)

// newProgram makes a key and returns the options for it and the variables that the program needs.
func newProgram(t *testing.T, algorithm string) (with map[string]any, env []string) {
	t.Helper()
	dir := t.TempDir()
	key := fixture.NewKey(t, algorithm)
	if err := os.WriteFile(filepath.Join(dir, "artifacts"), key.Private, 0o600); err != nil {
		t.Fatal(err)
	}
	program := copyProgram(t)
	return map[string]any{"key": "sealed://artifacts", "program": program, "sha256": checksum(t, program)},
		[]string{"SEALED_DIR=" + dir, "SEALED_PASSWORD=" + sealedPassword}
}

// copyProgram puts the program into a directory of its own.
func copyProgram(t *testing.T) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(os.Getenv(programEnv), "sigstore-kms-sealed"))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "sigstore-kms-sealed")
	if err := os.WriteFile(path, content, 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

func checksum(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

func TestProgramConformance(t *testing.T) {
	for algorithm, want := range map[string]string{"p256": "ecdsa-p256-sha256", "p384": "ecdsa-p384-sha256", "rsa2048": "rsa-pkcs1v15-2048-sha256", "ed25519": "ed25519"} {
		t.Run(algorithm, func(t *testing.T) {
			with, env := newProgram(t, algorithm)
			conform(t, env, with, want)
		})
	}
}

// Only the file that is named and pinned is run, and never one that PATH offers.
func TestProgramIsTheOneThatIsPinned(t *testing.T) {
	with, env := newProgram(t, "p256")
	evil := t.TempDir()
	if err := os.WriteFile(filepath.Join(evil, "sigstore-kms-sealed"), []byte("#!/bin/sh\ntouch "+evil+"/ran\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	p := start(t, append(env, "PATH="+evil)...)
	if _, err := p.Open(t.Context(), with); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Sign(t.Context(), request()); err != nil {
		t.Fatal(err)
	}
	path, _ := with["program"].(string)
	if err := os.WriteFile(path, []byte("#!/bin/sh\ntouch "+evil+"/ran\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	_, err := p.Sign(t.Context(), request())
	want(t, err, signer.ErrInvalid, "is pinned; it was not started", "")
	if _, err := os.Stat(filepath.Join(evil, "ran")); err == nil {
		t.Error("another program was run")
	}
}

func TestProgramFailures(t *testing.T) {
	with, env := newProgram(t, "p256")
	tests := map[string]struct {
		key        string
		class      error
		text, hint string
	}{
		"its own error": {"sealed://missing", nil, "the program says: open the seal with ***: no such key", ""},
		"no protocol":   {"sealed://garbage", signer.ErrInvalid, "not of sigstore's protocol v1", "standard error"},
		"crash":         {"sealed://crash", signer.ErrInvalid, "not of sigstore's protocol v1", "standard error"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := start(t, env...).Open(t.Context(), map[string]any{"key": tt.key, "program": with["program"], "sha256": with["sha256"]})
			want(t, err, tt.class, tt.text, tt.hint)
		})
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	began := time.Now()
	if _, err := start(t, env...).Open(ctx, map[string]any{"key": "sealed://hang", "program": with["program"], "sha256": with["sha256"]}); err == nil || time.Since(began) > 10*time.Second {
		t.Errorf("after %s: %v", time.Since(began), err)
	}
}
