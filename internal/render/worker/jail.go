package worker

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"

	"sigs.k8s.io/kustomize/kyaml/filesys"
)

// questions is all that a build of kustomize asks of a file system. The output is a function of the answers, so
// whoever wants to know what a build depends on wraps this interface (a path that is not there is an answer, too).
type questions interface {
	// CleanedAbs resolves path, symbolic links included, into a directory and, unless path is one, a file name in it.
	CleanedAbs(path string) (filesys.ConfirmedDir, string, error)
	// ReadFile returns the content of a path that CleanedAbs has resolved.
	ReadFile(path string) ([]byte, error)
}

// errOutside is how the jail refuses.
var errOutside = errors.New("is outside of the root")

// jail answers questions from disk, for paths below its cells only.
type jail struct {
	start string // what relative paths are relative to
	cells []cell
	// parents are directories that were resolved: a build asks for many files of few directories, and each answer costs a
	// look at every element of a path.
	parents map[string]string
	// refused counts refusals: kustomize swallows errors while it tries whether a path is a file or a directory.
	refused int
}

// cell is a directory that may be read.
type cell struct {
	given, dir string // before and after resolving symbolic links
	alias      string // what kustomize is told instead of dir; empty: dir
	handle     *os.Root
}

// newJail opens the directories that may be read; empty names are left out. Close it.
func newJail(start string, dirs ...string) (*jail, error) {
	j := &jail{start: start, parents: map[string]string{}}
	for _, given := range dirs {
		if given == "" {
			continue
		}
		dir, err := filepath.EvalSymlinks(given)
		if err != nil {
			j.Close()
			return nil, fmt.Errorf("open root: %w", err)
		}
		handle, err := os.OpenRoot(dir)
		if err != nil {
			j.Close()
			return nil, fmt.Errorf("open root: %w", err)
		}
		j.cells = append(j.cells, cell{given: filepath.Clean(given), dir: dir, handle: handle})
	}
	return j, nil
}

// aliasMark is what the root's name ends with when kustomize sees it. No file of a repository names it, so a path that
// has the root's real name comes from a file that knows where the repository lies, or how its directory is called.
const aliasMark = ".artifactctl-root"

// disguise has kustomize see the first cell under another name.
func (j *jail) disguise() { j.cells[0].alias = j.cells[0].dir + aliasMark }

// real returns what a path is outside of the jail.
func (j *jail) real(path string) string {
	for _, c := range j.cells {
		if c.alias != "" && within(c.alias, path) {
			return filepath.Join(c.dir, strings.TrimPrefix(path, c.alias))
		}
	}
	return path
}

// seen returns what kustomize is told instead of a path.
func (j *jail) seen(path string) string {
	for _, c := range slices.Backward(j.cells) { // a scratch directory may lie inside the root
		switch {
		case !within(c.dir, path):
		case c.alias == "":
			return path
		default:
			return filepath.Join(c.alias, strings.TrimPrefix(path, c.dir))
		}
	}
	return path
}

// Close gives the directories back.
func (j *jail) Close() {
	for _, c := range j.cells {
		_ = c.handle.Close()
	}
}

// CleanedAbs does what kustomize's own file system does, without ending the process when a file vanishes meanwhile.
func (j *jail) CleanedAbs(path string) (filesys.ConfirmedDir, string, error) {
	abs := path
	if !filepath.IsAbs(abs) {
		abs = filepath.Join(j.start, path)
	}
	abs = j.real(abs)
	if !j.inside(abs, true) {
		return "", "", j.refuse(path)
	}
	resolved, info, err := j.resolve(abs)
	if err != nil {
		return "", "", fmt.Errorf("evalsymlink failure on '%s' : %w", path, err)
	}
	if !j.inside(resolved, false) {
		return "", "", j.refuse(path)
	}
	if info.IsDir() {
		return filesys.ConfirmedDir(j.seen(resolved)), "", nil
	}
	return filesys.ConfirmedDir(j.seen(filepath.Dir(resolved))), filepath.Base(resolved), nil
}

// resolve is filepath.EvalSymlinks with what os.Stat says of the result.
func (j *jail) resolve(abs string) (string, fs.FileInfo, error) {
	dir, base := filepath.Dir(abs), filepath.Base(abs)
	parent, known := j.parents[dir]
	if !known && filepath.Clean(abs) == abs && runtime.GOOS != "windows" { // there, names have short forms and any case
		if resolved, err := filepath.EvalSymlinks(dir); err == nil {
			parent, known = resolved, true
			j.parents[dir] = resolved
		}
	}
	if known && dir != abs {
		path := filepath.Join(parent, base)
		info, err := os.Lstat(path)
		if err != nil || info.Mode()&fs.ModeSymlink == 0 {
			return path, info, err
		}
	}
	resolved, err := filepath.EvalSymlinks(abs)
	if err != nil {
		return "", nil, err
	}
	info, err := os.Stat(resolved)
	return resolved, info, err
}

// ReadFile reads a regular file. It never follows a symbolic link out of its cell, even one that was put there after
// the path was resolved.
func (j *jail) ReadFile(path string) ([]byte, error) {
	path = j.real(path)
	for _, c := range j.cells {
		name, err := filepath.Rel(c.dir, path)
		if err != nil || !filepath.IsLocal(name) {
			continue
		}
		return readRegular(c.handle, name, path)
	}
	return nil, j.refuse(path)
}

// readRegular reads name in root. Opening it does not wait, which for a pipe would take for ever.
func readRegular(root *os.Root, name, path string) ([]byte, error) {
	f, err := root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, &fs.PathError{Op: "read", Path: path, Err: errors.New("not a regular file")}
	}
	content := bytes.NewBuffer(make([]byte, 0, info.Size()+bytes.MinRead))
	_, err = content.ReadFrom(f)
	return content.Bytes(), err
}

func (j *jail) refuse(path string) error {
	j.refused++
	return fmt.Errorf("'%s' %w", path, errOutside)
}

// inside tells whether an absolute path is in a cell, by its text alone.
func (j *jail) inside(path string, given bool) bool {
	for _, c := range j.cells {
		if within(c.dir, path) || given && within(c.given, path) {
			return true
		}
	}
	return false
}

// within tells whether path is dir or below it; both are absolute and clean.
func within(dir, path string) bool {
	if dir == path {
		return true
	}
	return strings.HasPrefix(path, strings.TrimSuffix(dir, string(filepath.Separator))+string(filepath.Separator))
}
