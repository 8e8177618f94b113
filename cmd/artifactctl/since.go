package main

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/artifactctl/artifactctl/internal/engine"
	"github.com/artifactctl/artifactctl/internal/render"
	"github.com/artifactctl/artifactctl/internal/source"
)

func (p *program) sinceFlag(cmd *cobra.Command) {
	cmd.Flags().StringVar(&p.flags.since, "since", "", "look only at apps that the git diff from this commit to the working tree can concern, as far as the cache knows what they depend on")
}

// limitSince leaves the session the apps that what changed since rev can concern. Whatever is not known for sure keeps an
// app: the cache does not know what it depends on, git does not know a file of it, publish.yaml itself changed.
func (s *session) limitSince(ctx context.Context, rev string) error {
	if rev == "" {
		return nil
	}
	changed, ok, err := source.History{Dir: s.cfg.Dir, Environ: s.environ}.Changed(ctx, rev)
	if err != nil {
		return usagef("name a commit, a branch or a tag that git knows here", "flag --since: %w", err)
	}
	if !ok {
		s.warn(fmt.Sprintf("flag --since: this clone does not tell what changed since %q: all apps are looked at", rev))
		return nil
	}
	if slices.Contains(changed, filepath.Base(s.cfg.File)) {
		s.warn(fmt.Sprintf("flag --since: %s changed: all apps are looked at", filepath.Base(s.cfg.File)))
		return nil
	}
	s.apps = slices.DeleteFunc(s.apps, func(a engine.App) bool { return s.untouched(a.Name, changed) })
	return nil
}

// untouched reports whether none of the changed files can be an input of the app.
func (s *session) untouched(app string, changed []string) bool {
	inputs, ok := s.pool.Inputs(s.requests[app])
	return ok && !slices.ContainsFunc(changed, inputs.Touched)
}

// checkSince refuses --since where it would leave apps out for good.
func (s *session) checkSince() error {
	if s.flags.since != "" && s.engine.Source.Version != "" {
		return usagef("a release is one coherent set: publish it without --since", "flag --since would leave apps out of a release")
	}
	return nil
}

// Order implements engine.Orderer: the longest render first.
func (r appRenderer) Order(ctx context.Context, apps []string) []int {
	requests := make([]render.Request, len(apps))
	for i, a := range apps {
		requests[i] = r.requests[a]
	}
	return r.pool.Order(ctx, requests)
}

var _ engine.Orderer = appRenderer{}
