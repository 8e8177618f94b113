package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"github.com/artifactctl/artifactctl/config"
	"github.com/artifactctl/artifactctl/internal/artifact"
	"github.com/artifactctl/artifactctl/internal/render"
	"github.com/artifactctl/artifactctl/internal/source"
)

// pastCommits renders apps of other commits, from snapshots in a temporary directory: the files of a commit and its own
// publish.yaml. Each commit is written once.
type pastCommits struct {
	session *session
	dir     string
	mu      sync.Mutex
	known   map[string]func() (past, error)
}

// past is a commit that was written out.
type past struct{ requests map[string]render.Request }

// reproduceCommits makes verify render what was published.
func (s *session) reproduceCommits() error {
	if s.cfg.File == "-" {
		return usagef("name a file that the commit holds", "flag --reproduce: publish.yaml of another commit cannot be read from standard input")
	}
	dir, err := os.MkdirTemp("", "artifactctl-")
	if err != nil {
		return fmt.Errorf("make a place for other commits: %w", err)
	}
	s.closers = append(s.closers, func() { _ = os.RemoveAll(dir) })
	s.engine.Reproducer = &pastCommits{session: s, dir: dir, known: map[string]func() (past, error){}}
	s.engine.Diff = s.differ()
	return nil
}

// RenderAt implements engine.CommitRenderer.
func (p *pastCommits) RenderAt(ctx context.Context, commit, app string) (artifact.Files, error) {
	p.mu.Lock()
	write, ok := p.known[commit]
	if !ok {
		write = sync.OnceValues(func() (past, error) { return p.write(ctx, commit) })
		p.known[commit] = write
	}
	p.mu.Unlock()
	at, err := write()
	if err != nil {
		return nil, err
	}
	request, ok := at.requests[app]
	if !ok {
		return nil, fmt.Errorf("publish.yaml of that commit has no app %q", app)
	}
	result, err := p.session.pool.Render(ctx, request)
	return result.Files, err
}

// write writes the files of a commit and reads the publish.yaml among them, with the flags of this run.
func (p *pastCommits) write(ctx context.Context, commit string) (past, error) {
	into := filepath.Join(p.dir, commit)
	if err := os.MkdirAll(into, 0o700); err != nil {
		return past{}, fmt.Errorf("make a place for a commit: %w", err)
	}
	cfg := p.session.cfg
	dir, ok, err := source.History{Dir: cfg.Dir, Environ: p.session.environ}.Snapshot(ctx, commit, into)
	if err != nil {
		return past{}, err
	}
	if !ok {
		return past{}, advise(fmt.Errorf("this clone does not have commit %s", commit), "fetch it: git fetch --unshallow, or git fetch origin %s", commit)
	}
	then, err := config.Load(config.Options{
		File: filepath.Join(dir, filepath.Base(cfg.File)), Env: p.session.flags.env, Environ: p.session.environ, Set: p.session.overrides,
	})
	if err != nil {
		return past{}, fmt.Errorf("publish.yaml of commit %s: %w", commit, err)
	}
	at := past{requests: map[string]render.Request{}}
	for _, a := range then.Fleet {
		at.requests[a.Name] = requestOf(then, a)
	}
	return at, nil
}
