// Package inventory lists what the manifests of an artifact bring into a cluster: container images, and the charts and
// artifacts that Flux would fetch for them. It is pure. It reports what stands in the manifests and nothing else: it
// resolves no tag, asks no registry, and does not look into charts.
package inventory

import (
	"cmp"
	"maps"
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/artifactctl/artifactctl/internal/artifact"
)

// Inventory is what a set of files uses. Every list is sorted and names each thing once.
type Inventory struct {
	Images    []Image
	Charts    []Chart
	Artifacts []Artifact
}

// Chart is a Helm chart that a HelmRelease or a HelmChart of Flux names.
type Chart struct {
	Name       string
	Version    string // as written: a version, a range, or empty for the newest
	Repository string // URL of the HelmRepository without credentials, when that is among the manifests
}

// Artifact is what an OCIRepository of Flux names.
type Artifact struct {
	URL    string // without oci://
	Tag    string
	Range  string // of versions, one of which is chosen in the cluster
	Digest string
}

// Read lists what the Kubernetes objects in the YAML and JSON files use. Images are those of all containers of anything
// that has the shape of a pod's spec, whatever its kind, and of image volumes. What is no Kubernetes object is passed
// over, and so is the rest of a file from where it is no YAML.
func Read(files artifact.Files) Inventory {
	r := reader{images: map[string]bool{}, charts: map[reference]bool{}, artifacts: map[Artifact]bool{}, urls: map[place]string{}}
	for p, content := range files {
		if isManifest(p) {
			r.file(content)
		}
	}
	return r.inventory()
}

func isManifest(name string) bool {
	switch strings.ToLower(path.Ext(name)) {
	case ".yaml", ".yml", ".json":
		return true
	}
	return false
}

// reader gathers, each thing once.
type reader struct {
	images    map[string]bool
	charts    map[reference]bool
	artifacts map[Artifact]bool
	urls      map[place]string // of HelmRepositories
}

// place names an object.
type place struct{ namespace, name string }

// reference is a chart whose repository is not looked up yet.
type reference struct {
	name, version string
	repository    place // zero when it is no HelmRepository
}

func (r *reader) file(content []byte) {
	for document := range strings.SplitSeq("\n"+string(content), "\n---") {
		if !worthParsing(document) {
			continue
		}
		for d := yaml.NewDecoder(strings.NewReader(document)); ; {
			var n yaml.Node
			if err := d.Decode(&n); err != nil { // the end, or no YAML
				break
			}
			r.document(&n)
		}
	}
}

// worthParsing passes over the documents, most of them, that cannot name anything of interest.
func worthParsing(document string) bool {
	for _, word := range []string{"image", "chart", "OCIRepository", "HelmRepository", `\`} {
		if strings.Contains(document, word) {
			return true
		}
	}
	return false
}

func (r *reader) document(n *yaml.Node) {
	if n.Kind != yaml.DocumentNode || len(n.Content) != 1 {
		return
	}
	root := n.Content[0]
	if text(root, "apiVersion") == "" || text(root, "kind") == "" {
		return
	}
	w := walk{seen: map[*yaml.Node]bool{}, images: r.images}
	w.node(root)
	for _, object := range append(items(root), root) {
		r.flux(object)
	}
}

// items are the objects of a list.
func items(root *yaml.Node) []*yaml.Node {
	if !strings.HasSuffix(text(root, "kind"), "List") {
		return nil
	}
	if list := child(root, "items"); list != nil && list.Kind == yaml.SequenceNode {
		return slices.Clone(list.Content)
	}
	return nil
}

func (r *reader) inventory() Inventory {
	var out Inventory
	for _, ref := range slices.Sorted(maps.Keys(r.images)) {
		out.Images = append(out.Images, ParseImage(ref))
	}
	charts := map[Chart]bool{}
	for c := range r.charts {
		charts[Chart{Name: c.name, Version: c.version, Repository: r.urls[c.repository]}] = true
	}
	out.Charts = slices.SortedFunc(maps.Keys(charts), func(a, b Chart) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Repository, b.Repository), cmp.Compare(a.Version, b.Version))
	})
	out.Artifacts = slices.SortedFunc(maps.Keys(r.artifacts), func(a, b Artifact) int {
		return cmp.Or(cmp.Compare(a.URL, b.URL), cmp.Compare(a.Tag, b.Tag), cmp.Compare(a.Range, b.Range), cmp.Compare(a.Digest, b.Digest))
	})
	return out
}
