package inputs

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// Set is the paths that an app depends on: files, places where a file would have been read, and links on the way. The
// zero value is an app that depends on nothing.
type Set struct {
	paths []string // sorted, each once
}

// Directory returns the set of an app that depends on all that lies below dir.
func (s *Snapshot) Directory(dir string) (Set, error) {
	found := s.resolve(dir)
	if found.kind != Directory {
		return Set{}, fmt.Errorf("%s is not a directory", dir)
	}
	return s.close(map[string]bool{dir: true, found.target: true}, dir)
}

// Set returns the paths of a record that holds. It fails when a link on the way leads out of the root, where a change
// cannot be seen from inside.
func (s *Snapshot) Set(record []Input) (Set, error) {
	seen := map[string]bool{}
	asked := make([]string, len(record))
	for i, in := range record {
		asked[i] = in.Path
		if in.Kind == Directory && hasFileBelow(record, in.Path) {
			continue // it exists as long as the file does
		}
		seen[in.Path] = true
		if in.Target != "" {
			seen[in.Target] = true
		}
	}
	return s.close(seen, asked...)
}

// close adds all links on the way to the paths that were asked for, and makes the set.
func (s *Snapshot) close(seen map[string]bool, asked ...string) (Set, error) {
	for _, p := range asked {
		if err := s.links(p, seen); err != nil {
			return Set{}, err
		}
	}
	return Set{paths: slices.Sorted(maps.Keys(seen))}, nil
}

func hasFileBelow(record []Input, dir string) bool {
	return slices.ContainsFunc(record, func(in Input) bool {
		return in.Kind == File && (dir == "." || strings.HasPrefix(in.Path, dir+"/"))
	})
}

// maxLinks is how many links one path may have on its way, as in filepath.EvalSymlinks.
const maxLinks = 255

// links adds all links on the way to p. A link of a link is neither asked for nor resolved to, but it counts.
func (s *Snapshot) links(p string, seen map[string]bool) error {
	done, rest := ".", p
	for followed := 0; rest != ""; {
		var name string
		name, rest, _ = strings.Cut(rest, "/")
		next := path.Join(done, name)
		if next == ".." || strings.HasPrefix(next, "../") {
			return errOutside
		}
		if name == "." || name == ".." || name == "" {
			done = next
			continue
		}
		info, err := os.Lstat(s.full(next))
		if err != nil { // nothing there: what follows is below this place
			return nil //nolint:nilerr // a miss is an answer
		}
		if info.Mode()&fs.ModeSymlink == 0 {
			done = next
			continue
		}
		seen[next] = true
		if followed++; followed > maxLinks {
			return errors.New("too many links")
		}
		link, err := os.Readlink(s.full(next))
		if err != nil {
			return err
		}
		if done, link, err = s.start(done, link); err != nil {
			return err
		}
		rest = strings.TrimSuffix(link+"/"+rest, "/")
	}
	return nil
}

// start returns from where in the root a link goes on, and how.
func (s *Snapshot) start(done, link string) (from, rest string, err error) {
	if !filepath.IsAbs(link) {
		return done, filepath.ToSlash(link), nil
	}
	inside, err := filepath.Rel(s.root, filepath.Clean(link))
	if err != nil || !filepath.IsLocal(inside) {
		return "", "", errOutside
	}
	return ".", filepath.ToSlash(inside), nil
}

// Paths returns the paths in order, relative to the root, slash-separated. One that is a directory stands for all below.
func (s Set) Paths() []string { return slices.Clone(s.paths) }

// Touched tells whether adding, changing or removing the file, link or submodule at changed (relative to the root,
// slash-separated) can change what the app depends on.
func (s Set) Touched(changed string) bool {
	for p := changed; ; p = path.Dir(p) { // a path itself, or what is below it: then it is, or becomes, a directory
		if _, found := slices.BinarySearch(s.paths, p); found {
			return true
		}
		if p == "." || p == "/" {
			break
		}
	}
	i, _ := slices.BinarySearch(s.paths, changed+"/") // a parent of a path
	return i < len(s.paths) && strings.HasPrefix(s.paths[i], changed+"/")
}
