package flux

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

// What the command writes for a fleet, as its own test's golden files have it, is valid by Flux's definitions, and the
// command's auditor has nothing against it.
func TestCommandWritesValidObjects(t *testing.T) {
	program := filepath.Join(t.TempDir(), "artifactctl")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", program, "./cmd/artifactctl")
	build.Dir = filepath.Join("..", "..")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	script, err := txtar.ParseFile("../../cmd/artifactctl/testdata/script/generate.txtar")
	if err != nil {
		t.Fatal(err)
	}
	dir, kinds := t.TempDir(), definitions(t)
	if err := txtar.Write(script, dir); err != nil {
		t.Fatal(err)
	}
	run := func(t *testing.T, stdin []byte, args ...string) []byte {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), program, args...)
		var stderr bytes.Buffer
		cmd.Dir, cmd.Stdin, cmd.Stderr = dir, bytes.NewReader(stdin), &stderr
		cmd.Env = append(os.Environ(), "HOME="+dir, "REGISTRY=registry.example.com")
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("artifactctl %s: %v\n%s%s", strings.Join(args, " "), err, out, stderr.Bytes())
		}
		return out
	}
	for name, args := range map[string][]string{
		"keys":    nil,
		"keyless": {"--env", "keyless", "--tag-semver", ">=1.0.0", "--namespace", "gitops", "--provider", "aws", "--retry-interval", "1m"},
		"all": {"--secret-ref", "registry", "--set", "registry.tls.ca=certificate.pem", "--depends-on", "database", "--target-namespace", "web=frontend",
			"--path", "web=./deploy", "--service-account", "deployer", "--prune=false", "--wait=false", "--interval", "1h30m"},
	} {
		t.Run(name, func(t *testing.T) {
			stream := run(t, nil, append([]string{"generate", "flux"}, args...)...)
			validated := 0
			for _, object := range objects(t, stream) {
				kind := object["apiVersion"].(string) + "/" + object["kind"].(string)
				if kind == "v1/Secret" {
					continue
				}
				validated++
				if err := kinds[kind].check(t, object); err != nil {
					t.Errorf("%s: %v\n%v", kind, err, object)
				}
			}
			if validated != 6 {
				t.Errorf("%d objects were validated", validated)
			}
			audit := []string{"audit", "-", "--fail-on", "error"}
			if name == "keyless" {
				audit = append(audit, "--env", "keyless")
			}
			run(t, stream, audit...)
		})
	}
}
