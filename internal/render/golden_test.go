package render

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
	"golang.org/x/sync/errgroup"

	"github.com/artifactctl/artifactctl/internal/artifact"
)

// goldenVariable names the kustomize command that writes the expected output into testdata/corpus anew:
//
//	GOBIN=/somewhere go install sigs.k8s.io/kustomize/kustomize/v5@v5.8.2
//	RENDER_GOLDEN_FROM=/somewhere/kustomize go test -run Golden ./internal/render
const goldenVariable = "RENDER_GOLDEN_FROM"

// example is one app of the corpus, unpacked.
type example struct {
	name string
	root string
	want []byte
}

// corpus unpacks testdata/corpus. What the kustomize command made of directory app is in the file want.yaml of each
// archive.
func corpus(t testing.TB) []example {
	t.Helper()
	paths, err := filepath.Glob("testdata/corpus/*.txtar")
	if err != nil || len(paths) < 15 {
		t.Fatalf("found %d archives, error %v", len(paths), err)
	}
	var examples []example
	for _, path := range paths {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		e := example{name: strings.TrimSuffix(filepath.Base(path), ".txtar"), root: unpack(t, string(content))}
		if command := os.Getenv(goldenVariable); command != "" {
			writeGolden(t, command, path, e.root)
		}
		if e.want, err = os.ReadFile(filepath.Join(e.root, "want.yaml")); err != nil {
			t.Fatal(err)
		}
		examples = append(examples, e)
	}
	return examples
}

func writeGolden(t testing.TB, command, path, root string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), command, "build", ".")
	cmd.Dir = filepath.Join(root, "app")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	archive, err := txtar.ParseFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var files []txtar.File
	for _, f := range archive.Files {
		if f.Name != "want.yaml" {
			files = append(files, f)
		}
	}
	archive.Files = append(files, txtar.File{Name: "want.yaml", Data: out})
	write(t, path, txtar.Format(archive))
	write(t, filepath.Join(root, "want.yaml"), out)
}

func check(t testing.TB, p *Pool, e example) {
	t.Helper()
	result, err := p.Render(t.Context(), request(e.root))
	if err != nil {
		t.Errorf("%s: %v", e.name, err)
		return
	}
	if got := result.Files[artifact.ManifestsFile]; len(result.Files) != 1 || !bytes.Equal(got, e.want) {
		t.Errorf("%s: got\n%s\nwant\n%s", e.name, got, e.want)
	}
}

func TestOutputIsThatOfTheKustomizeCommand(t *testing.T) {
	p := newPool(t, poolOptions(roleWorker))
	for _, e := range corpus(t) {
		t.Run(e.name, func(t *testing.T) { check(t, p, e) })
	}
}

func TestGoldenOrderDoesNotMatter(t *testing.T) {
	o := poolOptions(roleWorker)
	o.Workers = 1 // all builds share one process
	p := newPool(t, o)
	var examples []example
	for _, e := range corpus(t) {
		if strings.HasPrefix(e.name, "openapi-") || slices.Contains([]string{"victim", "overlay", "custom-kind"}, e.name) {
			examples = append(examples, e)
		}
	}
	for i, first := range examples { // each of them runs right after each other one
		check(t, p, first)
		for _, second := range examples[i+1:] {
			check(t, p, second)
			check(t, p, first)
		}
	}
}

func TestGoldenConcurrently(t *testing.T) {
	o := poolOptions(roleWorker)
	o.Workers = 3
	p := newPool(t, o)
	examples := corpus(t)
	var group errgroup.Group
	for caller := range 8 {
		group.Go(func() error {
			for i := range len(examples) / 2 {
				check(t, p, examples[(i*7+caller*3)%len(examples)])
			}
			return nil
		})
	}
	_ = group.Wait()
}

func TestSchemaBehindSymbolicLinkDoesNotLeak(t *testing.T) {
	o := poolOptions(roleWorker)
	o.Workers = 1
	p := newPool(t, o)
	var victim, poisoner example
	for _, e := range corpus(t) {
		switch e.name {
		case "victim":
			victim = e
		case "openapi-top-id":
			poisoner = e
		}
	}
	file := filepath.Join(poisoner.root, "app", "kustomization.yaml")
	if err := os.Rename(file, filepath.Join(poisoner.root, "app", "other.txt")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("other.txt", file); err != nil {
		t.Skip("no symbolic links here")
	}
	for range 2 {
		check(t, p, victim)
		check(t, p, poisoner)
	}
	check(t, p, victim)
}
