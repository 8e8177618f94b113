package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	"github.com/artifactctl/artifactctl/internal/flux/generate"
	"github.com/artifactctl/artifactctl/internal/ui"
)

// placeFlux writes files below a directory, or none for no directory, and says what became of each. Nothing is written if
// one of them would replace what was not generated. With --only, the index, which names the files of all apps, stays.
func (s *session) placeFlux(files []generate.File, dir string) ([]ui.GeneratedFile, error) {
	var out []ui.GeneratedFile
	if dir == "" {
		for _, f := range files {
			if !f.IsIndex() {
				out = append(out, ui.GeneratedFile{Path: f.Path, Status: ui.FilePrinted, Content: string(f.Content)})
			}
		}
		return out, nil
	}
	var root *os.Root
	for range 2 { // the directory may have to be made first
		var err error
		if root, err = os.OpenRoot(dir); err == nil {
			break
		} else if !errors.Is(err, fs.ErrNotExist) {
			return nil, usagef("name a directory that can be written", "flag --out: %w", err)
		}
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return nil, usagef("name a directory that can be written", "flag --out: %w", err)
		}
	}
	defer func() { _ = root.Close() }()
	for _, f := range files {
		if f.IsIndex() && len(s.flags.only) > 0 {
			continue
		}
		status, err := compareFile(root, f)
		if err != nil {
			return nil, err
		}
		out = append(out, ui.GeneratedFile{Path: f.Path, Status: status})
	}
	if err := writeChanged(root, files, out); err != nil {
		return nil, fmt.Errorf("write into %s: %w", dir, err)
	}
	return out, s.warnOfStale(root, files)
}

// compareFile says what has to become of a file, and refuses to replace one that was not generated.
func compareFile(root *os.Root, f generate.File) (ui.FileStatus, error) {
	have, err := root.ReadFile(filepath.FromSlash(f.Path))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return ui.FileCreated, nil
	case err != nil:
		return "", usagef("name a directory that can be read and written", "flag --out: %w", err)
	case bytes.Equal(have, f.Content):
		return ui.FileUnchanged, nil
	case !generate.IsGenerated(have):
		return "", usagef("choose another directory, or remove the file yourself", "flag --out: %s was not generated, and is not replaced", path.Join(filepath.ToSlash(root.Name()), f.Path))
	}
	return ui.FileUpdated, nil
}

func writeChanged(root *os.Root, files []generate.File, statuses []ui.GeneratedFile) error {
	for i, status := range statuses { // the index, which may be left out, comes last
		if status.Status == ui.FileUnchanged {
			continue
		}
		name := filepath.FromSlash(files[i].Path)
		if err := root.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			return err
		}
		if err := root.WriteFile(name, files[i].Content, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// warnOfStale names files of apps that there are no longer. The index does not name them, so that they do no harm.
func (s *session) warnOfStale(root *os.Root, files []generate.File) error {
	current := map[string]bool{}
	for _, f := range files {
		current[f.Path] = true
	}
	for _, a := range s.cfg.Fleet {
		current["apps/"+a.Name+".yaml"] = true // one that --only leaves out
	}
	found, err := fs.Glob(root.FS(), "apps/*.yaml")
	if err != nil {
		return fmt.Errorf("look for files of earlier runs: %w", err)
	}
	for _, name := range found {
		if text, err := root.ReadFile(filepath.FromSlash(name)); err == nil && !current[name] && generate.IsGenerated(text) {
			s.warn(fmt.Sprintf("%s is of no app any more: remove it", path.Join(filepath.ToSlash(root.Name()), name)))
		}
	}
	return nil
}
