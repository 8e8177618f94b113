// Package manifest reads Kubernetes objects out of YAML files and says where in the file each of them, and each of
// their fields, stands. It keeps the bytes, so that others can edit a single value in place. It does not render
// kustomizations, expand variables or talk to a cluster, and it never writes.
package manifest

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

// File is a file of YAML documents: a path for people, with slashes, and the content.
type File struct {
	Path    string
	Content []byte
}

// Document is one YAML document of a file.
type Document struct {
	File  string
	Line  int    // of its first line in the file, from 1
	Start int    // offset of its first byte in the file
	Text  []byte // without the lines that separate documents
	Root  *yaml.Node
}

// Object is a Kubernetes object, or a partial one such as a strategic-merge patch.
type Object struct {
	File                              string
	Line                              int // in the file, from 1
	APIVersion, Kind, Namespace, Name string
	Node                              *yaml.Node // its mapping
	Document                          *Document
}

// Problem is a document that could not be read.
type Problem struct {
	File    string `json:"file"`
	Line    int    `json:"line"`
	Message string `json:"message"`
	// Flux is true when the text names one of Flux's APIs, so that the document may hide a source.
	Flux bool `json:"flux"`
}

// Group returns the API group, empty for the core group.
func (o Object) Group() string {
	group, _, ok := strings.Cut(o.APIVersion, "/")
	if !ok {
		return ""
	}
	return group
}

// ID names the object for people: Kind/namespace/name.
func (o Object) ID() string { return ID(o.Kind, o.Namespace, o.Name) }

// ID names an object for people: Kind/namespace/name, without what is empty.
func ID(kind, namespace, name string) string {
	if namespace == "" {
		return kind + "/" + name
	}
	return kind + "/" + namespace + "/" + name
}

// LineOf returns the line of the file on which a node of the object stands, and that of the object for none.
func (o Object) LineOf(n *yaml.Node) int {
	if n == nil {
		return o.Line
	}
	return o.Document.Line + n.Line - 1
}

// Read returns the objects of files in their order, those in lists included, and what could not be read.
func Read(files []File) ([]Object, []Problem) {
	var objects []Object
	var problems []Problem
	for _, f := range files {
		docs, bad := Documents(f)
		problems = append(problems, bad...)
		for i := range docs {
			objects = append(objects, docs[i].Objects()...)
		}
	}
	return objects, problems
}

// Documents parses each document of a file on its own, so that a bad one hides no other.
func Documents(f File) ([]Document, []Problem) {
	var docs []Document
	var problems []Problem
	for _, part := range split(f.Content) {
		doc := Document{File: f.Path, Line: part.line, Start: part.start, Text: part.text}
		root, err := parse(part.text)
		if err != nil {
			problems = append(problems, Problem{
				File: f.Path, Line: part.line, Flux: strings.Contains(string(part.text), "toolkit.fluxcd.io/"),
				Message: strings.TrimPrefix(err.Error(), "yaml: "),
			})
			continue
		}
		if root != nil {
			doc.Root = root
			docs = append(docs, doc)
		}
	}
	return docs, problems
}

// parse returns the root of a document, nil for an empty one.
func parse(text []byte) (root *yaml.Node, err error) {
	defer func() { // the parser gives up on some broken texts by a panic
		if p := recover(); p != nil {
			root, err = nil, fmt.Errorf("no YAML: %v", p)
		}
	}()
	var node yaml.Node
	if err := yaml.Unmarshal(text, &node); err != nil {
		return nil, err
	}
	if node.Kind != yaml.DocumentNode || len(node.Content) != 1 {
		return nil, nil
	}
	return node.Content[0], nil
}

// Objects returns the objects of a document: one, or the items of a list.
func (d *Document) Objects() []Object {
	if d.Root.Kind != yaml.MappingNode {
		return nil
	}
	return d.objects(d.Root, 0)
}

func (d *Document) objects(n *yaml.Node, depth int) []Object {
	o := Object{
		File: d.File, Line: d.Line + n.Line - 1, Node: n, Document: d,
		APIVersion: Text(n, "apiVersion"), Kind: Text(n, "kind"),
		Namespace: Text(n, "metadata", "namespace"), Name: Text(n, "metadata", "name"),
	}
	items := Get(n, "items")
	if strings.HasSuffix(o.Kind, "List") && items != nil && items.Kind == yaml.SequenceNode && depth < maxDepth {
		var all []Object
		for _, item := range items.Content {
			if item = Follow(item); item.Kind == yaml.MappingNode {
				all = append(all, d.objects(item, depth+1)...)
			}
		}
		return all
	}
	if o.Kind == "" {
		return nil
	}
	return []Object{o}
}
