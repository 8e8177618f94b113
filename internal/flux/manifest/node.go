package manifest

import (
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// maxDepth bounds what is followed through lists, aliases and merge keys: a document may refer to itself.
const maxDepth = 16

// Follow returns what an alias stands for, and any other node as it is.
func Follow(n *yaml.Node) *yaml.Node {
	for i := 0; n != nil && n.Kind == yaml.AliasNode && i < maxDepth; i++ {
		n = n.Alias
	}
	return n
}

// Get returns the value at a path of keys below n, through aliases and merge keys, or nil. An explicit null is a value.
func Get(n *yaml.Node, path ...string) *yaml.Node {
	for _, key := range path {
		if n = get(n, key, 0); n == nil {
			return nil
		}
	}
	return Follow(n)
}

// Text returns the scalar at a path, empty where there is none or null.
func Text(n *yaml.Node, path ...string) string {
	v := Get(n, path...)
	if v == nil || v.Kind != yaml.ScalarNode || v.Tag == "!!null" {
		return ""
	}
	return v.Value
}

// True reports whether the scalar at a path is the boolean true.
func True(n *yaml.Node, path ...string) bool {
	var is bool
	v := Get(n, path...)
	return v != nil && v.Decode(&is) == nil && is
}

// Items returns the items of the sequence at a path, aliases followed.
func Items(n *yaml.Node, path ...string) []*yaml.Node {
	v := Get(n, path...)
	if v == nil || v.Kind != yaml.SequenceNode {
		return nil
	}
	items := make([]*yaml.Node, len(v.Content))
	for i, item := range v.Content {
		items[i] = Follow(item)
	}
	return items
}

// IsNull reports whether a value is there and null.
func IsNull(n *yaml.Node) bool { return n != nil && n.Kind == yaml.ScalarNode && n.Tag == "!!null" }

func get(n *yaml.Node, key string, depth int) *yaml.Node {
	n = Follow(n)
	if n == nil || n.Kind != yaml.MappingNode || depth > maxDepth {
		return nil
	}
	var merged *yaml.Node
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		switch {
		case k.Value == key:
			return v
		case k.Tag == "!!merge" && merged == nil:
			merged = fromMerge(v, key, depth+1)
		}
	}
	return merged
}

func fromMerge(v *yaml.Node, key string, depth int) *yaml.Node {
	v = Follow(v)
	if v.Kind != yaml.SequenceNode {
		return get(v, key, depth)
	}
	for _, item := range v.Content {
		if found := get(item, key, depth); found != nil {
			return found
		}
	}
	return nil
}

// Offset returns the offset in the document's text at which a node begins, or false when it is not a place of that text.
// The parser counts lines by all breaks of YAML 1.1 and columns by characters.
func (d *Document) Offset(n *yaml.Node) (int, bool) {
	pos := 0
	if len(d.Text) >= 3 && string(d.Text[:3]) == "\ufeff" {
		pos = 3
	}
	for line := 1; line < n.Line; line++ {
		next := afterBreak(d.Text, pos)
		if next < 0 {
			return 0, false
		}
		pos = next
	}
	for column := 1; column < n.Column; column++ {
		if pos >= len(d.Text) {
			return 0, false
		}
		_, size := utf8.DecodeRune(d.Text[pos:])
		pos += size
	}
	return pos, true
}

// afterBreak returns where the line after the one at pos begins, or -1.
func afterBreak(text []byte, pos int) int {
	for pos < len(text) {
		r, size := utf8.DecodeRune(text[pos:])
		pos += size
		switch r {
		case '\r':
			if pos < len(text) && text[pos] == '\n' {
				pos++
			}
			return pos
		case '\n', '\u0085', '\u2028', '\u2029':
			return pos
		}
	}
	return -1
}
