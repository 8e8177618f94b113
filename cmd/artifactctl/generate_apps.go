package main

import (
	"context"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/artifactctl/artifactctl/config"
	"github.com/artifactctl/artifactctl/internal/flux/generate"
)

// usualBootstrap is what the app that configures the cluster is called where flux made it. A fleet need not have one.
const usualBootstrap = "flux-system"

// fluxApps are the session's apps as a cluster sees them, in their order.
func (s *session) fluxApps(f fluxFlags) ([]generate.App, error) {
	if dir, ok := s.cfg.Registry.Layout(); ok {
		return nil, usagef("name the registry that the cluster reads with --env, or with --registry oci://…",
			"%s: registry.url: Flux cannot read the directory %s", s.cfg.File, dir)
	}
	if f.bootstrap != usualBootstrap && f.bootstrap != "" && !slices.ContainsFunc(s.cfg.Fleet, func(a config.App) bool { return a.Name == f.bootstrap }) {
		return nil, usagef("artifactctl check lists the apps", "flag --bootstrap: no app is called %q", f.bootstrap)
	}
	host, prefix := s.cfg.Registry.Host()
	var apps []generate.App
	for _, a := range s.apps {
		ref, err := s.fluxRef(a.Name, f)
		if err != nil {
			return nil, err
		}
		apps = append(apps, generate.App{
			Name: a.Name, Repository: path.Join(host, prefix, a.Repository), Ref: ref,
			Insecure: s.cfg.Registry.Insecure, Bootstrap: a.Name == f.bootstrap,
		})
	}
	for _, of := range []struct {
		flag   string
		values []string
		set    func(app *generate.App, value string)
	}{
		{"--path", f.paths, func(a *generate.App, value string) { a.Path = value }},
		{"--target-namespace", f.targetNamespaces, func(a *generate.App, value string) { a.TargetNamespace = value }},
		{"--depends-on", f.dependsOn, func(a *generate.App, value string) { a.DependsOn = append(a.DependsOn, value) }},
	} {
		if err := s.eachNamed(apps, of.flag, of.values, of.set); err != nil {
			return nil, err
		}
	}
	return apps, nil
}

// fluxRef is which artifact of an app's repository is fetched.
func (s *session) fluxRef(app string, f fluxFlags) (generate.Ref, error) {
	switch {
	case f.semver != "" && !s.engine.Tags.Ranges():
		return generate.Ref{}, usagef(`Flux compares tags that are versions: write tags: {release: "{version}"}`,
			"%s: tags.release: %q: releases cannot be followed by a range of versions", s.cfg.File, s.cfg.Tags.Release)
	case f.semver != "":
		return generate.Ref{Semver: f.semver}, nil
	case f.tag != "":
		return generate.Ref{Tag: f.tag}, nil
	}
	tag, err := s.engine.Tags.Follow(app, f.branch)
	if err != nil {
		return generate.Ref{}, usagef("name one with --tag, its branch with --branch, or a range of releases with --tag-semver",
			"%s: tags.rolling: %w", s.cfg.File, err)
	}
	return generate.Ref{Tag: tag}, nil
}

// eachNamed reads values of the form [APP=]VALUE. Without APP a value is for all apps but the bootstrap, which has
// nothing in common with them, and the one that it names itself. A later value wins.
func (s *session) eachNamed(apps []generate.App, flag string, values []string, set func(*generate.App, string)) error {
	known := func(pattern string) bool {
		return slices.ContainsFunc(s.cfg.Fleet, func(a config.App) bool {
			ok, err := path.Match(pattern, a.Name)
			return ok && err == nil
		})
	}
	for _, text := range values {
		pattern, value, named := strings.Cut(text, "=")
		if !named {
			pattern, value = "*", text
		}
		if value == "" || (named && !known(pattern)) {
			return usagef("write it as APP=VALUE with an app of publish.yaml, or VALUE for all", "flag %s: %q names no app and value", flag, text)
		}
		for i := range apps {
			if ok, _ := path.Match(pattern, apps[i].Name); ok && (named || !apps[i].Bootstrap && apps[i].Name != value) {
				set(&apps[i], value)
			}
		}
	}
	return nil
}

// fluxOptions are what is the same for all apps.
func (s *session) fluxOptions(ctx context.Context, f fluxFlags) (generate.Options, error) {
	o := generate.Options{
		Namespace: f.namespace, Interval: f.interval, RetryInterval: f.retryInterval, Timeout: f.applyTimeout,
		KeepRemoved: !f.prune, NoWait: !f.wait, PullSecret: f.secretRef, CertSecret: f.certSecretRef, Provider: f.provider,
		ServiceAccount: f.serviceAccount, KeySecret: f.verifySecretRef, RootSecret: f.trustedRootSecretRef,
		Legacy: s.cfg.Signature.Format != config.FormatBundle,
	}
	var err error
	if o.Trust, err = s.fluxTrust(ctx, true); err != nil {
		return o, err
	}
	tls := s.cfg.Registry.TLS
	switch {
	case f.certSecretRef != "":
	case tls.Cert != "":
		return o, usagef("make a Secret with tls.crt, tls.key and ca.crt in the cluster, and name it with --cert-secret-ref",
			"%s: registry.tls.cert: the cluster needs a client certificate, and its key is never written", s.cfg.File)
	case tls.CA != "":
		if o.CA, err = os.ReadFile(s.cfg.Abs(tls.CA)); err != nil {
			return o, usagef("it is a PEM file relative to publish.yaml", "%s: registry.tls.ca: %w", s.cfg.File, err)
		}
	}
	return o, nil
}

// fluxTrust is what the cluster checks signatures against: the trust of the active signer, and nothing else. What a
// signer reports of itself is good enough for a plan, but not for a cluster.
// Without fetch the trusted root is left out where only the network knows it.
func (s *session) fluxTrust(ctx context.Context, fetch bool) (generate.Trust, error) {
	signer, err := s.cfg.ActiveSigner()
	if err != nil {
		return generate.Trust{}, err
	}
	trust := signer.Trust
	if len(trust.PublicKey) == 0 && !trust.Keyless() {
		return generate.Trust{}, usagef("write trust: {publicKey: cosign.pub}, or trust: {issuer: …, subject: …}: a source that verifies nothing is never generated",
			"%s: signers.%s.trust: missing, so there is nothing that the cluster could check signatures against", s.cfg.File, s.cfg.Signer)
	}
	if !trust.Keyless() {
		pems, err := publicKeys(s.cfg)
		if err != nil {
			return generate.Trust{}, err
		}
		var out generate.Trust
		for i, name := range trust.PublicKey {
			out.Keys = append(out.Keys, generate.Key{Name: filepath.Base(name), PEM: pems[i]})
		}
		return out, nil
	}
	root, err := namedRoot(s.cfg)
	if err == nil && root == nil && trust.TUFRoot != "" && fetch { // clusters ask no TUF mirror of one's own
		root, err = s.fetchRoot(ctx)
	}
	if err == nil && root != nil {
		_, err = trustedIdentity(s.cfg, root)
	}
	return generate.Trust{
		Issuer: trust.Issuer, IssuerRegExp: trust.IssuerRegExp, Subject: trust.Subject, SubjectRegExp: trust.SubjectRegExp, TrustedRoot: root,
	}, err
}

// notesOnFlux are what whoever applies the objects has to know and publish.yaml does not say.
func (s *session) notesOnFlux(f fluxFlags) []string {
	notes := notesOnTrust(s.cfg)
	switch s.cfg.Signature.Format {
	case config.FormatLegacy:
		notes = append(notes, fmt.Sprintf("%s: signature.format: legacy: Flux 2.8 and later look at no legacy signature once an artifact has any bundle, such as provenance", s.cfg.File))
	case config.FormatBundle:
		notes = append(notes, fmt.Sprintf("%s: signature.format: bundle: clusters need Flux 2.8 or later", s.cfg.File))
	}
	c := s.cfg.Registry.Credentials
	if (c.Username != "" || c.Password != "") && f.secretRef == "" && f.provider == "" {
		notes = append(notes, fmt.Sprintf("%s: registry.credentials: if the cluster needs some to read, name their Secret with --secret-ref", s.cfg.File))
	}
	return notes
}
