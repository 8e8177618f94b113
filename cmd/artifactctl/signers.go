package main

import (
	"context"
	"fmt"
	"os"
	"runtime"

	"github.com/spf13/cobra"

	"github.com/artifactctl/artifactctl/internal/attest"
	"github.com/artifactctl/artifactctl/plugins/signer"
	"github.com/artifactctl/artifactctl/plugins/signer/rpc"
)

// signerFlags adds the flags of commands that may start a signer.
func (p *program) signerFlags(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&p.flags.unpinned, "allow-unpinned-signer", false, "run a signer from outside the release without a sha256 in publish.yaml")
}

// findPolicy finds what signatures are checked with: the trust of the signer or, without one, the key that it reports.
// With sign, the signer is started in any case, and must be one that is trusted.
func (s *session) findPolicy(ctx context.Context, sign bool) error {
	if _, err := s.cfg.ActiveSigner(); err != nil {
		return err
	}
	trust, err := s.trusted(ctx)
	if err != nil {
		return err
	}
	if trust != nil {
		s.engine.Policy = *trust
		if !sign || s.waitToSign(ctx, *trust) {
			return nil
		}
	}
	process, info, err := s.startSigner(ctx, s.cfg.Signer)
	if err != nil {
		return err
	}
	s.engine.Signer = process
	if trust != nil {
		return s.checkSigner(*trust, info)
	}
	if len(info.PublicKey) == 0 {
		return usagef("write trust: {issuer: …, subject: …} for this signer, and for a Sigstore of your own trustedRoot or tufMirror",
			"%s: signer %q signs with certificates, as %s, and has no trust to check them with", s.cfg.File, s.cfg.Signer, info.Identity)
	}
	policy, err := attest.KeyPolicy(info.PublicKey)
	if err != nil {
		return usagef("say in signers."+s.cfg.Signer+".trust what its signatures are checked with", "%s: signer %q has no trust: %w", s.cfg.File, s.cfg.Signer, err)
	}
	s.warn(fmt.Sprintf("signers.%s has no trust: signatures are checked with the key that the signer reports, %s", s.cfg.Signer, info.Identity))
	s.engine.Policy = policy
	return nil
}

// checkSigner refuses a signer whose signatures trust will not accept, before anything is pushed. A signer that gets its
// certificate only with the first signature is found out then, before that is attached.
func (s *session) checkSigner(trust attest.Policy, info signer.Info) error {
	certified, reason := len(info.PublicKey) == 0, error(nil)
	switch {
	case certified != trust.ByIdentity(), !certified && !trust.Trusts(info.PublicKey):
	case len(info.Certificate) > 0:
		if reason = trust.CheckCertificate(info.Certificate); reason == nil {
			return nil
		}
	default:
		return nil
	}
	hint := "put the signer's public key into trust, or sign with the key that is trusted"
	if certified {
		hint = "trust the issuer and the subject of its certificates, or sign with the key that is trusted"
	}
	text := fmt.Sprintf("%s: signer %q signs as %s, which its trust does not accept", s.cfg.File, s.cfg.Signer, info.Identity)
	if reason != nil {
		return usagef(hint, "%s: %w", text, reason)
	}
	return usagef(hint, "%s", text)
}

// startSigner starts and opens the plugin of a signer. It gets the variables that publish.yaml lists for it, and no
// others.
func (s *session) startSigner(ctx context.Context, name string) (*rpc.Process, signer.Info, error) {
	none, c := signer.Info{}, s.cfg.Signers[name]
	found, pin, err := s.findSigner(name)
	if err != nil {
		return nil, none, err
	}
	var environ []string
	for _, variable := range c.Env {
		if value, ok := s.lookup(variable); ok {
			environ = append(environ, variable+"="+value)
		}
	}
	process, err := rpc.Start(ctx, rpc.StartOptions{
		Name: name, Path: found.Path, SHA256: pin, Env: environ, Dir: s.cfg.Dir, Log: s.ui.Log(), LogLevel: s.pluginLog(),
	})
	if err != nil {
		return nil, none, fmt.Errorf("%s: signers.%s: %w", s.cfg.File, name, advise(err, "--log-level debug shows what the plugin says"))
	}
	s.closers = append(s.closers, func() { _ = process.Close() })
	info, err := process.Open(ctx, c.With)
	if err != nil {
		return nil, none, &usageError{err: fmt.Errorf("%s: signers.%s: %w", s.cfg.File, name, adviseSigner(err, name, c.Plugin))}
	}
	s.warn(info.Warnings...)
	return process, info, nil
}

// findSigner finds the executable of a signer, and its pin.
func (s *session) findSigner(name string) (rpc.Found, string, error) {
	c := s.cfg.Signers[name]
	search, err := s.search()
	if err != nil {
		return rpc.Found{}, "", err
	}
	search.Path = s.cfg.Abs(c.Path)
	found, err := rpc.Find(search, c.Plugin)
	if err != nil {
		return found, "", &usageError{err: fmt.Errorf("%s: signers.%s: %w", s.cfg.File, name, advise(err, "artifactctl plugins lists what can be found"))}
	}
	platform := runtime.GOOS + "/" + runtime.GOARCH
	pin := c.SHA256[platform]
	if pin != "" || !found.MustPin {
		return found, pin, nil
	}
	if !s.flags.unpinned {
		return found, "", usagef("artifactctl plugins prints the line to add; --allow-unpinned-signer does without, once",
			"%s: signers.%s: %s does not come with this release and publish.yaml does not pin it for %s", s.cfg.File, name, found.Path, platform)
	}
	s.warn(fmt.Sprintf("signers.%s: %s runs without a pin", name, found.Path))
	return found, "", nil
}

func (p *program) search() (rpc.SearchOptions, error) {
	self, err := os.Executable()
	if err != nil {
		return rpc.SearchOptions{}, fmt.Errorf("find this executable, beside which plugins may lie: %w", err)
	}
	return rpc.SearchFromEnvironment(self, p.getenv), nil
}

// pluginLog is how much of a plugin's own log is shown: nothing, unless somebody looks for a fault.
func (s *session) pluginLog() string {
	if s.flags.logLevel == "debug" {
		return "debug"
	}
	return "off"
}
