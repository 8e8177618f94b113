package interop_test

import (
	"bytes"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"

	"github.com/artifactctl/artifactctl/internal/artifact"
	"github.com/artifactctl/artifactctl/internal/render"
	"github.com/artifactctl/artifactctl/test/fixture"
	"github.com/artifactctl/artifactctl/test/peers"
)

// Every app renders to exactly what `kustomize build` prints for it in a process of its own, whatever was rendered
// before and beside it; what kustomize refuses is refused.
func TestRenderIsKustomize(t *testing.T) {
	apps := corpus(t)
	want := make(map[string][]byte)
	for _, dir := range apps {
		want[dir] = kustomize(t, dir)
	}
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	pool := render.NewPool(render.PoolOptions{Command: []string{executable, workerArgument}, Workers: 3})
	t.Cleanup(func() {
		if err := pool.Close(); err != nil {
			t.Error(err)
		}
	})
	order := rand.New(rand.NewPCG(1, 2))
	for range 3 {
		order.Shuffle(len(apps), func(i, j int) { apps[i], apps[j] = apps[j], apps[i] })
		var group errgroup.Group
		for _, dir := range apps {
			group.Go(func() error {
				compare(t, pool, dir, want[dir])
				return nil
			})
		}
		if err := group.Wait(); err != nil {
			t.Fatal(err)
		}
	}
}

func compare(t *testing.T, pool *render.Pool, dir string, want []byte) {
	got, err := pool.Render(t.Context(), render.Request{Dir: dir, Root: filepath.Dir(filepath.Dir(dir))})
	if (err != nil) != (want == nil) {
		t.Errorf("%s: got %v, kustomize succeeds %t", dir, err, want != nil)
		return
	}
	if err == nil && !bytes.Equal(got.Files[artifact.ManifestsFile], want) {
		t.Errorf("%s (-kustomize +artifactctl):\n%s", dir, cmp.Diff(string(want), string(got.Files[artifact.ManifestsFile])))
	}
}

// kustomize returns what the command prints for dir; nil when it refuses.
func kustomize(t *testing.T, dir string) []byte {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), peers.Kustomize(t), "build", dir)
	out, err := cmd.Output()
	if err != nil {
		return nil
	}
	return out
}

// corpus lists the directories with a kustomization in the examples, in a generated fleet, and in testdata, where the
// apps stand that disturb their neighbours or that kustomize refuses. Each is two levels below the root it may read.
func corpus(t *testing.T) []string {
	t.Helper()
	fleet := fixture.NewFleet(t, fixture.Options{Apps: 3})
	module := peers.ModuleDir(t)
	var dirs []string
	for _, root := range []string{filepath.Join(module, "..", "examples"), fleet.Dir, filepath.Join(module, "interop", "testdata", "apps")} {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err == nil && d.Name() == "kustomization.yaml" {
				dirs = append(dirs, filepath.Dir(path))
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(dirs) < 12 {
		t.Fatalf("only %d apps to compare", len(dirs))
	}
	return dirs
}
