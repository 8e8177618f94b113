package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/artifactctl/artifactctl/config"
	"github.com/artifactctl/artifactctl/internal/attest"
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
	cfg, err := config.Load(config.Options{File: p.flags.file, Stdin: p.in, Env: p.flags.env, Environ: p.environ, Set: overrides})
	if err != nil {
		return nil, err
	}
	p.blank(cfg)
	return cfg, nil
}

// blank makes the streams hide the values of all secrets that this run may come to know.
func (p *program) blank(cfg *config.Config) {
	names := []string{"HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "CI_REPOSITORY_URL", "CI_REPO_CLONE_URL", "BUILDKITE_REPO"}
	for _, s := range cfg.Signers {
		names = append(names, s.Env...)
	}
	for _, r := range []config.Reference{cfg.Registry.Credentials.Username, cfg.Registry.Credentials.Password} {
		if name, ok := strings.CutPrefix(r.String(), "env://"); ok {
			names = append(names, name)
		}
	}
	secrets := redact.FromEnviron(names, p.lookup)
	if password, err := cfg.Registry.Credentials.Password.Resolve(p.lookup, cfg.Dir); err == nil {
		secrets = append(secrets, password)
	}
	p.hide = redact.New(secrets)
	p.out, p.err = unbuffered{p.hide, p.stdio.out}, unbuffered{p.hide, p.stdio.err}
}

// doubts are the warnings about a configuration: the loader's, and what only looks wrong to those who know the signer.
func (p *program) doubts(cfg *config.Config) []string {
	var out []string
	for _, w := range cfg.Warnings {
		out = append(out, w.String())
	}
	if cfg.Signer == "" {
		return append(out, fmt.Sprintf("%s: signer: none is chosen, so nothing can be published", cfg.File))
	}
	if trust := cfg.Signers[cfg.Signer].Trust; len(trust.PublicKey) == 0 && !trust.Keyless() {
		return append(out, fmt.Sprintf("%s: signers.%s.trust: missing, so signatures are checked with whatever key the signer reports", cfg.File, cfg.Signer))
	}
	if _, err := trusted(cfg); err != nil {
		out = append(out, err.Error())
	}
	return out
}

// trusted is the policy of the active signer's trust; no error and no policy when it names neither key nor identity.
func trusted(cfg *config.Config) (*attest.Policy, error) {
	if cfg.Signers[cfg.Signer].Trust.Keyless() {
		return trustedIdentity(cfg)
	}
	return trustedKeys(cfg)
}

func trustedKeys(cfg *config.Config) (*attest.Policy, error) {
	var pems [][]byte
	for _, path := range cfg.Signers[cfg.Signer].Trust.PublicKey {
		text, err := readTrust(cfg, "publicKey", path, "artifactctl keygen makes a pair; a signer's public key can be exported from its service")
		if err != nil {
			return nil, err
		}
		if _, err := attest.KeyPolicy(text); err != nil {
			return nil, usagef("it has to be a PEM file with one PUBLIC KEY, as cosign.pub", "%s: signers.%s.trust.publicKey: %s: %w", cfg.File, cfg.Signer, path, err)
		}
		pems = append(pems, text)
	}
	if len(pems) == 0 {
		return nil, nil
	}
	policy, err := attest.KeyPolicy(pems...)
	return &policy, err
}

func trustedIdentity(cfg *config.Config) (*attest.Policy, error) {
	trust := cfg.Signers[cfg.Signer].Trust
	if f := cfg.Signature.Format; f != config.FormatBundle {
		return nil, usagef("write signature: {format: bundle}, or sign with a key for clusters that need the legacy format",
			"%s: signature.format: %s: an identity can sign bundles only", cfg.File, f)
	}
	if trust.TrustedRoot == "" {
		return nil, usagef("`cosign trusted-root create` writes the file for your Sigstore; name it in trustedRoot",
			"%s: signers.%s.trust.trustedRoot: is missing: the root of the public Sigstore is not fetched, so nothing could be checked", cfg.File, cfg.Signer)
	}
	text, err := readTrust(cfg, "trustedRoot", trust.TrustedRoot, "`cosign trusted-root create` writes one for your Sigstore")
	if err != nil {
		return nil, err
	}
	policy, err := attest.IdentityPolicy(attest.IdentityOptions{
		Issuer: trust.Issuer, IssuerRegExp: trust.IssuerRegExp, Subject: trust.Subject, SubjectRegExp: trust.SubjectRegExp, TrustedRoot: text,
	})
	if err != nil {
		return nil, usagef("trustedRoot has to be a Sigstore trusted root in JSON", "%s: signers.%s.trust: %w", cfg.File, cfg.Signer, err)
	}
	return &policy, nil
}

// readTrust reads a file that trust names.
func readTrust(cfg *config.Config, field, path, missing string) ([]byte, error) {
	text, err := os.ReadFile(cfg.Abs(path))
	if errors.Is(err, os.ErrNotExist) {
		return nil, usagef(missing, "%s: signers.%s.trust.%s: there is no file %s", cfg.File, cfg.Signer, field, path)
	}
	if err != nil {
		return nil, usagef("", "%s: signers.%s.trust.%s: %w", cfg.File, cfg.Signer, field, err)
	}
	return text, nil
}

// within runs work under the run's deadline.
func (p *program) within(ctx context.Context, work func(context.Context) error) error {
	if p.flags.timeout == 0 {
		return work(ctx)
	}
	late := usageTimeout{p.flags.timeout.String()}
	ctx, cancel := context.WithTimeoutCause(ctx, p.flags.timeout, late)
	defer cancel()
	return work(ctx)
}

// usageTimeout is the cause when a run took too long.
type usageTimeout struct{ after string }

func (e usageTimeout) Error() string { return "gave up after " + e.after }
func (e usageTimeout) Hint() string {
	return "run again to finish what is missing, or allow more with --timeout"
}
