package source

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// maxDirtyPaths is how many paths of a dirty tree are named.
const maxDirtyPaths = 5

// repository is the git repository that holds a directory.
type repository struct {
	git
	dir     string // the directory that was asked for
	top     bool   // it is the top of the tree
	head    string // commit that is checked out; empty before the first commit
	branch  string // branch that is checked out; empty on a detached head
	shallow bool
}

// openRepository finds the repository that holds dir. An error for which isAbsent is true means that there is none.
func openRepository(ctx context.Context, dir string, env environment) (*repository, error) {
	g := newGit(dir, env)
	out, _, err := g.run(ctx, "", "rev-parse", "--is-shallow-repository", "--is-inside-work-tree", "--show-cdup", "--show-toplevel")
	if err != nil {
		if isAbsent(err) {
			return nil, fmt.Errorf("%s: %w", dir, err)
		}
		return nil, fmt.Errorf("find the git repository of %s: %w", dir, err)
	}
	lines := strings.SplitN(strings.TrimRight(out, "\n"), "\n", 4)
	if len(lines) != 4 {
		return nil, fmt.Errorf("find the git repository of %s: unexpected answer of git rev-parse", dir)
	}
	r := &repository{git: newGit(lines[3], env), dir: dir, top: lines[2] == "", shallow: lines[0] == "true"}
	if r.head, _, err = r.run(ctx, "", "rev-parse", "--verify", "--quiet", "HEAD^{commit}"); err != nil {
		return nil, fmt.Errorf("read HEAD: %w", err)
	}
	if r.branch, _, err = r.run(ctx, "", "symbolic-ref", "--quiet", "--short", "HEAD"); err != nil {
		return nil, fmt.Errorf("read HEAD: %w", err)
	}
	r.head, r.branch = strings.TrimSpace(r.head), strings.TrimSpace(r.branch)
	return r, nil
}

// inside is where the directory that was asked for lies in the repository, or "".
func (r *repository) inside() string {
	dir, err := filepath.EvalSymlinks(r.dir)
	if err != nil {
		return ""
	}
	root, err := filepath.EvalSymlinks(r.git.dir)
	if err != nil {
		return ""
	}
	name, err := filepath.Rel(root, dir)
	if err != nil || !filepath.IsLocal(name) {
		return ""
	}
	return filepath.ToSlash(name)
}

// dirty returns paths in which the tree differs from its commit: changed, staged, deleted, untracked (they can be
// rendered), inside submodules. It may return more than maxDirtyPaths, not necessarily all.
func (r *repository) dirty(ctx context.Context) ([]string, error) {
	out, _, err := r.run(ctx, "", "status", "--porcelain=v1", "-z", "--untracked-files=normal", "--ignored=no", "--ignore-submodules=none", "--no-renames")
	if err != nil {
		return nil, fmt.Errorf("compare the tree with its commit: %w", err)
	}
	var paths []string
	for entry := range strings.SplitSeq(out, "\x00") {
		if len(entry) > 3 {
			paths = append(paths, entry[3:])
		}
		if len(paths) > maxDirtyPaths {
			return paths, nil
		}
	}
	return r.ignored(ctx, paths)
}

// ignored adds the directory itself to paths when git ignores it: then no commit holds what is published.
func (r *repository) ignored(ctx context.Context, paths []string) ([]string, error) {
	if r.top {
		return paths, nil
	}
	g := r.git
	g.dir = r.dir
	prefix, _, err := g.run(ctx, "", "rev-parse", "--show-prefix")
	if err != nil || strings.TrimSpace(prefix) == "" {
		return paths, err
	}
	if _, code, err := r.run(ctx, "", "check-ignore", "--quiet", "--", strings.TrimSuffix(prefix, "\n")); err != nil {
		return nil, fmt.Errorf("ask whether git ignores %s: %w", r.dir, err)
	} else if code == 0 {
		paths = append(paths, strings.TrimSuffix(prefix, "\n")+" (ignored by git)")
	}
	return paths, nil
}

// tagsAt returns the names of the tags that point at a commit.
func (r *repository) tagsAt(ctx context.Context, commit string) ([]string, error) {
	out, _, err := r.run(ctx, "", "for-each-ref", "--points-at="+commit, "--format=%(refname:lstrip=2)", "refs/tags")
	if err != nil {
		return nil, fmt.Errorf("list the tags at %s: %w", short(commit), err)
	}
	return strings.Fields(out), nil
}

// tagged returns the commit that a tag names, or "" when the clone does not have the tag.
func (r *repository) tagged(ctx context.Context, tag string) (string, error) {
	out, _, err := r.run(ctx, "", "rev-parse", "--verify", "--quiet", "refs/tags/"+tag+"^{commit}")
	if err != nil {
		return "", fmt.Errorf("read tag %s: %w", tag, err)
	}
	return strings.TrimSpace(out), nil
}

// errNoCommit: the clone does not have the commit.
var errNoCommit = errors.New("not in this clone")

// time returns the committer's time of a commit, in UTC.
func (r *repository) time(ctx context.Context, commit string) (time.Time, error) {
	out, _, err := r.run(ctx, commit+"^{commit}\n", "cat-file", "--batch=%(objecttype)")
	if err != nil {
		return time.Time{}, fmt.Errorf("look up commits: %w", err)
	}
	kind, text, _ := strings.Cut(out, "\n")
	if kind != "commit" {
		return time.Time{}, fmt.Errorf("commit %s: %w", short(commit), errNoCommit)
	}
	seconds, err := committed(text)
	if err != nil {
		return time.Time{}, fmt.Errorf("read the time of commit %s: %w", short(commit), err)
	}
	return time.Unix(seconds, 0).UTC(), nil
}

// committed reads the committer's time out of a commit: "committer NAME <EMAIL> SECONDS ZONE" in its header.
func committed(text string) (int64, error) {
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if line == "" {
			break
		}
		if committer, ok := strings.CutPrefix(line, "committer "); ok {
			seconds, _, _ := strings.Cut(strings.TrimLeft(committer[strings.LastIndexByte(committer, '>')+1:], " "), " ")
			return strconv.ParseInt(seconds, 10, 64)
		}
	}
	return 0, errors.New("it names no committer")
}

// has says for each commit id whether the clone has it.
func (r *repository) has(ctx context.Context, commits ...string) ([]bool, error) {
	var ask strings.Builder
	for _, c := range commits {
		ask.WriteString(c + "^{commit}\n")
	}
	out, _, err := r.run(ctx, ask.String(), "cat-file", "--batch-check=%(objecttype)")
	if err != nil {
		return nil, fmt.Errorf("look up commits: %w", err)
	}
	lines := strings.Split(strings.TrimSuffix(out, "\n"), "\n")
	if len(lines) != len(commits) {
		return nil, errors.New("look up commits: unexpected answer of git cat-file")
	}
	found := make([]bool, len(commits))
	for i, line := range lines {
		found[i] = line == "commit"
	}
	return found, nil
}
