package source

import (
	"context"
	"fmt"
	"time"
)

// How a commit relates to another, as Compare says it.
const (
	Same       = "same"
	Descendant = "descendant"
	Ancestor   = "ancestor"
	Diverged   = "diverged"
	Unknown    = "unknown"
)

// History answers questions about the commits of a repository. It is safe for concurrent use.
type History struct {
	Dir     string   // any directory in the repository
	Environ []string // as in Options
}

// Compare says what commit to is, seen from commit from: Same, Descendant (to came after from), Ancestor, Diverged, or
// Unknown when it cannot be told: one of them is not in the clone, or is no full commit id, or the clone is shallow and
// the way from one to the other may be cut off, or there is no repository. An error means that git could not answer.
func (h History) Compare(ctx context.Context, from, to string) (string, error) {
	if !isCommit(from) || !isCommit(to) {
		return Unknown, nil
	}
	if from == to {
		return Same, nil
	}
	r, err := openRepository(ctx, h.Dir, newEnvironment(h.Environ))
	if isAbsent(err) {
		return Unknown, nil
	}
	if err != nil {
		return "", err
	}
	found, err := r.has(ctx, from, to)
	if err != nil {
		return "", err
	}
	if !found[0] || !found[1] {
		return Unknown, nil
	}
	return r.relate(ctx, from, to)
}

// relate compares two commits that are in the clone. In a shallow clone a way that is found is a way, but one that is
// not found proves nothing.
func (r *repository) relate(ctx context.Context, from, to string) (string, error) {
	forward, err := r.isAncestor(ctx, from, to)
	if err != nil {
		return "", err
	}
	if forward {
		return Descendant, nil
	}
	backward, err := r.isAncestor(ctx, to, from)
	switch {
	case err != nil:
		return "", err
	case backward:
		return Ancestor, nil
	case r.shallow:
		return Unknown, nil
	default:
		return Diverged, nil
	}
}

func (r *repository) isAncestor(ctx context.Context, ancestor, commit string) (bool, error) {
	_, code, err := r.run(ctx, "", "merge-base", "--is-ancestor", ancestor, commit)
	if err != nil {
		return false, fmt.Errorf("compare commits %s and %s: %w", short(ancestor), short(commit), err)
	}
	return code == 0, nil
}

// Time returns when a commit was committed, in UTC; not ok when the clone does not have it.
func (h History) Time(ctx context.Context, commit string) (t time.Time, ok bool) {
	if !isCommit(commit) {
		return time.Time{}, false
	}
	r, err := openRepository(ctx, h.Dir, newEnvironment(h.Environ))
	if err != nil {
		return time.Time{}, false
	}
	t, err = r.time(ctx, commit)
	return t, err == nil
}
