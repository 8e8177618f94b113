package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/artifactctl/artifactctl/config"
	"github.com/artifactctl/artifactctl/internal/redact"
)

// load reads publish.yaml with everything that the command line says about it, and from then on the streams blank the
// secrets that the configuration names.
func (p *program) load() (*config.Config, error) {
	var overrides []config.Override
	for _, set := range p.flags.set {
		path, value, ok := strings.Cut(set, "=")
		if !ok || path == "" {
			return nil, usagef("write it as --set registry.timeout=1m", "flag --set: %q has no path and value", path)
		}
		overrides = append(overrides, config.Override{Flag: "--set", Path: path, Value: value})
	}
	if p.flags.registry != "" {
		overrides = append(overrides, config.Override{Flag: "--registry", Path: "registry.url", Value: p.flags.registry})
	}
	if p.flags.signer != "" {
		overrides = append(overrides, config.Override{Flag: "--signer", Path: "signer", Value: p.flags.signer})
	}
	p.overrides = overrides
	cfg, err := config.Load(config.Options{File: p.flags.file, Stdin: p.in, Env: p.flags.env, Environ: p.environ, Set: overrides})
	if err != nil {
		return nil, err
	}
	p.blank(append([]*config.Config{cfg}, p.others...)...)
	return cfg, nil
}

// blank makes the streams hide the values of all secrets that this run may come to know.
func (p *program) blank(configs ...*config.Config) {
	names := []string{"HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "CI_REPOSITORY_URL", "CI_REPO_CLONE_URL", "BUILDKITE_REPO"}
	var passwords []string
	for _, cfg := range configs {
		for _, s := range cfg.Signers {
			names = append(names, s.Env...)
		}
		for _, g := range cfg.Gates {
			names = append(names, g.Env...)
		}
		for _, r := range []config.Reference{cfg.Registry.Credentials.Username, cfg.Registry.Credentials.Password} {
			if name, ok := strings.CutPrefix(r.String(), "env://"); ok {
				names = append(names, name)
			}
		}
		if password, err := cfg.Registry.Credentials.Password.Resolve(p.lookup, cfg.Dir); err == nil {
			passwords = append(passwords, password)
		}
	}
	p.hide = redact.New(append(redact.FromEnviron(names, p.lookup), passwords...))
	p.out, p.err = unbuffered{p.hide, p.stdio.out}, unbuffered{p.hide, p.stdio.err}
}

// doubts are the warnings about a configuration: the loader's, and what only looks wrong to those who know the signer.
func (p *program) doubts(cfg *config.Config) []string {
	var out []string
	for _, w := range cfg.Warnings {
		out = append(out, w.String())
	}
	out = append(out, doubtsOfGates(cfg)...)
	if cfg.Signer == "" {
		return append(out, fmt.Sprintf("%s: signer: none is chosen, so nothing can be published", cfg.File))
	}
	if trust := cfg.Signers[cfg.Signer].Trust; len(trust.PublicKey) == 0 && !trust.Keyless() {
		return append(out, fmt.Sprintf("%s: signers.%s.trust: missing, so signatures are checked with whatever key the signer reports", cfg.File, cfg.Signer))
	}
	if err := checkTrust(cfg); err != nil {
		out = append(out, err.Error())
	}
	return out
}

// within runs work under the run's deadline.
func (p *program) within(ctx context.Context, work func(context.Context) error) error {
	if p.flags.timeout == 0 {
		return work(ctx)
	}
	late := timeoutError{p.flags.timeout.String()}
	ctx, cancel := context.WithTimeoutCause(ctx, p.flags.timeout, late)
	defer cancel()
	err := work(ctx)
	if err != nil && errors.Is(context.Cause(ctx), late) && !errors.Is(err, late) && !errors.Is(err, errSomeFailed) {
		return fmt.Errorf("%w: %w", late, err) // a part that knows deadlines, but not whose this one is
	}
	return err
}

// timeoutError is the cause when a run took too long.
type timeoutError struct{ after string }

func (e timeoutError) Error() string { return "gave up after " + e.after }
func (e timeoutError) Hint() string {
	return "run again to finish what is missing, or allow more with --timeout"
}
