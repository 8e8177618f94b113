package manifest

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// maxFile bounds a file that is read: an export of a large cluster has some ten megabytes.
const maxFile = 256 << 20

// ReadTree reads all YAML and JSON files below a directory, in lexical order, with paths relative to it; or one file.
// Hidden directories are left out. Symbolic links are never followed: what they name inside the directory is read where it
// is.
func ReadTree(dir string) ([]File, error) {
	info, err := os.Stat(dir)
	if err != nil {
		return nil, fmt.Errorf("read manifests: %w", err)
	}
	if !info.IsDir() {
		root, err := os.OpenRoot(filepath.Dir(dir))
		if err != nil {
			return nil, fmt.Errorf("read manifests: %w", err)
		}
		defer root.Close() //nolint:errcheck // only read from
		f, err := readFile(root, filepath.Base(dir))
		return []File{f}, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("read manifests: %w", err)
	}
	defer root.Close() //nolint:errcheck // only read from
	return readRoot(root)
}

func readRoot(root *os.Root) ([]File, error) {
	var files []File
	err := fs.WalkDir(root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return fmt.Errorf("read manifests: %w", err)
		case d.IsDir() && name != "." && strings.HasPrefix(d.Name(), "."):
			return fs.SkipDir
		case !d.Type().IsRegular() || !IsYAML(name):
			return nil
		}
		f, err := readFile(root, name)
		if err != nil {
			return err
		}
		files = append(files, f)
		return nil
	})
	slices.SortFunc(files, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
	return files, err
}

func readFile(root *os.Root, name string) (File, error) {
	info, err := root.Stat(name)
	if err != nil {
		return File{}, fmt.Errorf("read manifests: %w", err)
	}
	if info.Size() > maxFile {
		return File{}, fmt.Errorf("read manifests: %s has %d bytes, more than %d", name, info.Size(), maxFile)
	}
	content, err := root.ReadFile(name)
	if err != nil {
		return File{}, fmt.Errorf("read manifests: %w", err)
	}
	return File{Path: filepath.ToSlash(name), Content: content}, nil
}

// IsYAML says whether a file may hold Kubernetes objects. JSON is YAML.
func IsYAML(name string) bool {
	switch strings.ToLower(path.Ext(name)) {
	case ".yaml", ".yml", ".json":
		return true
	}
	return path.Base(name) == "Kustomization"
}
