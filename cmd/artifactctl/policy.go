package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/artifactctl/artifactctl/internal/attest"
	"github.com/artifactctl/artifactctl/plugins/signer"
	"github.com/artifactctl/artifactctl/plugins/signer/sigstoretuf"
)

// policyFlags say whose signatures are good, in the words of cosign, and how to reach registries that publish.yaml does
// not describe.
type policyFlags struct {
	keys                   []string
	subject, subjectRegExp string
	issuer, issuerRegExp   string
	trustedRoot            string
	plainHTTP              bool
	caFile                 string
}

func (f *policyFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringArrayVar(&f.keys, "key", nil, "public key that signatures have to be by, as a file or env://VARIABLE; any of several")
	flags.StringVar(&f.subject, "certificate-identity", "", "subject that the signer's certificate has to name")
	flags.StringVar(&f.subjectRegExp, "certificate-identity-regexp", "", "the same as a regular expression, as in Flux's matchOIDCIdentity")
	flags.StringVar(&f.issuer, "certificate-oidc-issuer", "", "issuer that the signer's certificate has to name")
	flags.StringVar(&f.issuerRegExp, "certificate-oidc-issuer-regexp", "", "the same as a regular expression, as in Flux's matchOIDCIdentity")
	flags.StringVar(&f.trustedRoot, "trusted-root", "", "trusted_root.json of the Sigstore that certificates are of; default the public Sigstore's, which is fetched")
	flags.BoolVar(&f.plainHTTP, "allow-http-registry", false, "speak plain HTTP to registries that publish.yaml does not describe")
	flags.StringVar(&f.caFile, "registry-cacert", "", "authorities, in PEM, to trust for registries that publish.yaml does not describe")
}

func (f *policyFlags) identity() bool {
	return f.subject != "" || f.subjectRegExp != "" || f.issuer != "" || f.issuerRegExp != ""
}

// givenPolicy is the policy that flags describe; nil when they describe none.
func (p *program) givenPolicy(ctx context.Context, f policyFlags) (*attest.Policy, error) {
	switch {
	case len(f.keys) > 0 && f.identity():
		return nil, usagef("Flux trusts either keys or one identity", "flags --key and --certificate-… exclude each other")
	case f.trustedRoot != "" && !f.identity():
		return nil, usagef("add --certificate-identity and --certificate-oidc-issuer", "flag --trusted-root: it says nothing about whose signatures are good")
	case len(f.keys) > 0:
		return p.keyPolicy(f.keys)
	case f.identity():
		return p.identityPolicy(ctx, f)
	}
	return nil, nil
}

func (p *program) keyPolicy(names []string) (*attest.Policy, error) {
	var pems [][]byte
	for _, name := range names {
		text, err := p.readKey(name)
		if err != nil {
			return nil, err
		}
		if _, err := attest.KeyPolicy(text); err != nil {
			return nil, usagef("it has to be one PUBLIC KEY in PEM, as cosign.pub", "flag --key: %s: %w", name, err)
		}
		pems = append(pems, text)
	}
	policy, err := attest.KeyPolicy(pems...)
	return &policy, err
}

// readKey reads a public key from a file or a variable.
func (p *program) readKey(name string) ([]byte, error) {
	if variable, ok := strings.CutPrefix(name, "env://"); ok {
		text, found := p.lookup(variable)
		if !found {
			return nil, usagef("set it to the public key in PEM, or name a file", "flag --key: the variable %s is not set", variable)
		}
		return []byte(text), nil
	}
	if strings.Contains(name, "://") {
		return nil, usagef("export the public key into a file: cosign public-key --key …", "flag --key: %s is neither a file nor env://VARIABLE", name)
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, usagef("name a file with a public key in PEM, as cosign.pub", "flag --key: %w", err)
	}
	return text, nil
}

func (p *program) identityPolicy(ctx context.Context, f policyFlags) (*attest.Policy, error) {
	o := attest.IdentityOptions{Issuer: f.issuer, IssuerRegExp: f.issuerRegExp, Subject: f.subject, SubjectRegExp: f.subjectRegExp}
	if (o.Issuer == "") == (o.IssuerRegExp == "") || (o.Subject == "") == (o.SubjectRegExp == "") {
		return nil, usagef("give one of --certificate-identity and --certificate-identity-regexp, and one of --certificate-oidc-issuer and --certificate-oidc-issuer-regexp",
			"flags --certificate-…: an identity is one subject and one issuer")
	}
	var err error
	if f.trustedRoot != "" {
		o.TrustedRoot, err = os.ReadFile(f.trustedRoot)
	} else {
		o.TrustedRoot, err = p.publicRoot(ctx)
	}
	if errors.Is(err, os.ErrNotExist) {
		return nil, usagef("`cosign trusted-root create` writes one for your Sigstore", "flag --trusted-root: %w", err)
	}
	if err != nil {
		return nil, err
	}
	policy, err := attest.IdentityPolicy(o)
	if err != nil {
		return nil, usagef("expressions are those of Go and Flux (RE2); a trusted root is the JSON that `cosign trusted-root create` writes", "flags --certificate-… and --trusted-root: %w", err)
	}
	return &policy, nil
}

// publicRoot fetches the trusted root of the public Sigstore.
func (p *program) publicRoot(ctx context.Context) ([]byte, error) {
	m, err := p.fetchMirror(ctx, sigstoretuf.Repository{})
	if err != nil {
		return nil, signer.WithHint(fmt.Errorf("fetch the trusted root of the public Sigstore: %w", err), "where there is no network name a file by --trusted-root")
	}
	return m.TrustedRoot, nil
}
