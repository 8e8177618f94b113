package worker

import (
	"errors"
	"os"
	"path/filepath"

	"sigs.k8s.io/kustomize/kyaml/filesys"
)

// errNotAsked is the answer to what no build needs.
var errNotAsked = errors.New("a render only reads files")

// view is the file system that kustomize gets: questions, and nothing else.
type view struct {
	questions
	scratch string // where clones may be removed
	onClone func() // called when a repository has been cloned, or should have been
}

var _ filesys.FileSystem = view{}

// RemoveAll removes a clone after use. Kustomize asks for it on failure too, with a name that is no path. Nothing but a
// clone is ever removed, so this is also how a build with remote bases is known.
func (v view) RemoveAll(path string) error {
	v.onClone()
	if v.scratch == "" || !filepath.IsAbs(path) || path == v.scratch || !within(v.scratch, filepath.Clean(path)) {
		return nil
	}
	return os.RemoveAll(path)
}

// IsDir follows from CleanedAbs.
func (v view) IsDir(path string) bool {
	_, file, err := v.CleanedAbs(path)
	return err == nil && file == ""
}

// Exists follows from CleanedAbs.
func (v view) Exists(path string) bool {
	_, _, err := v.CleanedAbs(path)
	return err == nil
}

// The rest of filesys.FileSystem is not used by a build.

func (view) Create(string) (filesys.File, error)  { return nil, errNotAsked }
func (view) Mkdir(string) error                   { return errNotAsked }
func (view) MkdirAll(string) error                { return errNotAsked }
func (view) Open(string) (filesys.File, error)    { return nil, errNotAsked }
func (view) ReadDir(string) ([]string, error)     { return nil, errNotAsked }
func (view) Glob(string) ([]string, error)        { return nil, errNotAsked }
func (view) WriteFile(string, []byte) error       { return errNotAsked }
func (view) Walk(string, filepath.WalkFunc) error { return errNotAsked }

// trail notes what was read, so that an error and a warning can name the file that kustomize leaves out.
type trail struct {
	questions
	names         map[string]string // resolved path → name of the kustomization file that led to it
	last          string            // last file read
	kustomization string            // last kustomization read
	content       []byte            // of kustomization
	topName       string            // first kustomization read: that of the app
	top           []byte            // its content
	onRead        func(kustomization string)
}

// CleanedAbs remembers the kustomization files among the questions: a file of another name may be the target of a
// symbolic link.
func (t *trail) CleanedAbs(path string) (filesys.ConfirmedDir, string, error) {
	dir, file, err := t.questions.CleanedAbs(path)
	if err == nil && file != "" && isKustomization(path) {
		t.names[dir.Join(file)] = path
	}
	return dir, file, err
}

// ReadFile notes what was read.
func (t *trail) ReadFile(path string) ([]byte, error) {
	content, err := t.questions.ReadFile(path)
	if err != nil {
		return nil, err
	}
	t.last = path
	if name, ok := t.names[path]; ok {
		t.kustomization, t.content = name, content
		if t.topName == "" {
			t.topName, t.top = name, content
		}
		t.onRead(name)
	}
	return content, nil
}

// isKustomization tells whether kustomize takes the file for a kustomization.
func isKustomization(path string) bool {
	switch filepath.Base(path) {
	case "kustomization.yaml", "kustomization.yml", "Kustomization":
		return true
	}
	return false
}
