package audit

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/artifactctl/artifactctl/internal/flux/manifest"
)

// auditor goes through the objects of one set.
type auditor struct {
	objects []manifest.Object
	patches []manifest.Patch
	secrets secrets
	own     []Own
	report  *Report
}

func newAuditor(objects []manifest.Object, patches []manifest.Patch, o Options) *auditor {
	return &auditor{
		objects: objects, patches: patches, secrets: readSecrets(objects), own: o.Own,
		report: &Report{Sources: []Source{}, Findings: []Finding{}, Accepted: []Accepted{}, Unused: []Unused{}, Problems: []manifest.Problem{}},
	}
}

// finding is what a check adds; the rest comes from its rule.
type finding struct {
	rule, object, file  string
	line                int
	message, fix, block string
	severity            Severity // empty: that of the rule
}

func (a *auditor) add(f finding) {
	rule := ruleOf(f.rule)
	if f.severity == "" {
		f.severity = rule.Severity
	}
	a.report.Findings = append(a.report.Findings, Finding{
		Rule: f.rule, Severity: f.severity, Object: f.object, File: f.file, Line: f.line,
		Message: f.message, Why: rule.Why, Fix: f.fix, Block: f.block,
	})
}

// subject is the source that is being looked at.
type subject struct {
	Source
	object manifest.Object
	spec   *yaml.Node // of the source; in a HelmRelease that of the chart
	// verify is the block that counts, nil for none; patch is where it comes from when not from the object.
	verify *yaml.Node
	patch  *manifest.Patch
	broken bool
}

// found adds a finding at a node of the object, or of the patch that sets verification.
func (a *auditor) found(s *subject, rule string, at *yaml.Node, message, fix string) {
	a.foundBlock(s, rule, at, "", message, fix, "")
}

func (a *auditor) foundBlock(s *subject, rule string, at *yaml.Node, severity Severity, message, fix, block string) {
	file, line := s.object.File, s.object.LineOf(at)
	if s.patch != nil && at != nil && contains(s.verify, at) {
		file, line = s.patch.File, s.patch.Line
	}
	if ruleOf(rule).breaks && severity != Warning {
		s.broken = true
	}
	a.add(finding{rule: rule, object: s.ID(), file: file, line: line, message: message, fix: fix, block: block, severity: severity})
}

func contains(tree, n *yaml.Node) bool {
	return tree == n || tree != nil && slices.ContainsFunc(tree.Content, func(c *yaml.Node) bool { return contains(c, n) })
}

// object audits one object when it is a source.
func (a *auditor) object(o manifest.Object) {
	switch o.Group() {
	case "source.toolkit.fluxcd.io":
		if o.IsPartial() {
			return // a patch
		}
		switch o.Kind {
		case "OCIRepository":
			a.ociRepository(o)
		case "GitRepository":
			a.gitRepository(o)
		case "Bucket":
			a.bucket(o)
		case "HelmRepository":
			a.helmRepository(o)
		case "HelmChart":
			a.helmChart(o)
		}
	case "helm.toolkit.fluxcd.io":
		if o.Kind == "HelmRelease" {
			a.helmRelease(o)
		}
	case "fluxcd.controlplane.io":
		if o.Kind == "FluxInstance" {
			a.fluxInstance(o)
		}
	}
}

func (a *auditor) subject(o manifest.Object, spec *yaml.Node) *subject {
	s := &subject{object: o, spec: spec, Source: Source{
		Kind: o.Kind, Namespace: o.Namespace, Name: o.Name, File: o.File, Line: o.Line, State: None, URL: manifest.Text(spec, "url"),
		Suspended: manifest.True(o.Node, "spec", "suspend"),
	}}
	s.verify = manifest.Get(spec, "verify")
	if manifest.IsNull(s.verify) {
		s.verify = nil
	}
	return s
}

// done ends a source.
func (a *auditor) done(s *subject) {
	if s.broken {
		s.State = Misconfigured
	}
	if s.Suspended {
		a.found(s, suspended, manifest.Get(s.object.Node, "spec", "suspend"), "it is suspended", "resume it, or remove it when it is no longer needed")
	}
	a.report.Sources = append(a.report.Sources, s.Source)
}

// patchVerify lets the patches of kustomizations in the set change verification, the last one winning.
func (a *auditor) patchVerify(s *subject, applies func(manifest.Patch) bool, kind, name string, path ...string) {
	for i := range a.patches {
		p := &a.patches[i]
		if !applies(*p) || !p.Selects(kind, name) {
			continue
		}
		value, touches := p.Sets(path...)
		switch {
		case !touches:
			continue
		case value == nil && s.verify != nil:
			s.broken = true
			a.add(finding{rule: verificationRemoved, object: s.ID(), file: p.File, line: p.Line, message: "a patch removes its verify",
				fix: "remove the patch, or have it replace verify"})
			continue
		case value == nil:
			continue
		case value != p.Body:
			s.verify, s.patch = value, p
		}
		a.add(finding{rule: patched, object: s.ID(), file: p.File, line: p.Line, message: "a patch sets its verify", fix: "audit the rendered manifests as well"})
	}
}

// byKustomization leaves out what a FluxInstance patches: that reaches only what it installs.
func byKustomization(p manifest.Patch) bool { return !strings.HasPrefix(p.By, "FluxInstance/") }

// lookup finds an object by kind and name; an empty namespace, on either side, is any: a kustomization may set it.
func (a *auditor) lookup(kind, namespace, name string) (manifest.Object, bool) {
	for _, o := range a.objects {
		if o.Kind == kind && o.Name == name && !o.IsPartial() && sameNamespace(o.Namespace, namespace) {
			return o, true
		}
	}
	return manifest.Object{}, false
}

func sameNamespace(a, b string) bool { return a == "" || b == "" || a == b }

// insecure looks for plain HTTP.
func (a *auditor) insecure(s *subject) {
	if at := manifest.Get(s.spec, "insecure"); manifest.True(s.spec, "insecure") {
		a.found(s, insecureTransport, at, "insecure: true fetches over plain HTTP", "serve the registry over TLS, with certSecretRef for a private authority, and remove insecure")
		return
	}
	if strings.HasPrefix(strings.ToLower(s.URL), "http://") {
		a.found(s, insecureTransport, manifest.Get(s.spec, "url"), "its url is plain HTTP", "use https://")
	}
}
