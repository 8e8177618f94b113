package source

import (
	"context"
	"fmt"
	"strings"
)

// Changed lists the files below Dir, relative to it and slash-separated, that may differ from the commit that rev names:
// those that git sees changed, added or removed since, and all that git does not know, for nobody can tell about them. ok
// is false when that cannot be told: the clone does not have rev, or too much has changed to list.
func (h History) Changed(ctx context.Context, rev string) (paths []string, ok bool, err error) {
	r, err := openRepository(ctx, h.Dir, newEnvironment(h.Environ))
	if err != nil {
		return nil, false, err
	}
	r.git.dir = h.Dir
	commit, code, err := r.run(ctx, "", "rev-parse", "--verify", "--quiet", "--end-of-options", rev+"^{commit}")
	if err != nil || code != 0 {
		return nil, false, err
	}
	for _, args := range [][]string{
		{"diff", "--name-only", "-z", "--no-renames", "--no-ext-diff", "--ignore-submodules=none", "--relative", strings.TrimSpace(commit), "--"},
		{"ls-files", "--others", "-z"},
	} {
		out, _, err := r.run(ctx, "", args...)
		if err != nil {
			return nil, false, fmt.Errorf("list what changed since %s: %w", rev, err)
		}
		if len(out) >= maxOutput {
			return nil, false, nil
		}
		for path := range strings.SplitSeq(out, "\x00") {
			if path != "" {
				paths = append(paths, strings.TrimSuffix(path, "/"))
			}
		}
	}
	return paths, true, nil
}
