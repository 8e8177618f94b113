package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/artifactctl/artifactctl/config"
	"github.com/artifactctl/artifactctl/internal/attest"
	"github.com/artifactctl/artifactctl/internal/engine"
	"github.com/artifactctl/artifactctl/internal/registry"
)

// verifyReferences checks what references name. Without a policy in flags, that of publish.yaml counts.
func (p *program) verifyReferences(ctx context.Context, args []string, flags policyFlags, reproduce bool) error {
	var references []registry.Reference
	for _, arg := range args {
		r, err := registry.ParseReference(arg)
		if err != nil {
			return usagef("write it as oci://host/repository:tag, oci://host/repository@sha256:… or oci-layout:directory:tag", "%w", err)
		}
		references = append(references, r)
	}
	given, err := p.givenPolicy(ctx, flags)
	if err != nil {
		return err
	}
	s, err := p.openForReferences(ctx, given)
	if err != nil {
		return err
	}
	defer s.close()
	if reproduce {
		if s.cfg == nil {
			return usagef("give --file", "flag --reproduce: nothing says how to render these references")
		}
		if err := s.reproduceCommits(); err != nil {
			return err
		}
	}
	f := &finder{session: s, flags: flags, given: given, reproduce: reproduce, engines: map[string]*engine.Engine{}}
	var targets []engine.Target
	for _, r := range references {
		t, err := f.target(r)
		if err != nil {
			return err
		}
		targets = append(targets, t)
	}
	v, err := s.engine.VerifyTargets(ctx, targets)
	return s.showVerification(v, err)
}

// openForReferences opens publish.yaml if it is asked for, or if it has to say whom to trust; else a session without one.
func (p *program) openForReferences(ctx context.Context, given *attest.Policy) (*session, error) {
	if p.namesConfig() || given == nil && p.hasConfig() {
		return p.open(ctx, needs{policy: true, given: given})
	}
	p.blank()
	s := &session{program: p, ui: p.newUI()}
	s.closers = append(s.closers, s.ui.Close)
	s.engine = &engine.Engine{Concurrency: p.flags.concurrency, Events: s.ui.Event}
	return s, nil
}

// namesConfig reports whether the command line asks for publish.yaml.
func (p *program) namesConfig() bool {
	f := p.flags
	return f.file != "" || f.env != "" || f.registry != "" || f.signer != "" || len(f.set) > 0
}

// hasConfig reports whether there is a publish.yaml to read without being asked.
func (p *program) hasConfig() bool {
	_, err := os.Stat(config.DefaultFile)
	return !errors.Is(err, fs.ErrNotExist)
}

// finder finds, for a reference, the registry that it is in and the policy to check it with.
type finder struct {
	*session
	flags     policyFlags
	given     *attest.Policy
	reproduce bool
	engines   map[string]*engine.Engine // by registry or directory
}

func (f *finder) target(r registry.Reference) (engine.Target, error) {
	app, repository, ours := f.find(r)
	if f.given == nil && app == "" && !f.namesConfig() {
		text := "it belongs to no app of " + config.DefaultFile
		if f.cfg == nil {
			text = "there is no " + config.DefaultFile
		}
		return engine.Target{}, usagef("give --key, or --certificate-identity and --certificate-oidc-issuer; or --file, to check it with the trust of that file",
			"%s: nothing says whose signatures are good: %s", r, text)
	}
	if app == "" && f.reproduce {
		return engine.Target{}, usagef("leave it out", "flag --reproduce: %s belongs to no app of publish.yaml, which would say how to render it", r)
	}
	t := engine.Target{By: f.engine, App: engine.App{Name: app, Repository: repository}, Ref: r.Ref}
	if app == "" {
		t.App.Name = repository
	}
	if ours {
		return t, nil
	}
	by, err := f.elsewhere(r)
	t.By = by
	return t, err
}

// find looks for a reference in the registry of publish.yaml: its app, if it has one, and its repository there.
func (f *finder) find(r registry.Reference) (app, repository string, ours bool) {
	if f.cfg == nil {
		return "", r.Repository, false
	}
	repository, ours = below(f.cfg, r)
	if !ours {
		return "", r.Repository, false
	}
	for _, a := range f.cfg.Fleet {
		if a.Repository == repository {
			return a.Name, repository, true
		}
	}
	return "", repository, true
}

// below is the path of a reference below the registry of publish.yaml, if it is there.
func below(cfg *config.Config, r registry.Reference) (string, bool) {
	if dir, ok := cfg.Registry.Layout(); ok {
		if r.Dir == "" {
			return "", false
		}
		rest, ok := strings.CutPrefix(filepath.ToSlash(filepath.Join(r.Dir, r.Repository)), filepath.ToSlash(cfg.Abs(dir))+"/")
		return rest, ok
	}
	host, prefix := cfg.Registry.Host()
	if r.Host == "" || r.Host != host {
		return "", false
	}
	if prefix == "" {
		return r.Repository, true
	}
	return strings.CutPrefix(r.Repository, prefix+"/")
}

// elsewhere is the engine for a registry or a directory that publish.yaml does not describe.
func (f *finder) elsewhere(r registry.Reference) (*engine.Engine, error) {
	key := r.Host + " " + r.Dir
	if e, ok := f.engines[key]; ok {
		return e, nil
	}
	e := *f.engine
	if f.given != nil {
		e.Policy = *f.given
	}
	e.Formats, e.Recall = nil, nil
	if err := f.open(r, &e); err != nil {
		return nil, err
	}
	f.engines[key] = &e
	return &e, nil
}

func (f *finder) open(r registry.Reference, e *engine.Engine) error {
	if r.Dir != "" {
		layout, err := registry.NewLayout(r.Dir)
		if err != nil {
			return &usageError{err: err}
		}
		e.Registry, e.Host = layout, "oci-layout:"+r.Dir
		return nil
	}
	o := registry.RemoteOptions{DockerConfig: true, PlainHTTP: f.flags.plainHTTP, CAFile: f.flags.caFile, UserAgent: "artifactctl/" + versionText()}
	if f.cfg != nil {
		if host, _ := f.cfg.Registry.Host(); host == r.Host { // another path of the same registry
			var err error
			if o, err = f.remoteOptions(false); err != nil {
				return err
			}
		}
	}
	o.Host, o.Prefix, o.Repositories, o.Legacy = r.Host, "", nil, false
	remote, err := registry.NewRemote(o)
	if err != nil {
		return &usageError{err: err}
	}
	f.closers = append(f.closers, remote.Close)
	e.Registry, e.Host = remote, r.Host
	return nil
}
