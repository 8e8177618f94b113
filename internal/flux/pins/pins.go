// Package pins finds and changes which artifact the OCIRepository objects of a GitOps repository name: their ref, by tag,
// range of versions or digest. It edits single values in place and leaves every other byte of the files alone; it neither
// commits nor renders, and it changes nothing that it cannot tell apart from its surroundings.
package pins

import (
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/artifactctl/artifactctl/internal/flux/manifest"
)

// Found is a pin as it stands in a file.
type Found struct {
	File   string `json:"file"`
	Line   int    `json:"line"`   // of the ref, from 1
	Object string `json:"object"` // Kind/namespace/name, or the patch that sets it
	// Repository is host/path. Empty when the file does not tell, as in a patch or behind a variable: such a pin may be
	// one of any repository.
	Repository string `json:"repository,omitempty"`
	Tag        string `json:"tag,omitempty"`
	Semver     string `json:"semver,omitempty"`
	// SemverFilter is a regular expression that tags must match before the range counts.
	SemverFilter string `json:"semverFilter,omitempty"`
	Digest       string `json:"digest,omitempty"`
	// Unknown says why some value is not what the cluster will see, such as a variable in it.
	Unknown string `json:"unknown,omitempty"`
}

// Scan finds the pins of these repositories (host/path), or of all when none are given, and those that may be theirs: in
// patches, behind variables, and in documents that cannot be read. An object without a ref pins the tag latest, as in
// Flux.
func Scan(files []manifest.File, repositories ...string) ([]Found, []manifest.Problem) {
	objects, problems := manifest.Read(files)
	var found []Found
	for _, o := range objects {
		if f, ok := pinOf(o); ok && wanted(f.Repository, repositories) {
			found = append(found, f)
		}
	}
	for _, p := range refPatches(files) {
		found = append(found, patchPins(p)...)
	}
	return found, slices.DeleteFunc(problems, func(p manifest.Problem) bool { return !p.Flux })
}

func wanted(repository string, repositories []string) bool {
	return repository == "" || len(repositories) == 0 || slices.ContainsFunc(repositories, func(r string) bool { return same(r, repository) })
}

// same compares repositories as registries do: hosts without regard to case.
func same(a, b string) bool { return normal(a) == normal(b) }

func normal(repository string) string {
	repository = strings.TrimSuffix(strings.TrimPrefix(repository, ociScheme), "/")
	host, path, _ := strings.Cut(repository, "/")
	return strings.ToLower(host) + "/" + path
}

const ociScheme = "oci://"

// variable is what Flux's postBuild substitution and most templates replace.
var variable = regexp.MustCompile(`\$\{[^}]*\}|\{\{`)

// pinOf reads the pin of an OCIRepository, or that of a FluxInstance's sync.
func pinOf(o manifest.Object) (Found, bool) {
	f := Found{File: o.File, Object: o.ID()}
	var ref *yaml.Node
	var url string
	switch {
	case isOCIRepository(o) && !o.IsPartial():
		url, ref = manifest.Text(o.Node, "spec", "url"), manifest.Get(o.Node, "spec", "ref")
		f.Tag, f.Semver, f.SemverFilter, f.Digest = manifest.Text(ref, "tag"), manifest.Text(ref, "semver"), manifest.Text(ref, "semverFilter"), manifest.Text(ref, "digest")
	case o.Kind == "FluxInstance" && manifest.Text(o.Node, "spec", "sync", "kind") == "OCIRepository":
		url, ref = manifest.Text(o.Node, "spec", "sync", "url"), manifest.Get(o.Node, "spec", "sync", "ref")
		f.place(manifest.Text(o.Node, "spec", "sync", "ref"))
	default:
		return Found{}, false
	}
	f.Line = o.LineOf(ref)
	if f.Tag+f.Semver+f.Digest == "" {
		f.Tag = "latest"
	}
	f.Repository = strings.TrimSuffix(strings.TrimPrefix(url, ociScheme), "/")
	if variable.MatchString(url) {
		f.Repository, f.Unknown = "", "its url has a variable"
	}
	if variable.MatchString(f.Tag + f.Semver + f.Digest) {
		f.Unknown = "its ref has a variable"
	}
	return f, true
}

// place puts a ref that is one word where it belongs.
func (f *Found) place(ref string) {
	if strings.HasPrefix(ref, "sha256:") {
		f.Digest = ref
	} else {
		f.Tag = ref
	}
}

func isOCIRepository(o manifest.Object) bool {
	return o.Kind == "OCIRepository" && o.Group() == "source.toolkit.fluxcd.io"
}

// refPatches returns the patches that may set the ref of an OCIRepository.
func refPatches(files []manifest.File) []manifest.Patch {
	return slices.DeleteFunc(manifest.Patches(files), func(p manifest.Patch) bool {
		value, touches := p.Sets("spec", "ref")
		return !touches || value == nil || !p.Selects("OCIRepository", p.NameOr("any"))
	})
}

// patchPins returns what a patch pins; its repository is not known.
func patchPins(p manifest.Patch) []Found {
	base := Found{File: p.File, Line: p.Line, Object: describe(p)}
	if value, _ := p.Sets("spec", "ref"); value != p.Body {
		base.Tag, base.Semver, base.SemverFilter, base.Digest = manifest.Text(value, "tag"), manifest.Text(value, "semver"), manifest.Text(value, "semverFilter"), manifest.Text(value, "digest")
	} else { // operations below /spec/ref
		base.Tag, base.Semver, base.Digest = patched(p, "tag"), patched(p, "semver"), patched(p, "digest")
		base.SemverFilter = patched(p, "semverFilter")
	}
	if base.Tag+base.Semver+base.Digest == "" {
		return nil
	}
	if variable.MatchString(base.Tag + base.Semver + base.Digest) {
		base.Unknown = "its ref has a variable"
	}
	return []Found{base}
}

func patched(p manifest.Patch, field string) string {
	if v, _ := p.Sets("spec", "ref", field); v != nil && v.Kind == yaml.ScalarNode {
		return v.Value
	}
	return ""
}

func describe(p manifest.Patch) string {
	if p.By != "" {
		return "patch in " + p.By
	}
	return "patch"
}
