package main

import (
	"errors"
	"os"

	"github.com/artifactctl/artifactctl/config"
	"github.com/artifactctl/artifactctl/internal/attest"
)

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
