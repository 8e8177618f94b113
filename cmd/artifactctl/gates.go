package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/artifactctl/artifactctl/config"
	"github.com/artifactctl/artifactctl/internal/artifact"
	"github.com/artifactctl/artifactctl/internal/engine"
	"github.com/artifactctl/artifactctl/internal/finding"
	"github.com/artifactctl/artifactctl/internal/gate"
	"github.com/artifactctl/artifactctl/internal/render"
)

// gates are the gates of publish.yaml, as the engine wants them.
type gates struct {
	runner  *gate.Runner
	root    string                    // of the repository: places of findings are relative to it
	fleet   map[string]render.Request // all apps of publish.yaml
	defines bool                      // what apps define counts, also of those that are not of this run
	whole   []string                  // gates that want to see the fleet as a whole
	pool    *render.Pool
	warn    func(...string)
}

// useGates has the engine run the gates of publish.yaml that apply.
func (s *session) useGates() error {
	list, err := gatesOf(s.cfg)
	if err != nil || len(list) == 0 {
		return err
	}
	root := repositoryRoot(s.cfg.Dir)
	runner, err := gate.New(gate.Options{
		Gates: list, Dir: s.cfg.Dir, File: relativeTo(root, filepath.Join(s.cfg.Dir, filepath.Base(s.cfg.File))), Cache: s.openGateCache(),
	})
	if err != nil {
		return &usageError{err: err}
	}
	g := &gates{runner: runner, root: root, fleet: map[string]render.Request{}, pool: s.pool, warn: s.warn}
	for _, a := range s.cfg.Fleet {
		g.fleet[a.Name] = requestOf(s.cfg, a)
	}
	for _, one := range list {
		g.defines = g.defines || one.Kubeconform != nil && one.Kubeconform.FleetCRDs
		if one.Run != nil && one.Run.Scope == gate.PerFleet {
			g.whole = append(g.whole, one.Name)
		}
	}
	s.engine.Gates = g
	s.warn(doubtsOfGates(s.cfg)...)
	return nil
}

// gatesOf returns the gates that apply in the chosen environment. The error says where in the file a gate is wrong.
func gatesOf(cfg *config.Config) ([]gate.Gate, error) {
	var list []gate.Gate
	var wrong []config.Problem
	for i, c := range cfg.Gates {
		g, err := gateOf(cfg, c)
		if err == nil {
			_, err = gate.New(gate.Options{Gates: []gate.Gate{g}, Dir: cfg.Dir})
		}
		if err != nil {
			wrong = append(wrong, gateProblem(cfg, i, c, err))
		}
		if c.AppliesIn(cfg.Env) {
			list = append(list, g)
		}
	}
	if len(wrong) > 0 {
		return nil, &config.Invalid{Problems: wrong}
	}
	return list, nil
}

// doubtsOfGates are the paths of gates that are not there: a gate whose policy has another name than inputs says would be
// remembered as if that policy never changed, and without its schemas no kind is known.
func doubtsOfGates(cfg *config.Config) []string {
	var out []string
	missing := func(name, field string, i, j int) {
		if _, err := os.Stat(cfg.Abs(name)); errors.Is(err, fs.ErrNotExist) {
			at := fmt.Sprintf("gates[%d].%s[%d]", i, field, j)
			o := cfg.Where(at)
			out = append(out, config.Problem{File: o.File, Line: o.Line, Column: o.Column, Path: at, Message: "there is no " + name}.String())
		}
	}
	for i, g := range cfg.Gates {
		for j, name := range g.Inputs {
			missing(name, "inputs", i, j)
		}
		if g.Kubeconform == nil {
			continue
		}
		for j, name := range g.Kubeconform.Schemas {
			if name == "default" || strings.Contains(name, "://") {
				continue
			}
			if fixed, _, template := strings.Cut(name, "{{"); template {
				name = path.Dir(fixed + "x")
			}
			missing(name, "kubeconform.schemas", i, j)
		}
	}
	return out
}

func gateProblem(cfg *config.Config, i int, c config.Gate, err error) config.Problem {
	at := fmt.Sprintf("gates[%d].run", i)
	if c.Kubeconform != nil {
		at = fmt.Sprintf("gates[%d].kubeconform", i)
	}
	o := cfg.Where(at)
	p := config.Problem{File: o.File, Line: o.Line, Column: o.Column, Path: at, Message: strings.TrimPrefix(err.Error(), "gate "+c.Title()+": ")}
	var hinted interface{ Hint() string }
	if errors.As(err, &hinted) {
		p.Hint = hinted.Hint()
	}
	return p
}

// gateOf translates a gate of publish.yaml.
func gateOf(cfg *config.Config, c config.Gate) (gate.Gate, error) {
	g := gate.Gate{Name: c.Title(), Severity: finding.Severity(c.Severity)}
	if len(c.Apps) > 0 {
		g.Apps = []string{}
		for _, a := range cfg.Fleet {
			for _, pattern := range c.Apps {
				if ok, err := path.Match(pattern, a.Name); ok && err == nil {
					g.Apps = append(g.Apps, a.Name)
					break
				}
			}
		}
	}
	if k := c.Kubeconform; k != nil {
		g.Kubeconform = &gate.Kubeconform{
			Strict: k.Strict, KubernetesVersion: k.KubernetesVersion, Schemas: k.Schemas, FleetCRDs: k.FleetCRDs,
			IgnoreKinds: k.IgnoreKinds, RejectKinds: k.RejectKinds, IgnoreFiles: k.IgnoreFiles, IgnoreMissingSchemas: k.IgnoreMissingSchemas,
		}
		return g, nil
	}
	command := []string(c.Run)
	g.Run = &gate.Run{
		Dir: cfg.Dir, Timeout: c.Timeout, Memory: c.MemoryBytes(), Env: c.Env, Inputs: c.Inputs, Scope: gate.Scope(c.Scope), Format: gate.Format(c.Format),
	}
	if len(command) == 1 {
		var err error
		if command, err = gate.Split(command[0]); err != nil {
			g.Run.Command = c.Run
			return g, err
		}
	}
	g.Run.Command = command
	return g, nil
}

// Check implements engine.Gates.
func (g *gates) Check(ctx context.Context, apps []engine.Rendered, tell func(finding.Result)) (*finding.Report, error) {
	all := make([]gate.App, len(apps))
	judged := map[string]bool{}
	for i, a := range apps {
		judged[a.App] = true
		where, tree := g.place(g.fleet[a.App])
		all[i] = gate.App{Name: a.App, Content: a.Content, Files: a.Files, Path: where, Tree: tree}
	}
	if len(g.whole) > 0 && len(apps) < len(g.fleet) {
		g.warn(fmt.Sprintf("%s: sees %d of %d apps, as this run is about no others or they could not be rendered",
			strings.Join(g.whole, ", "), len(apps), len(g.fleet)))
	}
	background, err := g.background(ctx, judged)
	if err != nil {
		return nil, err
	}
	return g.runner.Check(ctx, append(all, background...), tell)
}

// background renders the apps that are not judged now, for what they define. One that cannot be rendered defines nothing:
// whatever needs its definitions is refused.
func (g *gates) background(ctx context.Context, judged map[string]bool) ([]gate.App, error) {
	if !g.defines {
		return nil, nil
	}
	var mu sync.Mutex
	var out []gate.App
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(8)
	for name, request := range g.fleet {
		if judged[name] {
			continue
		}
		group.Go(func() error {
			result, err := g.pool.Render(ctx, request)
			if err != nil {
				if ctx.Err() == nil {
					g.warn(fmt.Sprintf("app %s is not of this run, and cannot be rendered for the kinds that it may define", name))
				}
				return ctx.Err()
			}
			mu.Lock()
			defer mu.Unlock()
			out = append(out, gate.App{Name: name, Background: true, Content: artifact.ContentDigest(result.Files),
				Files: func(ctx context.Context) (artifact.Files, error) {
					again, err := g.pool.Render(ctx, request)
					return again.Files, err
				}})
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return out, nil
}

// place is where people find what an app is rendered from.
func (g *gates) place(r render.Request) (where string, tree bool) {
	dir := relativeTo(g.root, r.Dir)
	if r.Mode == render.Mode(config.RenderNone) {
		return dir, true
	}
	for _, name := range []string{"kustomization.yaml", "kustomization.yml", "Kustomization"} {
		if _, err := os.Stat(filepath.Join(r.Dir, name)); err == nil {
			return path.Join(dir, name), false
		}
	}
	return dir, false
}

// repositoryRoot is the directory of the repository that holds dir or, where there is none, dir itself. It asks no git:
// gates are run without one, too.
func repositoryRoot(dir string) string {
	for at := dir; ; at = filepath.Dir(at) {
		if _, err := os.Lstat(filepath.Join(at, ".git")); err == nil {
			return at
		}
		if filepath.Dir(at) == at {
			return dir
		}
	}
}

// relativeTo is a path as people write it below a directory.
func relativeTo(root, name string) string {
	rel, err := filepath.Rel(root, name)
	if err != nil {
		return filepath.ToSlash(name)
	}
	return filepath.ToSlash(rel)
}
