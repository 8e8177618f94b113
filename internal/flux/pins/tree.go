package pins

import (
	"bytes"
	"fmt"
	"os"
	"path"
	"path/filepath"

	"github.com/artifactctl/artifactctl/internal/flux/manifest"
)

// EditTree is Edit on all YAML files below a directory, or on one file, and writes what changed unless it is a dry run.
// Each file is replaced as a whole, with its permissions; symbolic links are not followed.
func EditTree(dir string, pins []Pin, o Options, dryRun bool) (*Result, error) {
	files, err := manifest.ReadTree(dir)
	if err != nil {
		return nil, err
	}
	r, err := Edit(files, pins, o)
	if err != nil || dryRun || len(r.Files) == 0 {
		return r, err
	}
	if info, err := os.Stat(dir); err == nil && !info.IsDir() {
		dir = filepath.Dir(dir)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("write pins: %w", err)
	}
	defer root.Close() //nolint:errcheck // every file of it was closed and checked
	old := map[string][]byte{}
	for _, f := range files {
		old[f.Path] = f.Content
	}
	for _, f := range r.Files {
		if err := replace(root, f, old[f.Path]); err != nil {
			return nil, fmt.Errorf("write pins: %w", err)
		}
	}
	return r, nil
}

// replace puts new content in the place of old content by a rename, so that no reader sees half a file.
func replace(root *os.Root, f manifest.File, old []byte) error {
	name := filepath.FromSlash(f.Path)
	info, err := root.Lstat(name)
	if err != nil {
		return err
	}
	if now, err := root.ReadFile(name); err != nil || !bytes.Equal(now, old) {
		return fmt.Errorf("%s was changed by somebody else meanwhile", f.Path)
	}
	dir, base := path.Split(f.Path)
	fresh := filepath.FromSlash(dir + "." + base + ".artifactctl")
	if err := write(root, fresh, f.Content, info.Mode().Perm()); err != nil {
		_ = root.Remove(fresh)
		return err
	}
	if err := root.Rename(fresh, name); err != nil {
		_ = root.Remove(fresh)
		return err
	}
	return nil
}

func write(root *os.Root, name string, content []byte, mode os.FileMode) error {
	_ = root.Remove(name) // what an interrupted run left
	w, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = w.Write(content)
	if closeErr := w.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = root.Chmod(name, mode) // whatever the umask
	}
	return err
}
