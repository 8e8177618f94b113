package inventory

import (
	"net/url"
	"strings"

	"go.yaml.in/yaml/v3"
)

// walk looks for images in a tree of nodes. Each node is looked at once, so that aliases cost nothing.
type walk struct {
	seen   map[*yaml.Node]bool
	images map[string]bool
}

func (w *walk) node(n *yaml.Node) {
	if n = resolve(n); n == nil || w.seen[n] {
		return
	}
	w.seen[n] = true
	for _, key := range []string{"containers", "initContainers", "ephemeralContainers"} {
		w.each(n, key, func(container *yaml.Node) { w.add(text(container, "image")) })
	}
	w.each(n, "volumes", func(volume *yaml.Node) { w.add(text(child(volume, "image"), "reference")) })
	for _, c := range n.Content {
		w.node(c)
	}
}

// each calls use for every mapping in the list at a key.
func (w *walk) each(n *yaml.Node, key string, use func(*yaml.Node)) {
	list := child(n, key)
	if list == nil || list.Kind != yaml.SequenceNode {
		return
	}
	for _, entry := range list.Content {
		use(entry)
	}
}

func (w *walk) add(image string) {
	if image = strings.TrimSpace(image); image != "" {
		w.images[image] = true
	}
}

// flux notes what an object of Flux fetches.
func (r *reader) flux(n *yaml.Node) {
	n = resolve(n)
	group, _, _ := strings.Cut(text(n, "apiVersion"), "/")
	spec, metadata := child(n, "spec"), child(n, "metadata")
	self := place{text(metadata, "namespace"), text(metadata, "name")}
	switch group + " " + text(n, "kind") {
	case "helm.toolkit.fluxcd.io HelmRelease":
		r.chart(child(child(spec, "chart"), "spec"), self.namespace)
	case "source.toolkit.fluxcd.io HelmChart":
		r.chart(spec, self.namespace)
	case "source.toolkit.fluxcd.io HelmRepository":
		r.urls[self] = public(text(spec, "url"))
	case "source.toolkit.fluxcd.io OCIRepository":
		ref := child(spec, "ref")
		a := Artifact{
			URL: strings.TrimPrefix(text(spec, "url"), "oci://"), Tag: text(ref, "tag"), Range: text(ref, "semver"), Digest: text(ref, "digest"),
		}
		if a.URL != "" {
			r.artifacts[a] = true
		}
	}
}

// chart notes the chart that a spec names. A source without a namespace is in the object's own.
func (r *reader) chart(spec *yaml.Node, namespace string) {
	c := reference{name: text(spec, "chart"), version: text(spec, "version")}
	if c.name == "" {
		return
	}
	if source := child(spec, "sourceRef"); text(source, "kind") == "HelmRepository" {
		c.repository = place{namespace, text(source, "name")}
		if other := text(source, "namespace"); other != "" {
			c.repository.namespace = other
		}
	}
	r.charts[c] = true
}

// public is a URL without credentials; empty when it is no URL.
func public(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	u.User = nil
	return u.String()
}

// child returns the value of a key of a mapping; of a repeated key the last, which is what parsers keep. Nil has no keys.
func child(n *yaml.Node, name string) *yaml.Node {
	if n = resolve(n); n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	var found *yaml.Node
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == name {
			found = n.Content[i+1]
		}
	}
	return resolve(found)
}

// text returns the scalar at a key of a mapping, or "".
func text(n *yaml.Node, name string) string {
	if c := child(n, name); c != nil && c.Kind == yaml.ScalarNode && c.ShortTag() != "!!null" {
		return c.Value
	}
	return ""
}

// resolve returns what an alias stands for.
func resolve(n *yaml.Node) *yaml.Node {
	for n != nil && n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	return n
}
