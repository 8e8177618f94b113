package cluster_test

import (
	"crypto/sha256"
	"fmt"
	"testing"

	"github.com/artifactctl/artifactctl/test/fixture"
)

// signing is who signs a fleet, and who is trusted: the fields of a signer in publish.yaml, the files that they name and
// the variables that the run needs.
type signing struct {
	signer string
	files  map[string]string
	env    []string
	format string   // of signatures: bundle (default), legacy or both
	batch  bool     // one signature for all
	attest bool     // provenance and bill of materials
	also   *signing // another signer in the same publish.yaml, called also
}

// attested is the same signer, who states a provenance and a bill of materials beside each signature.
func attested(s signing) signing {
	s.attest = true
	return s
}

// withKey signs with a key in a file, and trusts it.
func withKey(key fixture.Key) signing { return withTrust(key, key) }

// withTrust signs with a key and trusts others, which need not include it.
func withTrust(key fixture.Key, trusted ...fixture.Key) signing {
	s := signing{files: map[string]string{}, env: []string{fixture.KeyEnv + "=" + string(key.Private)}}
	names := ""
	for _, k := range trusted {
		name := fmt.Sprintf("%x.pub", sha256.Sum256(k.Public))[:12] + ".pub"
		s.files[name] = string(k.Public)
		names += ", " + name
	}
	s.signer = fmt.Sprintf("plugin: signer-file, env: [%[1]s], with: {key: \"env://%[1]s\"}, trust: {publicKey: [%[2]s]}", fixture.KeyEnv, names[2:])
	return s
}

// withVault signs with a key in Vault, and trusts these of its versions.
func (w *world) withVault(t *testing.T, key string, with string, versions ...string) signing {
	t.Helper()
	s := signing{files: map[string]string{}, env: []string{"VAULT_ADDR=" + w.vault.URL, "VAULT_TOKEN=" + w.vault.Token}}
	names := ""
	for _, version := range versions {
		name := "vault-" + version + ".pub"
		s.files[name] = w.vault.publicKey(t, key, version)
		names += ", " + name
	}
	s.signer = fmt.Sprintf("plugin: signer-vault, env: [VAULT_ADDR, VAULT_TOKEN], with: {key: %s%s}, trust: {publicKey: [%s]}", key, with, names[2:])
	return s
}

// withIdentity signs as the person with this mail address, and trusts an identity of the same issuer: fields of trust.
func (w *world) withIdentity(t *testing.T, email, trusted string) signing {
	t.Helper()
	s := w.sigstore
	return signing{
		signer: fmt.Sprintf("plugin: signer-keyless, env: [SIGSTORE_ID_TOKEN], with: {fulcioURL: %q, rekorURL: %q, tsaURL: %q, trustedRoot: trusted_root.json}, "+
			"trust: {issuer: %q, %s, trustedRoot: trusted_root.json}", s.Fulcio, s.Rekor, s.Timestamp, s.Issuer, trusted),
		files: map[string]string{"trusted_root.json": string(s.TrustedRoot)},
		env:   []string{"SIGSTORE_ID_TOKEN=" + s.token(t, email)},
	}
}
