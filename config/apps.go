package config

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

	"github.com/bmatcuk/doublestar/v4"
)

// App is one app of the fleet, with all that publish.yaml says about it.
type App struct {
	Name        string
	Path        string // directory relative to the file's, clean, separated by slashes
	Dir         string // the same, absolute
	Repository  string // below the registry's URL, without a tag
	Render      Render
	Ignore      []string
	Helm        bool
	RemoteBases bool
	Annotations map[string]string // those of all apps and its own, merged; nil if there are none
	Rule        int               // index of its entry in Publish.Apps
}

// resolveApps finds the directories of every entry, and refuses fleets in which two apps would share a name or a
// repository.
func (e *effective) resolveApps(dir string) {
	root, err := filepath.EvalSymlinks(dir)
	if err != nil {
		root = dir
	}
	byName, byRepository := map[string]App{}, map[string]App{}
	for i, rule := range e.publish.Apps {
		at := index("apps", i)
		if rule.Path == "" || e.refused(member(at, "path")) || !e.renderFits(rule, at) {
			continue
		}
		for _, found := range e.directories(root, rule, at) {
			app := e.app(rule, i, found, dir)
			if !e.nameFits(app, rule, at) {
				continue
			}
			e.unique(byName, app.Name, app, e.whereName(rule, at), "name")
			e.unique(byRepository, app.Repository, app, e.whereRepository(at), "repository")
			e.apps = append(e.apps, app)
		}
	}
}

func (e *effective) app(rule AppRule, i int, found, dir string) App {
	a := App{
		Name: rule.Name, Path: found, Dir: filepath.Join(dir, filepath.FromSlash(found)), Render: rule.Render, Ignore: rule.Ignore,
		Helm: rule.Helm, RemoteBases: rule.RemoteBases, Rule: i,
	}
	if a.Name == "" {
		a.Name = path.Base(found)
	}
	a.Repository = strings.ReplaceAll(rule.Repository, "{app}", a.Name)
	if len(e.publish.Annotations)+len(rule.Annotations) > 0 {
		a.Annotations = map[string]string{}
		maps.Copy(a.Annotations, e.publish.Annotations)
		maps.Copy(a.Annotations, rule.Annotations)
	}
	return a
}

// directories returns what an entry's path stands for, sorted.
func (e *effective) directories(root string, rule AppRule, at string) []string {
	where := member(at, "path")
	pattern := path.Clean(rule.Path)
	if !isGlob(pattern) {
		if e.isDirectory(root, pattern, where) {
			return []string{pattern}
		}
		return nil
	}
	if rule.Name != "" {
		e.problem(member(at, "name"), "remove the name, or name one directory by path", "a glob names each app after its directory")
		return nil
	}
	if !doublestar.ValidatePattern(pattern) {
		e.problem(where, "", "the glob is malformed")
		return nil
	}
	fsys := os.DirFS(root)
	found, err := doublestar.Glob(fsys, pattern, doublestar.WithNoFollow(), doublestar.WithNoHidden(), doublestar.WithFailOnIOErrors())
	if err != nil {
		e.problem(where, "", "cannot look for directories: %v", plainReason(err))
		return nil
	}
	found = slices.DeleteFunc(found, func(name string) bool {
		info, err := fs.Stat(fsys, name)
		return err != nil || !info.IsDir() || name == "." || !below(root, name)
	})
	slices.Sort(found)
	found = slices.Compact(found)
	if len(found) == 0 {
		e.problem(where, "paths are relative to the directory of the file", "the glob matches no directory")
	}
	return found
}

func isGlob(pattern string) bool { return strings.ContainsAny(pattern, "*?[{") }

// isDirectory refuses a path that names no directory of the file's tree.
func (e *effective) isDirectory(root, name, where string) bool {
	info, err := os.Stat(filepath.Join(root, filepath.FromSlash(name)))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		e.problem(where, "paths are relative to the directory of the file", "there is no such directory")
	case err != nil:
		e.problem(where, "", "cannot be read: %v", plainReason(err))
	case !info.IsDir():
		e.problem(where, "name the directory that holds it", "is a file, and must be a directory")
	case !below(root, name):
		e.problem(where, "paths are relative to the file, and stay below its directory", "leaves the directory of the file by a symlink")
	default:
		return true
	}
	return false
}

// below reports whether a directory is within root when all symlinks are followed.
func below(root, name string) bool {
	resolved, err := filepath.EvalSymlinks(filepath.Join(root, filepath.FromSlash(name)))
	if err != nil {
		return false
	}
	rel, err := filepath.Rel(root, resolved)
	return err == nil && filepath.IsLocal(rel)
}

// renderFits refuses options that the way to render has no use for.
func (e *effective) renderFits(rule AppRule, at string) bool {
	refuse := func(name string, used bool, needs Render) bool {
		if used {
			e.problem(member(at, name), "remove it", "works with render: %s only", needs)
		}
		return used
	}
	if rule.Render == RenderNone {
		helm := refuse("helm", rule.Helm, RenderKustomize)
		return !refuse("remoteBases", rule.RemoteBases, RenderKustomize) && !helm
	}
	return !refuse("ignore", len(rule.Ignore) > 0, RenderNone)
}

// nameFits refuses directories whose name cannot be an app's, and repositories that are too long with it.
func (e *effective) nameFits(app App, rule AppRule, at string) bool {
	if e.refused(member(at, "name")) || e.refused(member(at, "repository")) {
		return false
	}
	where := member(at, "path")
	if rule.Name == "" && app.Path == "." {
		e.problem(where, "give the app a name", "the directory of the file cannot name an app: it is called differently in every checkout")
		return false
	}
	if message, _ := checks["app"].explain(app.Name, app.Name); message != "" {
		e.problem(where, "rename the directory, or give the app a name", "the directory %s cannot name an app: %s", app.Path, message)
		return false
	}
	_, prefix := e.publish.Registry.Host()
	if len(prefix)+1+len(app.Repository) > 255 {
		e.problem(e.whereRepository(at), "", "the repository of app %s is longer than 255 characters", app.Name)
		return false
	}
	return true
}

func (e *effective) whereName(rule AppRule, at string) string {
	if rule.Name != "" {
		return member(at, "name")
	}
	return member(at, "path")
}

func (e *effective) whereRepository(at string) string {
	if _, own := e.origin(member(at, "repository")); own {
		return member(at, "repository")
	}
	return member(at, "path")
}

// unique refuses a second app of the same name or repository.
func (e *effective) unique(seen map[string]App, key string, app App, where, what string) {
	first, twice := seen[key]
	if !twice {
		seen[key] = app
		return
	}
	hint := "give each app a name of its own"
	if what == "repository" {
		hint = "put {app} into the repository, or give each app its own"
	}
	subject := fmt.Sprintf("%s and %s", first.Path, app.Path)
	if first.Path == app.Path {
		subject = fmt.Sprintf("apps[%d] and apps[%d]", first.Rule, app.Rule)
	}
	e.problem(where, hint, "%s have the same %s", subject, what)
}
