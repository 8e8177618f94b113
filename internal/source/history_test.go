package source

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

func (r testRepo) history() History { return History{Dir: r.dir, Environ: gitEnv()} }

func TestCompareCommits(t *testing.T) {
	r := newRepo(t)
	first := r.head()
	second := r.commit("second")
	third := r.commit("third")
	r.git("checkout", "--quiet", "-b", "side", first)
	r.write("side", "x")
	side := r.commit("side")
	r.git("checkout", "--quiet", "--orphan", "other")
	orphan := r.commit("orphan")
	r.git("checkout", "--quiet", "main")
	blob := r.git("rev-parse", "HEAD:.gitignore")

	full := r.history()
	shallow := r.clone("--depth=2", "--no-single-branch").history()
	partial := r.clone("--filter=tree:0", "--no-checkout").history()
	nowhere := History{Dir: t.TempDir(), Environ: gitEnv("GIT_CEILING_DIRECTORIES=" + os.TempDir())}
	tests := []struct {
		name     string
		history  History
		from, to string
		want     string
	}{
		{"same", full, third, third, Same},
		{"child", full, second, third, Descendant},
		{"grandchild", full, first, third, Descendant},
		{"parent", full, third, first, Ancestor},
		{"sister", full, third, side, Diverged},
		{"no common root", full, orphan, third, Diverged},
		{"from is not there", full, otherCommit, third, Unknown},
		{"to is not there", full, third, otherCommit, Unknown},
		{"neither is there", full, otherCommit, strings.Repeat("a", 40), Unknown},
		{"no commit", full, blob, third, Unknown},
		{"short id", full, first[:12], third, Unknown},
		{"a name", full, "main", third, Unknown},
		{"an option", full, "--all", third, Unknown},
		{"empty", full, "", third, Unknown},
		{"other object format", full, strings.Repeat("a", 64), third, Unknown},
		{"shallow, way is there", shallow, second, third, Descendant},
		{"shallow, way back is there", shallow, third, second, Ancestor},
		{"shallow, way may be cut off", shallow, third, side, Unknown},
		{"shallow, same", shallow, third, third, Same},
		{"partial clone", partial, first, third, Descendant},
		{"partial clone without the commit", partial, otherCommit, third, Unknown},
		{"no repository", nowhere, first, third, Unknown},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := tt.history.Compare(t.Context(), tt.from, tt.to)
			if err != nil || got != tt.want {
				t.Errorf("%q, %v, want %q", got, err, tt.want)
			}
		})
	}
	t.Run("depth 1", func(t *testing.T) {
		h := r.clone("--depth=1").history()
		if got, err := h.Compare(t.Context(), second, third); err != nil || got != Unknown {
			t.Errorf("%q, %v", got, err)
		}
	})
	t.Run("at once", func(t *testing.T) {
		var wg sync.WaitGroup
		errs := make([]error, 8)
		for i := range errs {
			wg.Go(func() {
				if got, err := full.Compare(t.Context(), first, third); err != nil || got != Descendant {
					errs[i] = fmt.Errorf("%q, %w", got, err)
				}
			})
		}
		wg.Wait()
		for _, err := range errs {
			if err != nil {
				t.Error(err)
			}
		}
	})
	t.Run("broken", func(t *testing.T) {
		b := newRepo(t)
		b.write(".git/config", "[core\n")
		if got, err := b.history().Compare(t.Context(), first, third); err == nil || got != "" {
			t.Errorf("%q, %v: a failure is not an answer", got, err)
		}
	})
}

func TestCommitTime(t *testing.T) {
	r := newRepo(t)
	h := r.history()
	want := time.Date(2026, 3, 1, 6, 30, 0, 0, time.UTC)
	if got, ok := h.Time(t.Context(), r.head()); !ok || got != want {
		t.Errorf("%v, %v, want %v", got, ok, want)
	}
	for _, commit := range []string{otherCommit, "", "HEAD", r.head()[:12], r.git("rev-parse", "HEAD:.gitignore")} {
		if got, ok := h.Time(t.Context(), commit); ok {
			t.Errorf("time of %q: %v", commit, got)
		}
	}
	if _, ok := (History{Dir: t.TempDir(), Environ: gitEnv("GIT_CEILING_DIRECTORIES=" + os.TempDir())}).Time(t.Context(), r.head()); ok {
		t.Error("a time without a repository")
	}
}
