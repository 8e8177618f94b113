package audit

import (
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/artifactctl/artifactctl/internal/flux/manifest"
)

// features are what the verification of a kind can do.
type features struct {
	identities, trustedRoot, manyKeys bool
}

func (a *auditor) ociRepository(o manifest.Object) {
	s := a.subject(o, manifest.Get(o.Node, "spec"))
	s.features = features{identities: true, manyKeys: true, trustedRoot: o.APIVersion == "source.toolkit.fluxcd.io/v1"}
	ref := manifest.Get(s.spec, "ref")
	s.reference = Reference{
		Repository: repositoryOf(s.URL), Tag: manifest.Text(ref, "tag"), Semver: manifest.Text(ref, "semver"), Digest: manifest.Text(ref, "digest"),
		Insecure: manifest.True(s.spec, "insecure"),
	}
	a.patchVerify(s, byKustomization, o.Kind, o.Name, "spec", "verify")
	if s.verify == nil {
		a.unverified(s, unverifiedSource)
	} else {
		s.State = a.verification(s)
	}
	a.ownTrust(s)
	a.insecure(s)
	if s.reference.Semver == "" && s.reference.Digest == "" {
		tag := s.reference.Tag
		if tag == "" {
			tag, s.reference.Tag = "latest", "latest"
		}
		a.found(s, mutableTag, ref, "it follows the tag "+tag, "pin a digest where each change should be a reviewed one")
	}
	a.done(s)
}

// unverified reports a source without verification, with the block of publish.yaml for a repository of the user's own.
func (a *auditor) unverified(s *subject, rule string) {
	fix, block := "find out who signs it (audit --online shows it) and add verify; where nobody does, mirror and sign it yourself", ""
	if own, ok := a.ownOf(s.reference.Repository); ok && own.Block != "" {
		fix, block = "add what publish.yaml trusts", own.Block
	}
	a.foundBlock(s, rule, nil, "", "it has no verify", fix, block)
}

func (a *auditor) gitRepository(o manifest.Object) {
	s := a.subject(o, manifest.Get(o.Node, "spec"))
	a.patchVerify(s, byKustomization, o.Kind, o.Name, "spec", "verify")
	a.git(s, manifest.Get(s.spec, "ref"))
	a.insecure(s)
	a.done(s)
}

// git checks the verification of commits and tags.
func (a *auditor) git(s *subject, ref *yaml.Node) {
	if s.verify == nil {
		a.found(s, unverifiedGit, nil, "it has no verify", "sign commits or tags, and name the public keys of their authors in verify.secretRef")
		return
	}
	s.State = Key
	secret := manifest.Text(s.verify, "secretRef", "name")
	s.By = "secret " + secret
	a.secret(s, secret, gitKeys)
	mode := manifest.Text(s.verify, "mode")
	named := manifest.Text(ref, "tag") != "" || manifest.Text(ref, "semver") != "" || strings.HasPrefix(manifest.Text(ref, "name"), "refs/tags/")
	switch mode {
	case "", "HEAD", "head":
	case "Tag", "TagAndHEAD":
		if !named && !hasVariable(manifest.Text(ref, "name")) {
			a.found(s, gitMode, manifest.Get(s.verify, "mode"), "mode "+mode+" verifies a tag, and ref names none", "name a tag or a range of versions in ref, or set mode to HEAD")
		}
	default:
		a.found(s, providerUnknown, manifest.Get(s.verify, "mode"), "mode "+mode+" is none of HEAD, Tag and TagAndHEAD", "use HEAD, Tag or TagAndHEAD")
	}
	if at := manifest.Get(s.spec, "recurseSubmodules"); manifest.True(s.spec, "recurseSubmodules") {
		a.found(s, gitSubmodules, at, "it fetches submodules, and verify does not reach them", "make each submodule a source of its own with verify, joined by include")
	}
}

func (a *auditor) bucket(o manifest.Object) {
	s := a.subject(o, manifest.Get(o.Node, "spec"))
	s.URL = manifest.Text(s.spec, "endpoint") + "/" + manifest.Text(s.spec, "bucketName")
	if s.verify != nil {
		a.found(s, verifyUnsupported, s.verify, "a Bucket has no verify", "publish the content as an OCI artifact and sign it")
	} else {
		a.found(s, unverifiableBucket, nil, "a Bucket cannot be verified", "publish the content as an OCI artifact and sign it")
	}
	a.insecure(s)
	a.done(s)
}

// fluxInstance audits the source that the Flux operator makes for the cluster's own configuration. Only patches can give
// it verification.
func (a *auditor) fluxInstance(o manifest.Object) {
	sync := manifest.Get(o.Node, "spec", "sync")
	kind := manifest.Text(sync, "kind")
	if kind == "" {
		return
	}
	name := manifest.Text(sync, "name")
	if name == "" {
		name = "flux-system"
	}
	s := a.subject(o, sync)
	s.verify = nil
	mine := func(p manifest.Patch) bool { return p.By == o.ID() && p.File == o.File }
	a.patchVerify(s, mine, kind, name, "spec", "verify")
	switch kind {
	case "GitRepository":
		ref := &yaml.Node{Kind: yaml.MappingNode, Content: []*yaml.Node{{Kind: yaml.ScalarNode, Value: "name"}, {Kind: yaml.ScalarNode, Value: manifest.Text(sync, "ref")}}}
		a.git(s, ref)
	case "Bucket":
		a.found(s, unverifiableBucket, nil, "a Bucket cannot be verified", "publish the configuration as an OCI artifact and sign it")
	default:
		s.features = features{identities: true, trustedRoot: true, manyKeys: true}
		s.reference = Reference{Repository: repositoryOf(s.URL)}
		if ref := manifest.Text(sync, "ref"); strings.HasPrefix(ref, "sha256:") {
			s.reference.Digest = ref
		} else {
			s.reference.Tag = ref
		}
		if s.verify == nil {
			a.found(s, unverifiedSource, sync, "the source of spec.sync has no verify", "add a patch to spec.kustomize.patches that adds /spec/verify to the "+kind+" "+name)
		} else {
			s.State = a.verification(s)
		}
		a.ownTrust(s)
	}
	a.insecure(s)
	a.done(s)
}

// repositoryOf returns host/path of an oci:// URL, empty when it is another one or has a variable.
func repositoryOf(url string) string {
	rest, ok := strings.CutPrefix(url, "oci://")
	if !ok || hasVariable(rest) {
		return ""
	}
	return strings.TrimSuffix(rest, "/")
}

// hasVariable reports whether a text is filled in later, by Flux's postBuild or a template.
func hasVariable(text string) bool {
	return strings.Contains(text, "${") || strings.Contains(text, "{{")
}
