package config

import (
	"fmt"
	"slices"

	"go.yaml.in/yaml/v3"
)

// What a file may cost: how deep it nests, how many nodes its aliases stand for, and how many bytes the paths of all its
// values are together.
const (
	maxDepth   = 64
	maxAliased = 100_000
	maxPaths   = 64 << 20
)

// flattener makes a tree without aliases and merge keys, in which each key of a map is a string and stands once.
type flattener struct {
	file     string
	problems *problems
	aliased  int
	paths    int
	open     map[*yaml.Node]bool // anchors that are being expanded
	stopped  bool
}

// flatten returns the plain tree of n, or nil when its anchors or its depth cannot be followed.
func flatten(file string, n *yaml.Node, ps *problems) *yaml.Node {
	f := &flattener{file: file, problems: ps, open: map[*yaml.Node]bool{}}
	out := f.node(n, "", 0, false)
	if f.stopped {
		return nil
	}
	return out
}

func (f *flattener) problem(n *yaml.Node, path, hint, format string, args ...any) {
	f.problems.add(Problem{
		File: f.file, Line: n.Line, Column: n.Column, Path: path, Message: fmt.Sprintf(format, args...), Hint: hint,
	})
}

func (f *flattener) stop(n *yaml.Node, path, format string, args ...any) *yaml.Node {
	if !f.stopped {
		f.problem(n, path, "", format, args...)
	}
	f.stopped = true
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null", Line: n.Line, Column: n.Column}
}

func (f *flattener) node(n *yaml.Node, path string, depth int, aliased bool) *yaml.Node {
	if aliased {
		f.aliased++
	}
	f.paths += len(path)
	switch {
	case f.stopped:
		return n
	case depth > maxDepth:
		return f.stop(n, "", "the file nests deeper than %d levels", maxDepth)
	case f.aliased > maxAliased:
		return f.stop(n, "", "the aliases of the file stand for more than %d values", maxAliased)
	case f.paths > maxPaths:
		return f.stop(n, "", "the file has too many values below long keys")
	}
	switch n.Kind {
	case yaml.AliasNode:
		if f.open[n.Alias] {
			return f.stop(n, path, "the anchor &%s holds itself", n.Value)
		}
		f.open[n.Alias] = true
		defer delete(f.open, n.Alias)
		return f.node(n.Alias, path, depth+1, true)
	case yaml.MappingNode:
		return f.mapping(n, path, depth, aliased)
	case yaml.SequenceNode:
		out := shell(n)
		for i, item := range n.Content {
			if f.stopped {
				break
			}
			out.Content = append(out.Content, f.node(item, index(path, i), depth+1, aliased))
		}
		return out
	}
	return f.scalar(n, path)
}

// shell copies a container without its content.
func shell(n *yaml.Node) *yaml.Node {
	return &yaml.Node{Kind: n.Kind, Tag: n.Tag, Style: n.Style, Line: n.Line, Column: n.Column}
}

// scalar refuses tags that give a scalar another meaning, and then takes it for text, so that nothing else is said of it.
func (f *flattener) scalar(n *yaml.Node, path string) *yaml.Node {
	plain := []string{"!!str", "!!int", "!!float", "!!bool", "!!null", "!!timestamp", "!!merge"}
	tag := n.ShortTag()
	if slices.Contains(plain, tag) {
		return n
	}
	f.problem(n, path, "", "the YAML tag %s is not supported", tag)
	out := shell(n)
	out.Tag, out.Value = "!!str", n.Value
	return out
}

func (f *flattener) mapping(n *yaml.Node, path string, depth int, aliased bool) *yaml.Node {
	out := shell(n)
	lines := map[string]int{}
	var merges []*yaml.Node
	for i := 0; i+1 < len(n.Content) && !f.stopped; i += 2 {
		key, value := resolve(n.Content[i]), n.Content[i+1]
		if key.Kind != yaml.ScalarNode {
			f.problem(key, path, "", "a key must be a plain word")
			continue
		}
		if first, twice := lines[key.Value]; twice {
			f.problem(n.Content[i], member(path, key.Value), "", "the key stands twice; the first is in line %d", first)
			continue
		}
		lines[key.Value] = key.Line
		if key.ShortTag() == "!!merge" {
			merges = append(merges, value)
			continue
		}
		out.Content = append(out.Content, n.Content[i], f.node(value, member(path, key.Value), depth+1, aliased))
	}
	for _, m := range merges {
		f.merge(out, m, path, depth, lines)
	}
	return out
}

// merge adds what a merge key brings, where the map has no value of its own.
func (f *flattener) merge(out, source *yaml.Node, path string, depth int, lines map[string]int) {
	from := f.node(source, path, depth+1, source.Kind == yaml.AliasNode)
	switch from.Kind {
	case yaml.SequenceNode:
		for _, item := range from.Content {
			f.merge(out, item, path, depth+1, lines)
		}
	case yaml.MappingNode:
		for i := 0; i+1 < len(from.Content); i += 2 {
			key := resolve(from.Content[i]).Value
			if _, own := lines[key]; !own {
				lines[key] = from.Content[i].Line
				out.Content = append(out.Content, from.Content[i], from.Content[i+1])
			}
		}
	default:
		if !f.stopped {
			f.problem(source, path, "", "a merge key (<<) takes a map, or a list of maps")
		}
	}
}

// resolve follows an alias that stands for a key.
func resolve(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}
