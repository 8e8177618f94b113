package peers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
)

// The flux command is of a module whose requirements contradict ours, so no go.mod here can pin it.
const (
	fluxModule  = "github.com/fluxcd/flux2/v2"
	fluxVersion = "v2.9.5"
)

// BuildFlux returns the path of the flux command. Its module is fetched and built by its own go.mod, once: that takes
// minutes. Flux embeds manifests that its release process makes and its module lacks; an empty one takes their place,
// which `flux install` would miss, and nothing that works with artifacts does.
func BuildFlux(ctx context.Context) (path string, err error) {
	dir, err := findModule()
	if err != nil {
		return "", err
	}
	path = filepath.Join(dir, "bin", fmt.Sprintf("flux-%s-%s-%s", fluxVersion, runtime.Version(), runtime.GOARCH))
	unlock, err := lockPrograms(dir)
	if err != nil {
		return "", err
	}
	defer unlock()
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	tree, err := os.MkdirTemp("", "flux-")
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(tree)) }()
	if err := copyModule(ctx, tree, fluxModule+"@"+fluxVersion); err != nil {
		return "", err
	}
	manifests := filepath.Join(tree, "cmd", "flux", "manifests")
	if err := os.MkdirAll(manifests, 0o755); err != nil {
		return "", err
	}
	if err := os.WriteFile(filepath.Join(manifests, "none.yaml"), []byte("{}\n"), 0o644); err != nil {
		return "", err
	}
	fresh := path + ".new"
	if err := runGo(ctx, tree, "build", "-ldflags=-s -w -X main.VERSION="+fluxVersion[1:], "-o", fresh, "./cmd/flux"); err != nil {
		return "", err
	}
	if err := os.Rename(fresh, path); err != nil {
		return "", fmt.Errorf("install flux: %w", err)
	}
	return path, nil
}

// copyModule fetches a module and copies its files into dir, where they can be added to.
func copyModule(ctx context.Context, dir, module string) error {
	cmd := exec.CommandContext(ctx, "go", "mod", "download", "-json", module)
	cmd.Dir = dir // no go.mod: the version is taken as it is
	out, err := cmd.Output()
	var told struct{ Dir, Error string }
	if jerr := json.Unmarshal(out, &told); jerr != nil {
		return fmt.Errorf("fetch %s: %w", module, errors.Join(err, jerr))
	}
	if told.Error != "" {
		return fmt.Errorf("fetch %s: %s", module, told.Error)
	}
	return os.CopyFS(dir, os.DirFS(told.Dir))
}
