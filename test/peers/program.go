package peers

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/lockedfile"
	"golang.org/x/mod/modfile"
)

// Tool is a command that a tool directive of a go.mod pins.
type Tool struct {
	Name   string // of the program
	Module string // that has it, and whose version counts
	Path   string // of the command's package
	// Dir is the directory of the go.mod, below that of this module; empty for this module's own.
	Dir string
}

func cosignTool() Tool {
	const module = "github.com/sigstore/cosign/v3"
	return Tool{Name: "cosign", Module: module, Path: module + "/cmd/cosign"}
}

func kustomizeTool() Tool {
	const module = "sigs.k8s.io/kustomize/kustomize/v5"
	return Tool{Name: "kustomize", Module: module, Path: module}
}

// Conftest returns the path of the conftest command, built from the version that tools/conftest/go.mod pins.
func Conftest(t testing.TB) string {
	const module = "github.com/open-policy-agent/conftest"
	return must(t)(BuildTool(t.Context(), Tool{Name: "conftest", Module: module, Path: module, Dir: "tools/conftest"}))
}

// Cosign returns the path of the cosign command, built from the version that go.mod pins.
func Cosign(t testing.TB) string { return must(t)(BuildCosign(t.Context())) }

// Kustomize returns the path of the kustomize command, built from the version that go.mod pins.
func Kustomize(t testing.TB) string { return must(t)(BuildKustomize(t.Context())) }

// BuildCosign is Cosign for a caller that has no test at hand.
func BuildCosign(ctx context.Context) (string, error) { return BuildTool(ctx, cosignTool()) }

// BuildKustomize is Kustomize for a caller that has no test at hand.
func BuildKustomize(ctx context.Context) (string, error) { return BuildTool(ctx, kustomizeTool()) }

func must(t testing.TB) func(string, error) string {
	return func(path string, err error) string {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return path
	}
}

// BuildTool builds a pinned command once for each version and returns its path. Processes that want it at the same time
// wait for the first one: a cold build of cosign takes minutes and need not be done twice.
func BuildTool(ctx context.Context, t Tool) (string, error) {
	dir, err := findModule()
	if err != nil {
		return "", err
	}
	from := filepath.Join(dir, filepath.FromSlash(t.Dir))
	version, err := pinned(from, t.Module)
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "bin", fmt.Sprintf("%s-%s-%s-%s", t.Name, version, runtime.Version(), runtime.GOARCH))
	unlock, err := lockPrograms(dir)
	if err != nil {
		return "", err
	}
	defer unlock()
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	fresh := path + ".new"
	if err := runGo(ctx, from, "build", "-ldflags=-s -w", "-o", fresh, t.Path); err != nil {
		return "", err
	}
	if err := os.Rename(fresh, path); err != nil {
		return "", fmt.Errorf("install %s: %w", t.Name, err)
	}
	return path, nil
}

// pinned returns the version of a module that go.mod requires.
func pinned(dir, module string) (string, error) {
	path := filepath.Join(dir, "go.mod")
	content, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("read pinned versions: %w", err)
	}
	file, err := modfile.Parse(path, content, nil)
	if err != nil {
		return "", fmt.Errorf("read pinned versions: %w", err)
	}
	for _, r := range file.Require {
		if r.Mod.Path == module {
			return r.Mod.Version, nil
		}
	}
	return "", fmt.Errorf("%s does not pin %s", path, module)
}

// Source returns the directory of the module that a tool comes from, with all of its files.
func Source(ctx context.Context, t Tool) (string, error) {
	dir, err := findModule()
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, "go", "mod", "download", "-json", t.Module)
	cmd.Dir = filepath.Join(dir, filepath.FromSlash(t.Dir))
	out, err := cmd.Output()
	var module struct{ Dir string }
	if err == nil {
		err = json.Unmarshal(out, &module)
	}
	if err != nil {
		return "", fmt.Errorf("find the source of %s: %w\n%s", t.Name, err, out)
	}
	return module.Dir, nil
}

// BuildPeer builds the program of a directory of one of the modules below this one and returns its path. It is built
// whenever its sources changed.
func BuildPeer(ctx context.Context, module, dir string) (string, error) {
	above, err := findModule()
	if err != nil {
		return "", err
	}
	unlock, err := lockPrograms(above)
	if err != nil {
		return "", err
	}
	defer unlock()
	path := filepath.Join(above, "bin", module+"-"+dir)
	return path, runGo(ctx, filepath.Join(above, module), "build", "-o", path, "./"+dir)
}

// PrebuiltEnv names a variable with a directory that holds artifactctl and its signers; Product then builds nothing.
const PrebuiltEnv = "ARTIFACTCTL_TEST_BIN"

// Product builds artifactctl and every signer plugin from the tree around this module into one directory and returns
// it. With race, the programs report data races on stderr and exit with 66. Variable PrebuiltEnv overrides both.
func Product(t testing.TB, race bool) string { return must(t)(BuildProduct(t.Context(), race)) }

// BuildProduct is Product for a caller that has no test at hand.
func BuildProduct(ctx context.Context, race bool) (string, error) {
	if dir := os.Getenv(PrebuiltEnv); dir != "" {
		return dir, nil
	}
	dir, err := findModule()
	if err != nil {
		return "", err
	}
	unlock, err := lockPrograms(dir)
	if err != nil {
		return "", err
	}
	defer unlock()
	out, args := filepath.Join(dir, "bin", "product"), []string{"build"}
	if race {
		out, args = out+"-race", append(args, "-race")
	}
	args = append(args, "-o", out+string(filepath.Separator), "./cmd/...", "./plugins/...")
	return out, runGo(ctx, filepath.Dir(dir), args...)
}

func runGo(ctx context.Context, dir string, args ...string) error {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return nil
}

// lockPrograms makes the directory of built programs, if need be, and keeps other processes from building there.
func lockPrograms(module string) (unlock func(), err error) {
	bin := filepath.Join(module, "bin")
	if err := os.MkdirAll(bin, 0o755); err != nil {
		return nil, fmt.Errorf("make the directory of programs: %w", err)
	}
	unlock, err = lockedfile.MutexAt(filepath.Join(bin, "lock")).Lock()
	if err != nil {
		return nil, fmt.Errorf("lock the directory of programs: %w", err)
	}
	return unlock, nil
}

// ModuleDir returns the directory of this module; the product's module is its parent.
func ModuleDir(t testing.TB) string {
	t.Helper()
	return must(t)(findModule())
}

// findModule walks up from the working directory, which for a test is the directory of its package.
func findModule() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("find the test module: %w", err)
	}
	for {
		mod, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err == nil && bytes.HasPrefix(mod, []byte("module github.com/artifactctl/artifactctl/test\n")) {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("find the test module: no go.mod of it above the working directory")
		}
		dir = parent
	}
}
