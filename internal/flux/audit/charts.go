package audit

import (
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/artifactctl/artifactctl/internal/flux/manifest"
)

func (a *auditor) helmRepository(o manifest.Object) {
	s := a.subject(o, manifest.Get(o.Node, "spec"))
	s.State = Delegated
	if s.verify != nil {
		s.State = None
		a.found(s, verifyUnsupported, s.verify, "a HelmRepository has no verify", "set verify on each HelmChart or HelmRelease, or use an OCIRepository with chartRef")
	}
	a.insecure(s)
	a.done(s)
}

func (a *auditor) helmChart(o manifest.Object) {
	s := a.subject(o, manifest.Get(o.Node, "spec"))
	s.features = features{identities: true}
	a.patchVerify(s, byKustomization, o.Kind, o.Name, "spec", "verify")
	a.chart(s)
	a.done(s)
}

// helmRelease audits the chart that a release brings with it. One that a chartRef names is a source of its own.
func (a *auditor) helmRelease(o manifest.Object) {
	if ref := manifest.Get(o.Node, "spec", "chartRef"); ref != nil {
		a.chartRef(o, ref)
		return
	}
	spec := manifest.Get(o.Node, "spec", "chart", "spec")
	if spec == nil {
		return // a patch, or nothing that Flux would take
	}
	s := a.subject(o, spec)
	a.patchVerify(s, byKustomization, o.Kind, o.Name, "spec", "chart", "spec", "verify")
	a.chart(s)
	a.done(s)
}

func (a *auditor) chartRef(o manifest.Object, ref *yaml.Node) {
	kind, namespace, name := manifest.Text(ref, "kind"), manifest.Text(ref, "namespace"), manifest.Text(ref, "name")
	if namespace == "" {
		namespace = o.Namespace
	}
	if _, ok := a.lookup(kind, namespace, name); !ok && !hasVariable(name+namespace) {
		a.add(finding{rule: sourceNotFound, object: o.ID(), file: o.File, line: o.LineOf(ref),
			message: "its chart comes from " + manifest.ID(kind, namespace, name) + ", which is not among the files", fix: "audit the files that hold it as well"})
	}
}

// chart audits a chart by the kind of its source.
func (a *auditor) chart(s *subject) {
	ref := manifest.Get(s.spec, "sourceRef")
	kind, namespace, name := manifest.Text(ref, "kind"), manifest.Text(ref, "namespace"), manifest.Text(ref, "name")
	if namespace == "" {
		namespace = s.object.Namespace
	}
	if kind != "HelmRepository" {
		a.chartFromTree(s, kind, manifest.ID(kind, namespace, name))
		return
	}
	repository, ok := a.lookup(kind, namespace, name)
	if !ok {
		a.chartFromUnknown(s, ref, manifest.ID(kind, namespace, name))
		return
	}
	s.URL = manifest.Text(repository.Node, "spec", "url")
	if manifest.Text(repository.Node, "spec", "type") != "oci" {
		a.chartOverHTTP(s, repository.ID())
		return
	}
	s.reference = a.chartReference(s)
	s.reference.Insecure = manifest.True(repository.Node, "spec", "insecure")
	if s.verify == nil {
		a.unverified(s, unverifiedChart)
		return
	}
	s.State = a.verification(s)
	a.ownTrust(s)
}

// chartFromTree is for charts in a GitRepository or Bucket, whose verification counts.
func (a *auditor) chartFromTree(s *subject, kind, source string) {
	s.State = Delegated
	s.By = source
	if s.verify != nil {
		s.State = None
		a.found(s, verifyUnsupported, s.verify, "it has verify, and its chart comes from a "+kind, "verify the "+kind+" itself, and remove verify here")
	}
}

func (a *auditor) chartFromUnknown(s *subject, ref *yaml.Node, source string) {
	if s.verify == nil {
		a.foundBlock(s, unverifiedChart, nil, Warning, "it has no verify; whether "+source+" is an OCI repository cannot be told from the files",
			"audit the files that hold "+source+" as well; if it is one, add verify", "")
		return
	}
	s.State = a.verification(s)
	a.found(s, sourceNotFound, ref, source+" is not among the files: whether it is an OCI repository, where verify works, cannot be told", "audit the files that hold it as well")
}

func (a *auditor) chartOverHTTP(s *subject, source string) {
	fix := "use the chart's OCI repository where there is one, or mirror and sign it, and name it by an OCIRepository with verify and chartRef"
	if s.verify != nil {
		a.found(s, verifyUnsupported, s.verify, "it has verify, and "+source+" is a Helm repository over HTTP", fix)
		return
	}
	a.found(s, unverifiableChart, nil, "its chart comes from "+source+", a Helm repository over HTTP", fix)
}

// chartReference is where the chart's artifact is; its tag is the version, with + written as _.
func (a *auditor) chartReference(s *subject) Reference {
	base, chart := repositoryOf(s.URL), manifest.Text(s.spec, "chart")
	if base == "" || chart == "" || hasVariable(chart) {
		return Reference{}
	}
	r := Reference{Repository: base + "/" + chart}
	version := manifest.Text(s.spec, "version")
	if version == "" {
		version = "*"
	}
	if strings.ContainsAny(version, "*<>=~^|, xX") {
		r.Semver = version
	} else {
		r.Tag = strings.ReplaceAll(version, "+", "_")
	}
	return r
}
