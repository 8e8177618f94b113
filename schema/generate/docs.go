package main

import (
	"bytes"
	_ "embed"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/invopop/jsonschema"
	"go.yaml.in/yaml/v3"

	"github.com/artifactctl/artifactctl/config"
)

//go:embed intro.md
var intro string

// reference writes docs/config.md from the schema of publish.yaml.
func reference(root *jsonschema.Schema) []byte {
	var b bytes.Buffer
	b.WriteString(intro)
	b.WriteString("\n## Variables\n\n| variable | sets |\n|---|---|\n")
	variables := config.Variables()
	for _, name := range slices.Sorted(maps.Keys(variables)) {
		fmt.Fprintf(&b, "| `%s` | `%s` |\n", name, variables[name])
	}
	b.WriteString("\n## Fields\n")
	fields(&b, root, root.Definitions, "")
	return b.Bytes()
}

// fields writes the fields of an object, each struct below it after them.
func fields(b *bytes.Buffer, s *jsonschema.Schema, defs jsonschema.Definitions, prefix string) {
	for pair := s.Properties.Oldest(); pair != nil; pair = pair.Next() {
		name, p := pair.Key, pair.Value
		path := prefix + name
		fmt.Fprintf(b, "\n### `%s`\n\n%s\n\n", path, p.Description)
		fmt.Fprintf(b, "- type: %s%s\n", typeOf(p), map[bool]string{true: ", required"}[slices.Contains(s.Required, name)])
		facts(b, p)
		examples(b, name, p)
		below, more := objectBelow(p, defs)
		switch {
		case below == nil:
		case name == "environments":
			overlays(b, below)
		default:
			fields(b, below, defs, path+more)
		}
	}
}

// overlays lists what an environment may hold; the fields themselves are those described above.
func overlays(b *bytes.Buffer, s *jsonschema.Schema) {
	b.WriteString("\nAn environment may hold:\n\n")
	for pair := s.Properties.Oldest(); pair != nil; pair = pair.Next() {
		fmt.Fprintf(b, "- `environments.NAME.%s`: %s\n", pair.Key, pair.Value.Description)
	}
	b.WriteString("\n```yaml\nenvironments:\n  production:\n    registry:\n      url: oci://registry.example.com/gitops\n    signer: vault\n```\n")
}

// objectBelow returns the schema of the structs that a property holds, and what stands between their paths.
func objectBelow(p *jsonschema.Schema, defs jsonschema.Definitions) (*jsonschema.Schema, string) {
	switch {
	case p.Ref != "":
		return defs[defName(p.Ref)], "."
	case p.Items != nil && p.Items.Ref != "":
		return defs[defName(p.Items.Ref)], "[]."
	case p.AdditionalProperties != nil && p.AdditionalProperties.Ref != "":
		return defs[defName(p.AdditionalProperties.Ref)], ".NAME."
	}
	return nil, ""
}

func defName(ref string) string { return strings.TrimPrefix(ref, "#/$defs/") }

func typeOf(p *jsonschema.Schema) string {
	switch {
	case p.Ref != "":
		return "map of the fields below"
	case p.OneOf != nil:
		return "string, or list of strings"
	case p.Items != nil && p.Items.Ref != "":
		return "list of maps"
	case p.Items != nil:
		return "list of strings"
	case p.AdditionalProperties != nil && p.AdditionalProperties.Ref != "":
		return "map of name to the fields below"
	case p.PatternProperties != nil:
		return "map of anything"
	case p.Type == "object":
		return "map of strings"
	case p.Type == "" && len(p.AnyOf) > 0:
		return p.AnyOf[0].Type
	}
	return p.Type
}

// facts writes what is known of a value.
func facts(b *bytes.Buffer, p *jsonschema.Schema) {
	enum := p.Enum
	if len(p.AnyOf) > 0 {
		enum = p.AnyOf[0].Enum
		if low, high := p.AnyOf[0].Minimum, p.AnyOf[0].Maximum; low != "" {
			fmt.Fprintf(b, "- from %s to %s\n", low, high)
		}
	}
	if len(enum) > 0 {
		words := make([]string, len(enum))
		for i, v := range enum {
			words[i] = "`" + text(v) + "`"
		}
		fmt.Fprintf(b, "- one of: %s\n", strings.Join(words, ", "))
	}
	if p.Default != nil {
		fmt.Fprintf(b, "- default: `%s`\n", inline(p.Default))
	} else if typeOf(p) == "boolean" {
		b.WriteString("- default: `false`\n")
	}
}

// examples writes each example of a field. What is a map of fields is shown by those.
func examples(b *bytes.Buffer, name string, p *jsonschema.Schema) {
	all := p.Examples
	switch {
	case typeOf(p) == "boolean":
		all = []any{true}
	case p.Items != nil && len(p.Items.Examples) > 0:
		all = []any{p.Items.Examples}
	}
	for i, e := range all {
		if i > 0 {
			b.WriteString("\nor\n")
		}
		fmt.Fprintf(b, "\n```yaml\n%s```\n", example(name, e))
	}
}

// inline gives a value as YAML in one line.
func inline(v any) string {
	var n yaml.Node
	if err := n.Encode(v); err != nil {
		return text(v)
	}
	n.Style = yaml.FlowStyle
	out, err := yaml.Marshal(&n)
	if err != nil {
		return text(v)
	}
	return strings.TrimSpace(string(out))
}

// example gives a field with a value as YAML.
func example(name string, v any) string {
	var b bytes.Buffer
	e := yaml.NewEncoder(&b)
	e.SetIndent(2)
	if err := e.Encode(map[string]any{name: v}); err != nil {
		return ""
	}
	return b.String()
}
