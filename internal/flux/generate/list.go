package generate

import (
	"strings"

	"github.com/artifactctl/artifactctl/internal/flux/manifest"
)

// Object is a generated object, for whoever does not want to read YAML.
type Object struct {
	File       string `json:"file"`
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Namespace  string `json:"namespace"`
	Name       string `json:"name"`
	// URL, Tag, Semver and Digest say what an OCIRepository fetches.
	URL    string `json:"url,omitempty"`
	Tag    string `json:"tag,omitempty"`
	Semver string `json:"semver,omitempty"`
	Digest string `json:"digest,omitempty"`
	// Verify says what an OCIRepository checks signatures against.
	Verify string `json:"verify,omitempty" jsonschema:"enum=key,enum=keyless"`
}

// List returns the objects of generated files in their order, without the index.
func List(files []File) []Object {
	var all []manifest.File
	for _, f := range files {
		if f.Path != indexPath {
			all = append(all, manifest.File{Path: f.Path, Content: f.Content})
		}
	}
	found, _ := manifest.Read(all) // it is YAML that was written a moment ago
	objects := make([]Object, len(found))
	for i, o := range found {
		objects[i] = Object{File: o.File, APIVersion: o.APIVersion, Kind: o.Kind, Namespace: o.Namespace, Name: o.Name}
		if o.Kind != "OCIRepository" {
			continue
		}
		objects[i].URL = manifest.Text(o.Node, "spec", "url")
		objects[i].Tag = manifest.Text(o.Node, "spec", "ref", "tag")
		objects[i].Semver = manifest.Text(o.Node, "spec", "ref", "semver")
		objects[i].Digest = manifest.Text(o.Node, "spec", "ref", "digest")
		objects[i].Verify = "keyless"
		if manifest.Get(o.Node, "spec", "verify", "secretRef") != nil {
			objects[i].Verify = "key"
		}
	}
	return objects
}

// IsGenerated reports whether a text is one that Flux wrote, of this or an earlier run, and nobody took over.
func IsGenerated(text []byte) bool { return strings.HasPrefix(string(text), "---\n"+generatedBy) }

// IsIndex reports whether a file names the others, for `kubectl apply -k`.
func (f File) IsIndex() bool { return f.Path == indexPath }
