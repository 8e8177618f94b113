package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/Masterminds/semver/v3"

	"github.com/artifactctl/artifactctl/internal/artifact"
	"github.com/artifactctl/artifactctl/internal/attest"
	"github.com/artifactctl/artifactctl/internal/flux/audit"
	"github.com/artifactctl/artifactctl/internal/registry"
	"github.com/artifactctl/artifactctl/plugins/signer/sigstoretuf"
)

// upstreams asks the registries that sources name for signatures. It is safe for concurrent use.
type upstreams struct {
	session *session
	mu      sync.Mutex
	known   map[string]*registry.Remote // by host, and by how it is spoken to
	judges  sync.Once
	roots   []attest.Policy // anybody whose certificate is of a known authority
}

func (s *session) upstreams() *upstreams {
	u := &upstreams{session: s, known: map[string]*registry.Remote{}}
	s.closers = append(s.closers, func() {
		for _, r := range u.known {
			r.Close()
		}
	})
	return u
}

// Signatures returns the signatures of what a source names, as Flux finds them: legacy ones only where there is no bundle.
func (u *upstreams) Signatures(ctx context.Context, ref audit.Reference) ([]audit.Signature, error) {
	host, repository, ok := strings.Cut(ref.Repository, "/")
	if !ok {
		return nil, fmt.Errorf("%q names no repository", ref.Repository)
	}
	remote, err := u.remote(host, ref.Insecure)
	if err != nil {
		return nil, err
	}
	name, err := nameOf(ctx, remote, repository, ref)
	if err != nil {
		return nil, err
	}
	m, err := remote.Resolve(ctx, repository, name)
	if err != nil && (!errors.Is(err, artifact.ErrFormat) || m.Digest == "") { // an index is signed as a whole
		return nil, fmt.Errorf("resolve %s: %w", name, err)
	}
	found, err := remote.Signatures(ctx, repository, m.Descriptor)
	if err != nil {
		return nil, err
	}
	out := make([]audit.Signature, len(found))
	for i, s := range found {
		if s.Format == artifact.FormatLegacy {
			out[i] = audit.Signature{Certificate: s.Certificate}
			continue
		}
		out[i] = audit.Signature{Bundle: s.Content, Verified: u.verified(ctx, m.Digest.String(), s)}
	}
	return out, nil
}

// nameOf is the tag or digest that a reference stands for now.
func nameOf(ctx context.Context, remote *registry.Remote, repository string, ref audit.Reference) (string, error) {
	switch {
	case ref.Digest != "":
		return ref.Digest, nil
	case ref.Semver == "":
		if ref.Tag == "" {
			return "latest", nil
		}
		return ref.Tag, nil
	}
	wanted, err := semver.NewConstraint(ref.Semver)
	if err != nil {
		return "", fmt.Errorf("range %q: %w", ref.Semver, err)
	}
	tags, err := remote.Tags(ctx, repository)
	if err != nil {
		return "", err
	}
	var best *semver.Version
	name := ""
	for _, tag := range tags {
		v, err := semver.NewVersion(strings.ReplaceAll(tag, "_", "+")) // as Helm writes versions in tags
		if err == nil && wanted.Check(v) && (best == nil || v.GreaterThan(best)) {
			best, name = v, tag
		}
	}
	if name == "" {
		return "", fmt.Errorf("no tag of %s is in the range %q", ref.Repository, ref.Semver)
	}
	return name, nil
}

// remote returns the client of a host: as publish.yaml says for its own registry, with docker's credentials for others.
func (u *upstreams) remote(host string, insecure bool) (*registry.Remote, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	key := fmt.Sprint(host, " ", insecure)
	if r, ok := u.known[key]; ok {
		return r, nil
	}
	o := registry.RemoteOptions{Host: host, PlainHTTP: insecure, DockerConfig: true, UserAgent: "artifactctl/" + versionText()}
	if cfg := u.session.cfg; cfg != nil {
		if own, _ := cfg.Registry.Host(); own == host {
			options, err := u.session.remoteOptions(false)
			if err != nil {
				return nil, err
			}
			options.Prefix, options.Repositories, options.Legacy = "", nil, false
			o = options
		}
	}
	r, err := registry.NewRemote(o)
	if err == nil {
		u.known[key] = r
	}
	return r, err
}

// verified reports whether a bundle's certificate and evidence are good under the trusted root of publish.yaml or of the
// public Sigstore, whoever signed. A key's signature is not: whose key it is, upstream has to say.
func (u *upstreams) verified(ctx context.Context, digest string, s artifact.Signature) bool {
	signer, err := audit.SignerOf(audit.Signature{Bundle: s.Content})
	if err != nil || signer.Key {
		return false
	}
	u.judges.Do(func() { u.findRoots(ctx) })
	for _, policy := range u.roots {
		if _, err := policy.Attestation(digest, s.Content); err == nil { // Flux takes a statement of any kind, too
			return true
		}
	}
	return false
}

// findRoots finds the trusted roots that certificates may be of. Without them, who signed is what certificates claim.
func (u *upstreams) findRoots(ctx context.Context) {
	var roots [][]byte
	if cfg := u.session.cfg; cfg != nil && cfg.Signer != "" && cfg.Signers[cfg.Signer].Trust.Keyless() {
		if trust, err := u.session.fluxTrust(ctx, true); err == nil && trust.TrustedRoot != nil {
			roots = append(roots, trust.TrustedRoot)
		}
	}
	public, err := u.session.fetchRootOf(ctx, sigstoretuf.Repository{})
	if err != nil {
		u.session.warn(fmt.Sprintf("signatures of the public Sigstore are not verified, only read: fetch its trusted root: %v", err))
	} else {
		roots = append(roots, public)
	}
	for _, root := range roots {
		policy, err := attest.IdentityPolicy(attest.IdentityOptions{IssuerRegExp: ".*", SubjectRegExp: ".*", TrustedRoot: root})
		if err == nil {
			u.roots = append(u.roots, policy)
		}
	}
}
