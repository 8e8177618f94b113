// Package config reads publish.yaml: its types, and a loader that merges defaults, file, environment, variables and flags,
// reports every problem in one go with its position, and knows where each value came from. It resolves the globs of
// `apps` and nothing else: it opens no key, follows no reference, reaches no registry, and knows nothing of git. The JSON
// Schema of the file and docs/config.md are generated from its types.
package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// DefaultFile is the file that is read when none is named.
const DefaultFile = "publish.yaml"

// Options say what to load.
type Options struct {
	File    string     // default DefaultFile; "-" reads Stdin
	Stdin   io.Reader  // for File "-"
	Dir     string     // what a relative File, and the paths in Stdin, are relative to; default the working directory
	Env     string     // name of the environment to overlay; empty for none
	Environ []string   // variables as NAME=value, as os.Environ gives them
	Set     []Override // from flags; a later one wins
}

// Config is the effective configuration of one run.
type Config struct {
	Publish             // effective values, defaults included
	File      string    // the file as messages name it
	Dir       string    // absolute directory that the paths of the file are relative to
	Env       string    // the environment that is overlaid, or empty
	Fleet     []App     // what the entries of Apps stand for, in their order, directories of a glob sorted by path
	Warnings  []Problem // doubtful, but usable
	effective *effective
}

// Load reads and checks the configuration. The precedence is defaults < file < environment < ARTIFACTCTL_* variables <
// flags; maps are merged key by key, lists are replaced. An error that is the user's to put right is an *Invalid with
// every problem in it, overlays of environments that were not asked for included; of a file of another version, only that
// is reported. No error and no warning holds the value of a secret.
func Load(o Options) (*Config, error) {
	name, dir, data, err := read(o)
	if err != nil {
		return nil, err
	}
	l := &loader{file: name, dir: dir, environ: map[string]string{}, environments: map[string]bool{}}
	for _, pair := range o.Environ {
		if key, value, ok := strings.Cut(pair, "="); ok {
			l.environ[key] = value
		}
	}
	return l.load(data, o.Env, o.Set)
}

// Where says where the value at a path of the effective configuration was written: gates[0].run, say. A value that stands
// nowhere is where its nearest parent is.
func (c *Config) Where(path string) Origin {
	if o, ok := c.effective.origin(path); ok {
		return o
	}
	return c.effective.nearest(path)
}

// read returns the bytes of the file, its name for messages, and the absolute directory of its paths.
func read(o Options) (name, dir string, data []byte, err error) {
	if dir, err = filepath.Abs(o.Dir); err != nil {
		return "", "", nil, fmt.Errorf("find the working directory: %w", err)
	}
	if o.File == "-" {
		if o.Stdin == nil {
			return "", "", nil, errors.New("read the configuration: there is no standard input")
		}
		data, err = limited("<stdin>", o.Stdin)
		return "<stdin>", dir, data, err
	}
	name = o.File
	if name == "" {
		name = DefaultFile
	}
	path := name
	if !filepath.IsAbs(path) {
		path = filepath.Join(dir, path)
	}
	f, err := os.Open(path)
	if err != nil {
		return "", "", nil, unreadable(name, err)
	}
	defer func() { _ = f.Close() }() // only read
	data, err = limited(name, f)
	return name, filepath.Dir(path), data, err
}

func limited(name string, r io.Reader) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxFile+1))
	if err != nil {
		return nil, unreadable(name, err)
	}
	if len(data) > maxFile {
		return nil, &Invalid{Problems: []Problem{{File: name, Message: "larger than 1 MiB", Hint: "a glob under apps: stands for many apps"}}}
	}
	return data, nil
}

func unreadable(name string, err error) error {
	p := Problem{File: name, Message: fmt.Sprintf("cannot be read: %v", plainReason(err))}
	if errors.Is(err, fs.ErrNotExist) {
		p.Message, p.Hint = "there is no such file", "artifactctl init writes one; -f names another"
	}
	return &Invalid{Problems: []Problem{p}}
}
