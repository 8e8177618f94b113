package changes

import (
	"errors"
	"io"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Bounds on what is parsed. The API server takes no object above 3 MiB, so a larger document is not worth the time.
const (
	maxParsed   = 4 << 20   // a longer document is only identified by its outline, or not at all
	largeObject = 256 << 10 // a longer document is compared as it is written, without normalising it
)

// key is the identity of an object; versions of one API group are the same object.
type key struct{ group, kind, namespace, name string }

// entry is one object of a file set.
type entry struct {
	key
	apiVersion string
	node       *yaml.Node // nil when the object is too large to be parsed
	raw        string     // its text; empty for an item of a list
	hide       string     // why no text of it may be shown; empty when it may
}

// parseDocuments decodes all documents of a text. There can be more than one: YAML knows more line breaks than split does.
func parseDocuments(text string) ([]*yaml.Node, error) {
	var nodes []*yaml.Node
	dec := yaml.NewDecoder(strings.NewReader(text))
	for {
		var doc yaml.Node
		err := dec.Decode(&doc)
		if errors.Is(err, io.EOF) {
			return nodes, nil
		}
		if err != nil {
			return nil, err
		}
		if len(doc.Content) == 1 {
			nodes = append(nodes, doc.Content[0])
		}
	}
}

// readObjects returns the objects of a document of the file at path. It is not ok when the document holds anything else,
// and then parsed says whether it is YAML at all.
func readObjects(path, text string) (entries []entry, parsed, ok bool) {
	if len(text) > largeObject {
		if e, found := outlined(path, text); found {
			return []entry{e}, true, true
		}
		if len(text) > maxParsed {
			return nil, false, false
		}
	}
	nodes, err := parseDocuments(text)
	if err != nil {
		return nil, false, false
	}
	hide := ""
	for _, n := range nodes {
		if holdsSecret(n) && holdsAlias(n) {
			hide = "a document with a Secret uses YAML aliases"
		}
	}
	for _, n := range nodes {
		found := unroll(path, n)
		if len(found) == 0 {
			return nil, true, false
		}
		entries = append(entries, found...)
	}
	for i := range entries {
		entries[i].hide = hide
	}
	if len(entries) == 1 && entries[0].node == nodes[0] {
		entries[0].raw = text
	}
	return entries, true, len(entries) > 0
}

// unroll returns the object that n is, or the items when it is a list.
func unroll(path string, n *yaml.Node) []entry {
	if n.Kind != yaml.MappingNode {
		return nil
	}
	kind, apiVersion := text(n, "kind"), text(n, "apiVersion")
	if items := child(n, "items"); strings.HasSuffix(kind, "List") && items != nil && items.Kind == yaml.SequenceNode {
		return unrollItems(path, items, strings.TrimSuffix(kind, "List"), apiVersion)
	}
	if e, ok := identify(path, n, kind, apiVersion); ok {
		return []entry{e}
	}
	return nil
}

// unrollItems returns the items of a list. Items of a typed list ("SecretList") may leave out kind and apiVersion.
func unrollItems(path string, items *yaml.Node, kind, apiVersion string) []entry {
	var entries []entry
	for _, item := range items.Content {
		if item.Kind == yaml.MappingNode && kind != "" && text(item, "kind") == "" {
			item.Content = append([]*yaml.Node{scalar("apiVersion"), scalar(apiVersion), scalar("kind"), scalar(kind)}, item.Content...)
		}
		found := unroll(path, item)
		if len(found) == 0 {
			return nil // not a list of objects
		}
		entries = append(entries, found...)
	}
	return entries
}

// identify reads the identity of an object. An object without a name goes by the path of its file, as kustomizations do.
func identify(path string, n *yaml.Node, kind, apiVersion string) (entry, bool) {
	if kind == "" && child(n, "secretGenerator") != nil {
		kind = "Kustomization" // may be left out in a kustomization.yaml
	} else if kind == "" || apiVersion == "" && kind != "Secret" && kind != "Kustomization" {
		return entry{}, false
	}
	e := entry{apiVersion: apiVersion, node: n}
	e.kind = kind
	if group, _, ok := strings.Cut(apiVersion, "/"); ok {
		e.group = group
	}
	if metadata := child(n, "metadata"); metadata != nil && metadata.Kind == yaml.MappingNode {
		e.namespace, e.name = text(metadata, "namespace"), text(metadata, "name")
		if e.name == "" {
			e.name = text(metadata, "generateName")
		}
	}
	if e.name == "" {
		e.name = path
	}
	return e, true
}

// topLevel is a line of a block mapping's own key, as every YAML writer prints it.
var topLevel = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9]*:(\s|$)`)

// outlined identifies a large object by its outline: its top-level lines and its metadata. It refuses what is not
// plainly laid out, and what could hold the data of a Secret.
func outlined(path, text string) (entry, bool) {
	if strings.ContainsAny(text, "\u0085\u2028\u2029") || strings.Count(text, "\r") != strings.Count(text, "\r\n") ||
		secretText.MatchString(text) {
		return entry{}, false
	}
	var outline strings.Builder
	inMetadata := false
	for line := range strings.Lines(text) {
		switch line[0] {
		case ' ', '\t':
			if inMetadata {
				outline.WriteString(line)
			}
			continue
		case '\n', '\r', '#', '-':
			continue
		}
		if !topLevel.MatchString(line) {
			return entry{}, false
		}
		inMetadata = strings.HasPrefix(line, "metadata:")
		outline.WriteString(line)
	}
	if outline.Len() > largeObject {
		return entry{}, false
	}
	nodes, err := parseDocuments(outline.String())
	if err != nil || len(nodes) != 1 || nodes[0].Kind != yaml.MappingNode || holdsSecret(nodes[0]) {
		return entry{}, false
	}
	kind := child(nodes[0], "kind")
	if kind == nil || kind.Style != 0 || strings.HasSuffix(kind.Value, "List") {
		return entry{}, false
	}
	e, ok := identify(path, nodes[0], kind.Value, textOf(child(nodes[0], "apiVersion")))
	e.node, e.raw = nil, text
	return e, ok
}
