package main

import (
	"context"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"github.com/artifactctl/artifactctl/internal/engine"
	"github.com/artifactctl/artifactctl/internal/source"
)

// sourceFlags say what git or the CI's variables would otherwise.
type sourceFlags struct {
	remote, commit, branch, tag, created string
}

func (p *program) sourceFlags(cmd *cobra.Command) {
	f, s := cmd.Flags(), &p.flags.source
	f.StringVar(&s.remote, "source-remote", "", "URL of the source repository")
	f.StringVar(&s.commit, "source-commit", "", "commit that is published, in full")
	f.StringVar(&s.branch, "source-branch", "", "branch that is published")
	f.StringVar(&s.tag, "source-tag", "", "git tag that is published, as v1.4.2; makes this run a release")
	f.StringVar(&s.created, "source-created", "", "creation time of the artifacts, RFC 3339; default the commit's time")
}

// findSource finds out which commit this run is about.
func (s *session) findSource(ctx context.Context) error {
	found, err := s.early.of(ctx, s.program, s.cfg.Dir)
	if err != nil {
		return &usageError{err: err}
	}
	s.warn(found.Warnings...)
	if len(found.DirtyPaths) > 0 {
		s.dirtyPaths = ": " + strings.Join(found.DirtyPaths, ", ")
	}
	s.inside = found.Dir
	s.engine.Source = engine.Source{
		Remote: found.Remote, Commit: found.Commit, Branch: found.Branch, Version: found.Version,
		Revision: found.Revision, Created: found.Created, Dirty: found.Dirty,
	}
	s.engine.History = newHistory(source.History{Dir: s.cfg.Dir, Environ: s.environ})
	return nil
}

// history gives the engine's names to what git answers. Many apps ask about the same two commits, and each answer costs
// a few processes, so it is asked for once.
type history struct {
	git   source.History
	mu    sync.Mutex
	known map[[2]string]engine.Relation
}

func newHistory(git source.History) *history {
	return &history{git: git, known: map[[2]string]engine.Relation{}}
}

func (h *history) Compare(ctx context.Context, from, to string) (engine.Relation, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if relation, ok := h.known[[2]string{from, to}]; ok {
		return relation, nil
	}
	relation, err := h.git.Compare(ctx, from, to)
	if err != nil {
		return "", err
	}
	h.known[[2]string{from, to}] = engine.Relation(relation)
	return engine.Relation(relation), nil
}
