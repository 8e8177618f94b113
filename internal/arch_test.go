// Package internal holds no code. Its test keeps the floor plan of docs/architecture.md.
package internal

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"path"
	"strings"
	"testing"
)

const module = "github.com/artifactctl/artifactctl/"

// room is what a package may import of this module, and which other modules or packages its own code must not import.
// Patterns are of path.Match, with "..." for everything below.
type room struct {
	ours  []string
	never []string
}

// floorPlan lists every package of the product by pattern; the first match counts, and a package without a room fails.
var floorPlan = []struct {
	packages string
	room
}{
	{"plugins/signer", room{nil, []string{"*/..."}}},
	{"plugins/signer/rpc/...", room{[]string{"plugins/signer", "plugins/signer/rpc/..."}, heavy("go-plugin", "grpc")}},
	{"plugins/signer/signertest", room{[]string{"plugins/signer"}, heavy()}},
	{"plugins/signer/cosignkey", room{[]string{"plugins/signer"}, heavy()}},
	{"plugins/signer/sigstoretuf/...", room{[]string{"plugins/signer/sigstoretuf"}, heavy()}},
	{"plugins/signer-vault", room{[]string{"plugins/signer", "plugins/signer/rpc"}, heavy("go-plugin", "grpc", "vault")}},
	{"plugins/signer-kms", room{[]string{"plugins/signer", "plugins/signer/rpc"}, heavy("go-plugin", "grpc", "vault", "aws", "azure", "gcp", "kms")}},
	{"plugins/signer-...", room{[]string{"plugins/signer/...", "plugins/signer"}, heavy("go-plugin", "grpc")}},
	{"internal/artifact", room{nil, heavy()}},
	{"internal/attest", room{[]string{"internal/artifact", "plugins/signer"}, append(heavy(), "net/http", "os", "os/exec")}},
	{"internal/attest/attesttest", room{[]string{"internal/attest", "internal/artifact", "plugins/signer"}, heavy()}},
	{"internal/changes", room{[]string{"internal/artifact"}, append(heavy(), "net/http", "os", "os/exec")}},
	{"internal/inventory", room{[]string{"internal/artifact", "internal/changes"}, append(heavy(), "net/http", "os", "os/exec")}},
	{"internal/provenance", room{[]string{"internal/inventory"}, append(heavy(), "net/http", "os", "os/exec")}},
	{"internal/redact", room{nil, []string{"*/..."}}},
	{"internal/render/...", room{[]string{"internal/artifact", "internal/render/..."}, heavy("kustomize")}},
	{"internal/finding", room{nil, append(heavy(), "net/http", "os", "os/exec")}},
	{"internal/gate", room{[]string{"internal/artifact", "internal/finding", "internal/render/cache"}, heavy("kubeconform", "jsonschema")}},
	{"internal/flux/...", room{[]string{"internal/flux/..."}, append(heavy(), "net/http", "os/exec")}},
	{"internal/registry", room{[]string{"internal/artifact", "plugins/signer"}, heavy("oras")}},
	{"internal/source", room{nil, heavy()}},
	{"internal/engine", room{[]string{"internal/artifact", "internal/attest", "internal/changes", "internal/finding", "internal/inventory", "plugins/signer"}, append(heavy(), "net/http", "os", "os/exec")}},
	{"internal/ui", room{[]string{"internal/engine", "internal/changes", "internal/finding", "internal/inventory", "internal/artifact", "internal/flux/..."}, append(heavy(), "net/http", "os/exec")}},
	{"config", room{nil, append(heavy("koanf"), "net/http", "os/exec")}},
	{"schema", room{nil, heavy()}},
	{"schema/...", room{[]string{"config", "schema/...", "internal/ui", "internal/engine"}, heavy()}},
	{"cmd/artifactctl", room{[]string{"..."}, nil}},
	{"internal", room{nil, nil}},
	{"examples/...", room{[]string{"plugins/signer", "plugins/signer/rpc"}, heavy()}},
}

// heavy lists the packages that stay behind one border each, without those whose border this room is.
func heavy(allowed ...string) []string {
	var out []string
	for name, pattern := range map[string]string{
		"cobra": "github.com/spf13/...", "koanf": "github.com/knadh/...", "oras": "oras.land/...",
		"kustomize": "sigs.k8s.io/...", "go-plugin": "github.com/hashicorp/go-plugin/...", "grpc": "google.golang.org/grpc/...",
		"vault": "github.com/hashicorp/vault/...", "aws": "github.com/aws/...", "azure": "github.com/Azure/...",
		"kubeconform": "github.com/yannh/...", "jsonschema": "github.com/santhosh-tekuri/...",
		"gcp": "cloud.google.com/...", "kms": "github.com/sigstore/sigstore/pkg/signature/kms/...",
	} {
		if !has(allowed, name) {
			out = append(out, pattern)
		}
	}
	return out
}

type listed struct {
	ImportPath string
	Imports    []string
	Standard   bool
}

func TestFloorPlan(t *testing.T) {
	for _, p := range list(t) {
		name := strings.TrimPrefix(p.ImportPath, module)
		room, ok := roomOf(name)
		if !ok {
			t.Errorf("%s has no room in the floor plan", name)
			continue
		}
		for _, imported := range p.Imports {
			own, isOurs := strings.CutPrefix(imported, module)
			if isOurs && own != name && !has(room.ours, own) {
				t.Errorf("%s must not import %s", name, own)
			}
			if !isOurs && has(room.never, imported) {
				t.Errorf("%s must not import %s", name, imported)
			}
		}
	}
}

// The plugin contract is the standard library alone, down to the last dependency.
func TestContractHasNoDependencies(t *testing.T) {
	for _, p := range goList(t, "-deps", "../plugins/signer") {
		if !p.Standard && p.ImportPath != module+"plugins/signer" {
			t.Errorf("plugins/signer depends on %s", p.ImportPath)
		}
	}
}

// The program itself links no vault and no cloud: they stay in their plugins.
func TestProgramLinksNoKeyService(t *testing.T) {
	never := []string{"github.com/hashicorp/vault/...", "github.com/aws/...", "github.com/Azure/...", "cloud.google.com/..."}
	for _, p := range goList(t, "-deps", "../cmd/artifactctl") {
		if has(never, p.ImportPath) {
			t.Errorf("artifactctl links %s", p.ImportPath)
		}
	}
}

func list(t *testing.T) []listed {
	t.Helper()
	return goList(t, "../...")
}

func goList(t *testing.T, args ...string) []listed {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", append([]string{"list", "-json=ImportPath,Imports,Standard"}, args...)...).Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			t.Fatalf("go list: %s", exit.Stderr)
		}
		t.Fatal(err)
	}
	var all []listed
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

func roomOf(name string) (room, bool) {
	for _, r := range floorPlan {
		if matches(r.packages, name) {
			return r.room, true
		}
	}
	return room{}, false
}

func has(patterns []string, name string) bool {
	for _, p := range patterns {
		if matches(p, name) {
			return true
		}
	}
	return false
}

// matches: "a/..." is a and all below it, "a-..." all that begin so, "*/..." everything with a dot in its first element
// (that is, outside the standard library).
func matches(pattern, name string) bool {
	if pattern == "..." {
		return true
	}
	if pattern == "*/..." {
		first, _, _ := strings.Cut(name, "/")
		return strings.Contains(first, ".")
	}
	prefix, below := strings.CutSuffix(pattern, "...")
	if below {
		return strings.HasPrefix(name, prefix) || name == strings.TrimSuffix(prefix, "/")
	}
	ok, err := path.Match(pattern, name)
	return err == nil && ok
}
