package gate

import (
	"bytes"
	"maps"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/artifactctl/artifactctl/internal/artifact"
)

// object is one object of an app, with its place.
type object struct {
	apiVersion, kind, namespace, name string

	file   string
	offset int        // lines before the document in its file
	node   *yaml.Node // lines in it are relative to the document
	raw    []byte     // the object alone
}

// problem is what is wrong with a file itself.
type problem struct {
	file string
	line int
	text string
}

// document is one YAML document of a file.
type document struct {
	offset int // lines before it
	raw    []byte
}

// hasManifests tells whether a file is one that objects are in.
func hasManifests(name string) bool {
	switch strings.ToLower(path.Ext(name)) {
	case ".yaml", ".yml", ".json":
		return true
	}
	return false
}

// manifestFiles returns the names of the files with objects, sorted.
func manifestFiles(files artifact.Files) []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(files)), func(name string) bool { return !hasManifests(name) })
}

// documents splits a file before the lines that begin a document ("---", alone or before white space) and after those
// that end one ("..."). Inside of a scalar there cannot be such a line.
func documents(content []byte) []document {
	var all []document
	begin, offset, line := 0, 0, 0
	for at := 0; at < len(content); line++ {
		end := len(content)
		if i := bytes.IndexByte(content[at:], '\n'); i >= 0 {
			end = at + i + 1
		}
		if marks(content[at:end], "---") {
			all = append(all, document{offset: offset, raw: content[begin:at]})
			begin, offset = at, line
		}
		if marks(content[at:end], "...") {
			all = append(all, document{offset: offset, raw: content[begin:end]})
			begin, offset = end, line+1
		}
		at = end
	}
	return append(all, document{offset: offset, raw: content[begin:]})
}

func marks(line []byte, marker string) bool {
	rest, ok := bytes.CutPrefix(line, []byte(marker))
	return ok && (len(rest) == 0 || strings.IndexByte(" \t\r\n", rest[0]) >= 0)
}

// lineInYAML finds the lines that errors of YAML parsers name.
var lineInYAML = regexp.MustCompile(`\bline (\d+)`)

// parse returns the objects of a file. Lists are taken apart, empty documents left out.
func parse(file string, content []byte) ([]object, []problem) {
	var objects []object
	var problems []problem
	for _, d := range documents(content) {
		var root yaml.Node
		if err := yaml.Unmarshal(d.raw, &root); err != nil {
			problems = append(problems, yamlProblem(file, d.offset, err))
			continue
		}
		if len(root.Content) == 0 || root.Content[0].Tag == "!!null" {
			continue
		}
		node := root.Content[0]
		if node.Kind != yaml.MappingNode {
			problems = append(problems, problem{file: file, line: d.offset + node.Line, text: "the document is no object"})
			continue
		}
		o := object{file: file, offset: d.offset, node: node, raw: d.raw}
		o.describe()
		objects = append(objects, o.items(0)...)
	}
	return objects, problems
}

// yamlProblem makes the line of an error one of the file.
func yamlProblem(file string, offset int, err error) problem {
	p := problem{file: file, line: offset + 1, text: err.Error()}
	if m := lineInYAML.FindStringSubmatchIndex(p.text); m != nil {
		if n, err := strconv.Atoi(p.text[m[2]:m[3]]); err == nil {
			p.line = offset + n
			p.text = p.text[:m[2]] + strconv.Itoa(p.line) + p.text[m[3]:]
		}
	}
	p.text = strings.ReplaceAll(p.text, "\n", " ")
	return p
}

func (o *object) describe() {
	o.apiVersion, o.kind = scalar(o.node, "apiVersion"), scalar(o.node, "kind")
	if metadata := value(o.node, "metadata"); metadata != nil {
		o.namespace, o.name = scalar(metadata, "namespace"), scalar(metadata, "name")
		if o.name == "" {
			o.name = scalar(metadata, "generateName")
		}
	}
}

// maxNesting bounds lists in lists: with aliases they could go on for ever.
const maxNesting = 8

// items returns the items of a List, and any other object as it is. What cannot be taken apart has no kind, so that
// nobody takes it for valid.
func (o object) items(depth int) []object {
	list := resolve(value(o.node, "items"))
	if !strings.EqualFold(o.kind, "list") || o.apiVersion != "v1" || list == nil || list.Kind != yaml.SequenceNode {
		return []object{o}
	}
	if depth == maxNesting {
		o.kind = ""
		return []object{o}
	}
	var items []object
	for _, node := range list.Content {
		node = resolve(node)
		item := object{file: o.file, offset: o.offset, node: node}
		item.describe()
		raw, err := yaml.Marshal(node)
		if item.raw = raw; err != nil {
			item.kind = ""
		}
		items = append(items, item.items(depth+1)...)
	}
	return items
}

// resolve returns what an alias stands for, and any other node as it is.
func resolve(node *yaml.Node) *yaml.Node {
	for node != nil && node.Kind == yaml.AliasNode {
		node = node.Alias
	}
	return node
}

// title is how findings name the object.
func (o object) title() string {
	parts := []string{o.kind, o.namespace, o.name}
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), "/")
}

// line returns the line in the file of what is at a path, or of the deepest part of the path that is there.
func (o object) line(at []string) int {
	node, line := o.node, o.node.Line
	for _, step := range at {
		key, next := child(resolve(node), step)
		if next == nil {
			break
		}
		node, line = next, key.Line
	}
	return o.offset + line
}

// child returns what is at a step below node, and the node whose line names it.
func child(node *yaml.Node, step string) (key, next *yaml.Node) {
	switch node.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(node.Content); i += 2 {
			if node.Content[i].Value == step {
				return node.Content[i], node.Content[i+1]
			}
		}
	case yaml.SequenceNode:
		if i, err := strconv.Atoi(step); err == nil && i >= 0 && i < len(node.Content) {
			return node.Content[i], node.Content[i]
		}
	}
	return nil, nil
}

func value(node *yaml.Node, key string) *yaml.Node {
	_, next := child(node, key)
	return next
}

func scalar(node *yaml.Node, key string) string {
	if v := value(node, key); v != nil && v.Kind == yaml.ScalarNode && v.Tag == "!!str" {
		return v.Value
	}
	return ""
}

// stream is the manifests of an app as one YAML stream, and where in it each file begins.
type stream struct {
	content []byte
	begins  []begin
}

type begin struct {
	file   string
	before int // lines of the stream before the file
}

// newStream puts the files with objects one after another. A single one stays as it is, to the byte.
func newStream(files artifact.Files) stream {
	var s stream
	for _, name := range manifestFiles(files) {
		if n := len(s.content); n > 0 {
			if s.content[n-1] != '\n' {
				s.content = append(s.content, '\n')
			}
			s.content = append(s.content, "---\n"...)
		}
		s.begins = append(s.begins, begin{file: name, before: bytes.Count(s.content, []byte("\n"))})
		s.content = append(s.content, files[name]...)
	}
	return s
}

// place returns the file and the line in it of a line of the stream.
func (s stream) place(line int) (file string, lineInFile int) {
	for _, b := range slices.Backward(s.begins) {
		if line > b.before {
			return b.file, line - b.before
		}
	}
	return "", 0
}

// objectAt returns the title of the object that a line belongs to; empty when there is none.
func objectAt(objects []object, line int) string {
	title := ""
	for _, o := range objects {
		if o.offset+o.node.Line > line {
			break
		}
		title = o.title()
	}
	return title
}
