package changes

import (
	"strings"

	"go.yaml.in/yaml/v3"
)

// maskGenerators masks the literals of a kustomization's secretGenerator.
func (c Comparer) maskGenerators(n *yaml.Node) {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Kind != yaml.MappingNode || n.Content[i].Value != "secretGenerator" {
			continue
		}
		generators := n.Content[i+1]
		if generators.Kind != yaml.SequenceNode {
			c.maskNode(generators)
			continue
		}
		for _, g := range generators.Content {
			c.maskLiterals(g)
		}
	}
}

// maskLiterals masks the values of "key=value" entries, and keeps the keys.
func (c Comparer) maskLiterals(generator *yaml.Node) {
	if generator.Kind != yaml.MappingNode {
		c.maskNode(generator)
		return
	}
	for i := 0; i+1 < len(generator.Content); i += 2 {
		name, literals := generator.Content[i].Value, generator.Content[i+1]
		if name == "<<" || name == "literals" && literals.Kind != yaml.SequenceNode {
			c.maskNode(literals)
		}
		if name != "literals" {
			continue
		}
		for _, literal := range literals.Content {
			if k, v, ok := strings.Cut(literal.Value, "="); ok && literal.Kind == yaml.ScalarNode {
				replace(literal, k+"="+c.mark(strings.Trim(v, `"'`)))
			} else {
				c.maskNode(literal)
			}
		}
	}
}

// generatorSources returns the paths that the secretGenerator of a kustomization reads, as they stand there.
func generatorSources(n *yaml.Node) []string {
	if n.Kind != yaml.MappingNode {
		return nil
	}
	generators := child(n, "secretGenerator")
	if generators == nil {
		return nil
	}
	var sources []string
	for _, g := range generators.Content {
		if g.Kind != yaml.MappingNode {
			continue
		}
		sources = append(sources, text(g, "env"))
		for _, name := range []string{"envs", "files"} {
			list := child(g, name)
			if list == nil {
				continue
			}
			for _, item := range list.Content {
				source := textOf(item)
				if _, file, ok := strings.Cut(source, "="); ok && name == "files" {
					source = file // "key=file"
				}
				sources = append(sources, source)
			}
		}
	}
	return sources
}
