package source

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Snapshot writes the files of a commit, as a checkout would have them, below an empty directory, and returns where in
// there the files of h.Dir are. Neither the repository nor its index is touched. Submodules are empty directories. ok is
// false when the clone does not have the commit.
func (h History) Snapshot(ctx context.Context, commit, into string) (dir string, ok bool, err error) {
	if !isCommit(commit) {
		return "", false, nil
	}
	r, err := openRepository(ctx, h.Dir, newEnvironment(h.Environ))
	if err != nil {
		return "", false, err
	}
	found, err := r.has(ctx, commit)
	if err != nil || !found[0] {
		return "", false, err
	}
	here := r.git
	here.dir = h.Dir
	prefix, _, err := here.run(ctx, "", "rev-parse", "--show-prefix")
	if err != nil {
		return "", false, fmt.Errorf("find %s in its repository: %w", h.Dir, err)
	}
	index := filepath.Join(into, "index")
	into = filepath.Join(into, "tree")
	r.env = append(r.env, "GIT_INDEX_FILE="+index)
	defer func() { _ = os.Remove(index) }()
	for _, args := range [][]string{
		{"read-tree", commit},
		{"checkout-index", "--all", "--force", "--quiet", "--prefix=" + filepath.ToSlash(into) + "/"},
	} {
		if _, _, err := r.run(ctx, "", args...); err != nil {
			return "", false, fmt.Errorf("write the files of %s: %w", short(commit), err)
		}
	}
	return filepath.Join(into, filepath.FromSlash(strings.TrimRight(prefix, "\n"))), true, nil
}
