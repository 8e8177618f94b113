package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/artifactctl/artifactctl/config"
	"github.com/artifactctl/artifactctl/internal/attest"
)

// trusted is the policy of the active signer's trust; no error and no policy when it names neither key nor identity. The
// trusted root of an identity may come from the network.
func (s *session) trusted(ctx context.Context) (*attest.Policy, error) {
	if !s.cfg.Signers[s.cfg.Signer].Trust.Keyless() {
		return trustedKeys(s.cfg)
	}
	root, err := namedRoot(s.cfg)
	if err == nil && root == nil {
		root, err = s.fetchRoot(ctx)
	}
	if err != nil {
		return nil, err
	}
	return trustedIdentity(s.cfg, root)
}

// checkTrust finds what is wrong with the active signer's trust, as far as that can be known without the network.
func checkTrust(cfg *config.Config) error {
	if !cfg.Signers[cfg.Signer].Trust.Keyless() {
		_, err := trustedKeys(cfg)
		return err
	}
	root, err := namedRoot(cfg)
	if err != nil {
		return err
	}
	if root == nil {
		_, err = repositoryOf(cfg)
		return err
	}
	_, err = trustedIdentity(cfg, root)
	return err
}

func trustedKeys(cfg *config.Config) (*attest.Policy, error) {
	pems, err := publicKeys(cfg)
	if err != nil || len(pems) == 0 {
		return nil, err
	}
	policy, err := attest.KeyPolicy(pems...)
	return &policy, err
}

// publicKeys reads the keys that the active signer's trust names, and refuses what Flux could not verify with.
func publicKeys(cfg *config.Config) ([][]byte, error) {
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
	return pems, nil
}

// namedRoot reads the trusted root that trust names as a file; none when it does not.
func namedRoot(cfg *config.Config) ([]byte, error) {
	trust := cfg.Signers[cfg.Signer].Trust
	if f := cfg.Signature.Format; f != config.FormatBundle {
		return nil, usagef("write signature: {format: bundle}, or sign with a key for clusters that need the legacy format",
			"%s: signature.format: %s: an identity can sign bundles only", cfg.File, f)
	}
	if trust.TrustedRoot == "" {
		return nil, nil
	}
	return readTrust(cfg, "trustedRoot", trust.TrustedRoot, "`cosign trusted-root create` writes one for your Sigstore")
}

func trustedIdentity(cfg *config.Config, root []byte) (*attest.Policy, error) {
	trust := cfg.Signers[cfg.Signer].Trust
	policy, err := attest.IdentityPolicy(attest.IdentityOptions{
		Issuer: trust.Issuer, IssuerRegExp: trust.IssuerRegExp, Subject: trust.Subject, SubjectRegExp: trust.SubjectRegExp, TrustedRoot: root,
	})
	if err != nil {
		hint := "trustedRoot has to be a Sigstore trusted root in JSON"
		if trust.TrustedRoot == "" {
			hint = "what the TUF mirror has as trusted_root.json is of no use here"
		}
		return nil, usagef(hint, "%s: signers.%s.trust: %w", cfg.File, cfg.Signer, err)
	}
	return &policy, nil
}

// notesOnTrust are what clusters need for the active signer's trust beyond one entry of matchOIDCIdentity, which can say
// every issuer and subject that trust can.
func notesOnTrust(cfg *config.Config) []string {
	trust := cfg.Signers[cfg.Signer].Trust
	at := fmt.Sprintf("%s: signers.%s.trust.", cfg.File, cfg.Signer)
	switch {
	case !trust.Keyless():
	case trust.TrustedRoot != "":
		return []string{at + "trustedRoot: unless it is the public Sigstore's, clusters need Flux 2.9 or later, " +
			"and this file as trusted_root.json in the Secret that verify.trustedRootSecretRef names"}
	case trust.TUFRoot != "": // without it, tufMirror is a mirror of the public Sigstore
		return []string{at + "tufMirror: clusters ask no TUF mirror of your own: they need Flux 2.9 or later, " +
			"and its trusted_root.json in the Secret that verify.trustedRootSecretRef names, again whenever that changes"}
	}
	return nil
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
