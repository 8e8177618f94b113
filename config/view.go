package config

import (
	"bytes"
	"fmt"
	"reflect"

	"go.yaml.in/yaml/v3"
)

// Setting is one value of the effective configuration.
type Setting struct {
	Path   string `json:"path"`
	Value  any    `json:"value"` // a scalar, or an empty list or map
	Origin Origin `json:"origin"`
}

// Settings lists every value of the effective configuration with its origin, in the order of the struct tree, keys of
// maps sorted. Secrets are not among them: where one is needed, the value is its reference.
func (c *Config) Settings() []Setting {
	var out []Setting
	c.effective.tree(c.effective.values, reflect.TypeFor[Publish](), "", func(s Setting) string {
		out = append(out, s)
		return ""
	})
	return out
}

// View gives the effective configuration as YAML that is itself a publish.yaml, without environments; with origins, each
// value is followed by a comment that says where it was written.
func (c *Config) View(origins bool) ([]byte, error) {
	root := c.effective.tree(c.effective.values, reflect.TypeFor[Publish](), "", func(s Setting) string {
		if origins {
			return "# " + s.Origin.String()
		}
		return ""
	})
	var b bytes.Buffer
	encoder := yaml.NewEncoder(&b)
	encoder.SetIndent(2)
	if err := encoder.Encode(root); err != nil {
		return nil, fmt.Errorf("write the configuration: %w", err)
	}
	return b.Bytes(), encoder.Close()
}

// tree makes YAML of values. comment is called for each leaf, in order.
func (e *effective) tree(v any, t reflect.Type, path string, comment func(Setting) string) *yaml.Node {
	switch value := v.(type) {
	case map[string]any:
		if len(value) > 0 {
			return e.mapping(value, t, path, comment)
		}
	case []any:
		if len(value) > 0 {
			n := &yaml.Node{Kind: yaml.SequenceNode}
			for i, item := range value {
				n.Content = append(n.Content, e.tree(item, elem(t), index(path, i), comment))
			}
			return n
		}
	}
	var n yaml.Node
	if err := n.Encode(v); err != nil {
		n = yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null", Value: "null"}
	}
	o, _ := e.origin(path)
	n.LineComment = comment(Setting{Path: path, Value: v, Origin: o})
	return &n
}

func (e *effective) mapping(m map[string]any, t reflect.Type, path string, comment func(Setting) string) *yaml.Node {
	n := &yaml.Node{Kind: yaml.MappingNode}
	add := func(key string, t reflect.Type) {
		if v, ok := m[key]; ok {
			var k yaml.Node
			k.SetString(key)
			n.Content = append(n.Content, &k, e.tree(v, t, member(path, key), comment))
		}
	}
	if t.Kind() == reflect.Struct {
		for _, f := range fieldsOf(t) {
			add(f.name, f.typ)
		}
		return n
	}
	for _, key := range keysOf(m) {
		add(key, elem(t))
	}
	return n
}

// elem is the type of the elements of a list or map. Below a free value everything is free.
func elem(t reflect.Type) reflect.Type {
	if t.Kind() == reflect.Slice || t.Kind() == reflect.Map {
		return t.Elem()
	}
	return reflect.TypeFor[any]()
}
