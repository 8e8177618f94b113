package rpc

import (
	"debug/buildinfo"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
)

// Prefix is how the names of signer plugins begin.
const Prefix = "signer-"

var pluginName = regexp.MustCompile(`^[a-z][a-z0-9-]*$`)

// Origin is the place where a plugin was found, in words for people.
type Origin string

// The origins, in the order of the search.
const (
	OriginPath       Origin = "publish.yaml"
	OriginPluginDir  Origin = "$ARTIFACTCTL_PLUGIN_DIR"
	OriginExecutable Origin = "beside artifactctl"
	OriginDataHome   Origin = "data directory"
)

// SearchOptions are the places where plugins may be. Find takes the first of:
//
//  1. Path, the `path` of the signer in publish.yaml; when it is set nothing else counts;
//  2. PluginDir, $ARTIFACTCTL_PLUGIN_DIR;
//  3. ExecutableDir, the directory of the artifactctl executable, symbolic links resolved;
//  4. DataHome/artifactctl/plugins, DataHome being $XDG_DATA_HOME or ~/.local/share.
//
// The working directory and PATH are never searched: whoever can put a file there must not get your signing
// credentials. All are absolute or empty.
type SearchOptions struct {
	Path          string
	PluginDir     string
	ExecutableDir string
	DataHome      string
}

// SearchFromEnvironment are the places for a host whose executable has the given path (os.Executable) and environment
// (os.Getenv). Path is left for the caller.
func SearchFromEnvironment(executable string, getenv func(string) string) SearchOptions {
	o := SearchOptions{PluginDir: getenv("ARTIFACTCTL_PLUGIN_DIR"), DataHome: getenv("XDG_DATA_HOME")}
	if resolved, err := filepath.EvalSymlinks(executable); err == nil && filepath.IsAbs(resolved) {
		o.ExecutableDir = filepath.Dir(resolved)
	}
	if !filepath.IsAbs(o.DataHome) { // the XDG specification: a relative path counts as unset
		o.DataHome = ""
		if home := getenv("HOME"); filepath.IsAbs(home) {
			o.DataHome = filepath.Join(home, ".local", "share")
		}
	}
	return o
}

// Found is a plugin that was found.
type Found struct {
	// Name of the plugin, as publish.yaml has it: "signer-file".
	Name string
	// Path of the executable, absolute, symbolic links resolved.
	Path string
	// Origin is where it was found.
	Origin Origin
	// MustPin tells that publish.yaml must name its sha256 (or the user must say that he does without). Only a plugin
	// that really lies in ExecutableDir may do without: it came with artifactctl's own release.
	MustPin bool
}

// Find finds the plugin of that name. It is an error when nothing has the name, and also when the first file that has it
// cannot be used: the next one might be a surprise.
func Find(o SearchOptions, name string) (Found, error) {
	if !pluginName.MatchString(name) {
		return Found{}, &setupError{
			text: fmt.Sprintf("plugin %q is not a name of small letters, digits and dashes", name),
			hint: "name the executable as in `plugin: signer-file`; a path goes into `path:`",
		}
	}
	if o.Path != "" {
		path, err := usable(o.Path)
		return Found{Name: name, Path: path, Origin: OriginPath, MustPin: true}, err
	}
	places, err := o.places()
	if err != nil {
		return Found{}, err
	}
	var looked []string
	for _, place := range places {
		candidate := filepath.Join(place.dir, executableName(name))
		if _, err := os.Lstat(candidate); errors.Is(err, fs.ErrNotExist) {
			looked = append(looked, place.dir)
			continue
		}
		path, err := usable(candidate)
		if err != nil {
			return Found{}, err
		}
		return Found{Name: name, Path: path, Origin: place.origin, MustPin: place.mustPin(name, path)}, nil
	}
	return Found{}, notFound(name, looked)
}

func notFound(name string, looked []string) error {
	where := "there is no place to look in"
	if len(looked) > 0 {
		where = "looked in " + strings.Join(looked, ", ")
	}
	return &setupError{
		text: fmt.Sprintf("plugin %s was not found: %s", name, where),
		hint: "put it beside artifactctl, into a directory that $ARTIFACTCTL_PLUGIN_DIR names, or set `path` of the signer",
	}
}

type place struct {
	dir    string
	origin Origin
}

func (o SearchOptions) places() ([]place, error) {
	all := []place{{o.PluginDir, OriginPluginDir}, {o.ExecutableDir, OriginExecutable}, {"", OriginDataHome}}
	if o.DataHome != "" {
		all[2].dir = filepath.Join(o.DataHome, "artifactctl", "plugins")
	}
	var places []place
	for _, p := range all {
		if p.dir == "" {
			continue
		}
		if !filepath.IsAbs(p.dir) {
			return nil, &setupError{
				text: fmt.Sprintf("%s: %q is not an absolute path", p.origin, p.dir),
				hint: "plugins are never looked for relative to the working directory",
			}
		}
		places = append(places, p)
	}
	return places, nil
}

func (p place) mustPin(name, path string) bool {
	dir, err := filepath.EvalSymlinks(p.dir)
	return err != nil || p.origin != OriginExecutable || filepath.Dir(path) != dir || !strings.HasPrefix(name, Prefix)
}

func executableName(name string) string {
	if runtime.GOOS == "windows" {
		return name + ".exe"
	}
	return name
}

// Listed is one plugin as List found it.
type Listed struct {
	Found
	// SHA256 of the executable in hex, ready for publish.yaml; empty when Err is set.
	SHA256 string
	// Version of the plugin's main module, as the Go toolchain recorded it in the file; empty when unknown.
	Version string
	// Shadowed tells that Find would take an earlier one of the same name.
	Shadowed bool
	// Err says why the plugin cannot be used.
	Err error
}

// List finds all plugins whose names begin with Prefix, in the order of the search, by name within a place. It starts
// none of them: the version is read from the file, since a list must not run what nobody has pinned.
func List(o SearchOptions) ([]Listed, error) {
	places, err := o.places()
	if err != nil {
		return nil, err
	}
	var all []Listed
	seen := map[string]bool{}
	for _, place := range places {
		entries, err := os.ReadDir(place.dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("list plugins: %w", err)
		}
		for _, entry := range entries {
			name := strings.TrimSuffix(entry.Name(), executableName(""))
			if !strings.HasPrefix(name, Prefix) || !pluginName.MatchString(name) {
				continue
			}
			found := describe(place, name)
			found.Shadowed, seen[name] = seen[name], true
			all = append(all, found)
		}
	}
	return all, nil
}

func describe(p place, name string) Listed {
	candidate := filepath.Join(p.dir, executableName(name))
	l := Listed{Found: Found{Name: name, Path: candidate, Origin: p.origin}}
	path, err := usable(candidate)
	if err != nil {
		l.Err = err
		return l
	}
	l.Path, l.MustPin = path, p.mustPin(name, path)
	if l.SHA256, err = checksum(path); err != nil {
		l.Err = fmt.Errorf("hash plugin: %w", err)
		return l
	}
	if info, err := buildinfo.ReadFile(path); err == nil {
		l.Version = info.Main.Version
	}
	return l
}
