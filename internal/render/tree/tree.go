// Package tree reads a directory that is published as it stands: which of its files belong to the artifact, and
// whether the kustomizations among them will find everything in the cluster that they name.
//
// Ignore patterns mean what they mean to Flux. It does not render, and it does not look into manifests.
package tree

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/artifactctl/artifactctl/internal/artifact"
	"github.com/artifactctl/artifactctl/internal/render/fault"
)

// Bounds of one artifact. Consumers unpack it into memory-backed volumes.
const (
	MaxFile  = 64 << 20
	MaxTotal = 256 << 20
)

// maxProblems bounds how many problems one error tells about.
const maxProblems = 20

// Options says which directory, and what may be in it.
type Options struct {
	Dir  string // absolute; a symbolic link is followed
	Root string // absolute; Dir has to be inside, links resolved
	// Ignore has patterns in gitignore syntax, relative to Dir. They win over the defaults and .sourceignore files.
	Ignore      []string
	Helm        bool  // helm charts in a kustomization are fine
	RemoteBases bool  // URLs in a kustomization are fine
	MaxFile     int64 // 0 means the constant
	MaxTotal    int64 // 0 means the constant
}

// Read returns the files to publish. Paths in errors are relative to Root. An error may join several *fault.Error.
func Read(ctx context.Context, o Options) (artifact.Files, error) {
	if o.MaxFile == 0 {
		o.MaxFile = MaxFile
	}
	if o.MaxTotal == 0 {
		o.MaxTotal = MaxTotal
	}
	r, err := open(o)
	if err != nil {
		return nil, err
	}
	defer func() { _ = r.root.Close() }()
	entries, patterns, err := r.list(ctx)
	if err != nil {
		return nil, err
	}
	own, err := parsePatterns(strings.Join(o.Ignore, "\n"), "", nil)
	if err != nil {
		return nil, err
	}
	r.read(ctx, published(entries, append(patterns, own...)))
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if len(r.problems) == 0 {
		r.checkReferences()
	}
	if len(r.problems) > 0 {
		return nil, errors.Join(r.problems...)
	}
	if len(r.files) == 0 {
		return nil, &fault.Error{Reason: fault.Empty, File: r.name("."), Message: "no files to publish"}
	}
	return r.files, nil
}

// reader reads one tree.
type reader struct {
	options  Options
	base     string // Dir relative to Root, with slashes
	root     *os.Root
	files    artifact.Files
	total    int64
	problems []error
}

// open resolves the directory and makes sure that it is inside the root.
func open(o Options) (*reader, error) {
	root, err := filepath.EvalSymlinks(o.Root)
	if err != nil {
		return nil, fmt.Errorf("open root: %w", err)
	}
	given, err := filepath.Rel(o.Root, o.Dir)
	if err != nil {
		given = o.Dir
	}
	given = filepath.ToSlash(given)
	dir, err := filepath.EvalSymlinks(o.Dir)
	if err != nil {
		return nil, &fault.Error{Reason: fault.Missing, File: given, Message: "no such directory"}
	}
	base, err := filepath.Rel(root, dir)
	if err != nil || !filepath.IsLocal(base) {
		return nil, &fault.Error{Reason: fault.Outside, File: given, Message: "is outside of the root"}
	}
	handle, err := os.OpenRoot(dir)
	if err != nil {
		return nil, &fault.Error{Reason: fault.Missing, File: given, Message: "is not a directory that can be read"}
	}
	return &reader{options: o, base: filepath.ToSlash(base), root: handle, files: artifact.Files{}}, nil
}

// name makes a path of the tree relative to the root.
func (r *reader) name(p string) string { return path.Join(r.base, p) }

// entry is something in the directory.
type entry struct {
	path string // relative, with slashes
	mode fs.FileMode
	err  error // of a directory that cannot be listed
}

// list returns all entries but those below .git, in lexical order, and the patterns of all .sourceignore files. Like
// source-controller, it looks for them everywhere, also where other patterns ignore everything.
func (r *reader) list(ctx context.Context) (entries []entry, patterns []pattern, err error) {
	patterns, err = parsePatterns(defaultPatterns, "", nil)
	if err != nil {
		return nil, nil, err
	}
	err = fs.WalkDir(r.root.FS(), ".", func(p string, d fs.DirEntry, err error) error {
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			entries = append(entries, entry{path: p, mode: fs.ModeDir, err: err})
			return nil //nolint:nilerr // it matters only if the directory is not ignored
		case p == ".":
			return nil
		case !utf8.ValidString(p):
			return &fault.Error{Reason: fault.Unfit, File: r.name(strings.ToValidUTF8(p, "?")), Message: "the name is not UTF-8"}
		case d.Name() == ".git": // a directory, or in submodules and work trees a file with a path of this machine
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		entries = append(entries, entry{path: p, mode: d.Type()})
		if d.Name() != ignoreFile || !d.Type().IsRegular() {
			return nil
		}
		more, err := r.sourceignore(p)
		patterns = append(patterns, more...)
		return err
	})
	return entries, patterns, err
}

// sourceignore reads the patterns of one .sourceignore file; they are relative to its directory.
func (r *reader) sourceignore(p string) ([]pattern, error) {
	content, err := r.content(p)
	if err != nil {
		return nil, err
	}
	var domain []string
	if dir := path.Dir(p); dir != "." {
		domain = strings.Split(dir, "/")
	}
	return parsePatterns(string(content), r.name(p), domain)
}

// read fills files, and notes what cannot be published.
func (r *reader) read(ctx context.Context, entries []entry) {
	seen := map[string]string{} // path in lower case → path
	for _, e := range entries {
		if ctx.Err() != nil || len(r.problems) >= maxProblems {
			return
		}
		if problem := r.unfit(e, seen); problem != "" {
			r.refuse(fault.Unfit, e.path, 0, problem)
			continue
		}
		if e.mode.IsDir() {
			continue
		}
		content, err := r.content(e.path)
		if err != nil {
			r.problems = append(r.problems, err)
			continue
		}
		r.total += int64(len(content))
		if r.total > r.options.MaxTotal {
			r.refuse(fault.Unfit, e.path, 0, fmt.Sprintf("with this file the tree has more than %d MiB",
				r.options.MaxTotal>>20))
			return
		}
		r.files[e.path] = content
	}
}

// unfit tells why an entry cannot be part of an artifact, or "".
func (r *reader) unfit(e entry, seen map[string]string) string {
	if e.err != nil {
		return "cannot be listed: " + reasonOf(e.err)
	}
	for _, c := range e.path {
		if c == '\\' || unicode.IsControl(c) {
			return "the name has a backslash or a control character"
		}
	}
	lower := strings.ToLower(e.path)
	if other, ok := seen[lower]; ok {
		return fmt.Sprintf("differs from %s only in case: they are one file on some machines", r.name(other))
	}
	seen[lower] = e.path
	switch {
	case e.mode&fs.ModeSymlink != 0:
		return "is a symbolic link: Flux would skip it; publish a copy, or ignore it"
	case !e.mode.IsDir() && !e.mode.IsRegular():
		return "is neither a file nor a directory"
	}
	return ""
}

func (r *reader) refuse(reason fault.Reason, p string, line int, message string) {
	if len(r.problems) < maxProblems {
		r.problems = append(r.problems, &fault.Error{Reason: reason, File: r.name(p), Line: line, Message: message})
	}
}

// content reads a regular file that is not too big.
func (r *reader) content(p string) ([]byte, error) {
	unfit := func(message string) error {
		return &fault.Error{Reason: fault.Unfit, File: r.name(p), Message: message}
	}
	listed, err := r.root.Lstat(p)
	if err != nil {
		return nil, unfit("cannot be read: " + reasonOf(err))
	}
	if !listed.Mode().IsRegular() {
		return nil, unfit("is not a regular file")
	}
	f, err := r.root.Open(p)
	if err != nil {
		return nil, unfit("cannot be read: " + reasonOf(err))
	}
	defer func() { _ = f.Close() }()
	if opened, err := f.Stat(); err != nil || !os.SameFile(listed, opened) {
		return nil, unfit("was replaced while it was read")
	}
	content, err := io.ReadAll(io.LimitReader(f, r.options.MaxFile+1))
	if err != nil {
		return nil, unfit("cannot be read: " + reasonOf(err))
	}
	if int64(len(content)) > r.options.MaxFile {
		return nil, unfit(fmt.Sprintf("is bigger than %d MiB", r.options.MaxFile>>20))
	}
	return content, nil
}

// reasonOf leaves the path out of an error, as ours names it.
func reasonOf(err error) string {
	var pathError *fs.PathError
	if errors.As(err, &pathError) {
		return pathError.Err.Error()
	}
	return err.Error()
}
