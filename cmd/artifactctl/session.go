package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"path"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/artifactctl/artifactctl/config"
	"github.com/artifactctl/artifactctl/internal/artifact"
	"github.com/artifactctl/artifactctl/internal/attest"
	"github.com/artifactctl/artifactctl/internal/changes"
	"github.com/artifactctl/artifactctl/internal/engine"
	"github.com/artifactctl/artifactctl/internal/render"
	"github.com/artifactctl/artifactctl/internal/ui"
)

// needs says what a command needs beyond publish.yaml.
type needs struct {
	source bool // a commit
	policy bool // what signatures are checked with; starts the signer when publish.yaml does not say
	signer bool // a signer that can sign
	late   bool // the signer is started when it turns out that something is to be signed
	write  bool // the registry is written to
	gates  bool // what is rendered is looked at before anything else
	// given is what signatures are checked with, by Flux's rules alone, in place of what publish.yaml says
	given *attest.Policy
}

// session is a loaded configuration with the parts that it describes, introduced to each other.
type session struct {
	*program
	cfg        *config.Config
	ui         *ui.UI
	engine     *engine.Engine
	apps       []engine.App
	requests   map[string]render.Request // by app
	pool       *render.Pool
	dirtyPaths string // of the working tree, for messages
	early      *detection
	late       *lateSigner // nil unless the signer waits for work
	inside     string      // where publish.yaml lies in the repository of the source, "" when that is not known
	renders    *renders    // nil when nobody asks for them
	legacy     bool        // read legacy signatures though publish.yaml makes none
	closers    []func()
}

// open loads publish.yaml and wires what the command needs. What can fail early fails here, before anything is rendered
// or sent: a wrong passphrase is found before the first push. The caller closes the session.
func (p *program) open(ctx context.Context, n needs) (*session, error) {
	p.tuneCollector()
	early := p.detectEarly(ctx, n)
	cfg, err := p.load()
	if err != nil {
		early.stop()
		return nil, err
	}
	s := &session{program: p, cfg: cfg, early: early, requests: map[string]render.Request{}}
	s.closers = append(s.closers, early.stop)
	s.ui = p.newUI()
	s.closers = append(s.closers, s.ui.Close)
	s.engine = &engine.Engine{
		Tags:        engine.TagRules{Commit: cfg.Tags.Commit, Rolling: cfg.Tags.Rolling, Release: cfg.Tags.Release},
		Formats:     formats(cfg.Signature.Format),
		Batch:       cfg.Signature.Batch,
		Concurrency: p.flags.concurrency,
		Events:      s.ui.Event,
	}
	if err := s.wire(ctx, n); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// tuneCollector trades memory, of which a run needs little, for a third of its time. Who sets Go's own variables knows
// better.
func (p *program) tuneCollector() {
	if p.getenv("GOGC") == "" {
		debug.SetGCPercent(400)
	}
	if p.getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(256 << 20)
	}
}

func (s *session) wire(ctx context.Context, n needs) error {
	for _, w := range s.cfg.Warnings {
		s.warn(w.String())
	}
	if err := s.chooseApps(); err != nil {
		return err
	}
	if n.source {
		if err := s.findSource(ctx); err != nil {
			return err
		}
	}
	if n.policy {
		if err := s.choosePolicy(ctx, n); err != nil {
			return err
		}
		if err := s.openRegistry(ctx, n.write); err != nil {
			return err
		}
	}
	if n.source && n.policy {
		if err := s.states(); err != nil {
			return err
		}
	}
	if err := s.startRenderer(); err != nil {
		return err
	}
	if n.gates {
		if err := s.useGates(); err != nil {
			return err
		}
	}
	if err := s.checkSince(); err != nil {
		return err
	}
	return s.limitSince(ctx, s.flags.since)
}

// choosePolicy takes the policy that was given, and looks at publish.yaml for one only when none was.
func (s *session) choosePolicy(ctx context.Context, n needs) error {
	if n.given != nil {
		s.engine.Policy, s.engine.Formats = *n.given, nil
		return nil
	}
	if n.late {
		s.late = &lateSigner{}
	}
	return s.findPolicy(ctx, n.signer)
}

// close ends the processes of the session; it is safe to call more than once.
func (s *session) close() {
	for _, c := range slices.Backward(s.closers) {
		c()
	}
	s.closers = nil
}

func (s *session) warn(texts ...string) {
	for _, t := range texts {
		fmt.Fprintf(s.ui.Log(), "warning: %s\n", t)
	}
}

func (p *program) newUI() *ui.UI {
	return ui.New(ui.Options{
		Mode: ui.Mode(p.flags.progress), Color: ui.Color(p.flags.color),
		Stdout: p.out, Stderr: p.err, Environ: p.lookup,
		StdoutTerminal: ui.IsTerminal(p.stdio.out), StderrTerminal: ui.IsTerminal(p.stdio.err),
		Size:    ui.SizeOf(p.stdio.err),
		Hide:    p.hide.String,
		Verbose: p.flags.logLevel == "debug" || p.flags.logLevel == "info",
	})
}

func (p *program) outputOptions() ui.Output {
	return ui.Output{Format: ui.Format(p.flags.output), Generator: ui.Generator{Name: "artifactctl", Version: versionText()}}
}

// chooseApps takes the apps of publish.yaml that --only names.
func (s *session) chooseApps() error {
	used := map[string]bool{}
	for _, a := range s.cfg.Fleet {
		if !s.chosen(a.Name, used) {
			continue
		}
		s.apps = append(s.apps, engine.App{Name: a.Name, Repository: a.Repository, Annotations: a.Annotations})
		s.requests[a.Name] = requestOf(s.cfg, a)
	}
	for _, pattern := range s.flags.only {
		if !used[pattern] {
			return usagef("artifactctl check lists the apps", "flag --only: no app is called %q", pattern)
		}
	}
	return nil
}

// requestOf is how an app is rendered.
func requestOf(cfg *config.Config, a config.App) render.Request {
	return render.Request{
		Dir: a.Dir, Root: cfg.Dir, Mode: render.Mode(a.Render), Helm: a.Helm, RemoteBases: a.RemoteBases, Ignore: a.Ignore,
	}
}

func (s *session) chosen(name string, used map[string]bool) bool {
	chosen := len(s.flags.only) == 0
	for _, pattern := range s.flags.only {
		if ok, err := path.Match(pattern, name); ok && err == nil {
			used[pattern], chosen = true, true
		}
	}
	return chosen
}

func formats(f config.Format) []artifact.Format {
	switch f {
	case config.FormatLegacy:
		return []artifact.Format{artifact.FormatLegacy}
	case config.FormatBoth:
		return []artifact.Format{artifact.FormatBundle, artifact.FormatLegacy}
	}
	return []artifact.Format{artifact.FormatBundle}
}

// appRenderer renders the session's apps by name.
type appRenderer struct {
	pool     *render.Pool
	requests map[string]render.Request
	renders  *renders
}

func (r appRenderer) Render(ctx context.Context, app string) (artifact.Files, []string, error) {
	result, err := r.pool.Render(ctx, r.requests[app])
	if err == nil {
		r.renders.keep(app, result)
	}
	return result.Files, result.Warnings, err
}

func (s *session) startRenderer() error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this executable, which renders in processes of its own: %w", err)
	}
	kept := s.openCache()
	s.pool = render.NewPool(render.PoolOptions{Command: []string{self, workerName}, Timeout: s.flags.renderTimeout, Cache: kept, Record: s.renders != nil})
	s.closers = append(s.closers, func() {
		if n := s.pool.Counts(); s.flags.logLevel == "debug" || s.flags.logLevel == "info" {
			fmt.Fprintf(s.ui.Log(), "apps rendered: %d, by workers: %d, from the cache: %d\n", n.Built, n.Workers, n.Cached)
		}
		_ = s.pool.Close()
	})
	s.engine.Renderer = appRenderer{s.pool, s.requests, s.renders}
	return nil
}

// differ explains differences; marks of secrets are keyed anew each run, so that they cannot be guessed offline.
func (s *session) differ() engine.Differ {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // it never fails: the runtime ends the process first
	comparer := changes.New(key)
	return func(before, after artifact.Files) []changes.Object { return comparer.Compare(before, after) }
}

// summarizeForCI writes what the CI job's page shows, where the CI asks for it. It never fails a run.
func (s *session) summarizeForCI(kind ui.Kind, r *engine.Report) {
	s.appendSummary(func() []byte { return s.ui.Markdown(kind, r, ui.SummaryLimit) })
}

// appendSummary is summarizeForCI for any text.
func (s *session) appendSummary(text func() []byte) {
	file := s.getenv("GITHUB_STEP_SUMMARY")
	if file == "" || strings.TrimSpace(s.getenv("GITHUB_ACTIONS")) == "" {
		return
	}
	f, err := os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		s.warn(fmt.Sprintf("the job summary cannot be written: %v", err))
		return
	}
	defer func() { _ = f.Close() }()
	if _, err := f.Write(text()); err != nil {
		s.warn(fmt.Sprintf("the job summary cannot be written: %v", err))
	}
}
