package tree

import (
	"fmt"
	"os"
	"path"
	"path/filepath"

	"sigs.k8s.io/kustomize/api/konfig"
	"sigs.k8s.io/kustomize/api/types"
)

// Chart is a Helm chart that a kustomization has inflated from a repository.
type Chart struct{ Name, Version, Repository string }

// Fetch is what kustomizations name that lies elsewhere.
type Fetch struct {
	Remotes []string // as they are written
	Charts  []Chart
}

// Fetched reads the kustomization of dir and those of all local directories that it leads to, and lists what they name
// that kustomize fetches or has helm fetch. Both paths are absolute; nothing outside of root is read.
func Fetched(dir, root string) (Fetch, error) {
	base, err := os.OpenRoot(root)
	if err != nil {
		return Fetch{}, fmt.Errorf("open root: %w", err)
	}
	defer func() { _ = base.Close() }()
	name, err := filepath.Rel(root, dir)
	if err != nil {
		return Fetch{}, fmt.Errorf("find %s: %w", dir, err)
	}
	f := fetcher{root: base, seen: map[string]bool{}}
	err = f.directory(filepath.ToSlash(name))
	return f.found, err
}

// fetcher walks from kustomization to kustomization.
type fetcher struct {
	root  *os.Root
	seen  map[string]bool
	found Fetch
}

// directory reads the kustomization of a directory, if it has one and was not there yet.
func (f *fetcher) directory(dir string) error {
	if f.seen[dir] || !filepath.IsLocal(dir) {
		return nil
	}
	f.seen[dir] = true
	for _, name := range konfig.RecognizedKustomizationFileNames() {
		content, err := f.root.ReadFile(path.Join(dir, name))
		if err != nil {
			continue // not this name, or a reference to a file
		}
		if err := f.kustomization(dir, content); err != nil {
			return fmt.Errorf("%s: %w", path.Join(dir, name), err)
		}
	}
	return nil
}

func (f *fetcher) kustomization(dir string, content []byte) error {
	if !isKustomization(content) {
		return nil
	}
	refs, _, err := references(content)
	if err != nil {
		return err
	}
	for _, ref := range refs {
		switch {
		case ref.isRemote():
			f.found.Remotes = append(f.found.Remotes, ref.path)
		case ref.kind == toEither || ref.kind == toDirectory:
			if err := f.directory(path.Join(dir, ref.path)); err != nil {
				return err
			}
		}
	}
	var k types.Kustomization
	if err := k.Unmarshal(content); err != nil {
		return err
	}
	for _, c := range k.HelmCharts {
		f.chart(Chart{c.Name, c.Version, c.Repo})
	}
	for _, c := range k.HelmChartInflationGenerator {
		f.chart(Chart{c.ChartName, c.ChartVersion, c.ChartRepoURL})
	}
	return nil
}

// chart notes a chart of a repository; others are files of the source.
func (f *fetcher) chart(c Chart) {
	if c.Repository != "" {
		f.found.Charts = append(f.found.Charts, c)
	}
}
