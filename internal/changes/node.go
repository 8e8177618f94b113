package changes

import (
	"bytes"
	"regexp"

	"go.yaml.in/yaml/v3"
)

// child returns the value of a key of a mapping; of a repeated key the last, which is what parsers keep.
func child(n *yaml.Node, name string) *yaml.Node {
	var found *yaml.Node
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == name {
			found = n.Content[i+1]
		}
	}
	return found
}

// text returns the scalar value of a key of a mapping, or "".
func text(n *yaml.Node, name string) string { return textOf(child(n, name)) }

// textOf returns the value of a scalar, or of the scalar that an alias names, or "".
func textOf(n *yaml.Node) string {
	if n != nil && n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if n == nil || n.Kind != yaml.ScalarNode {
		return ""
	}
	return n.Value
}

func scalar(value string) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: value}
}

// equal says whether two nodes mean the same, whatever their style and comments; the order of keys counts.
func equal(a, b *yaml.Node) bool {
	if a.Kind != b.Kind || a.Value != b.Value || a.Anchor != b.Anchor || len(a.Content) != len(b.Content) || a.ShortTag() != b.ShortTag() {
		return false
	}
	if a.Kind == yaml.ScalarNode && quoted(a) != quoted(b) && ambiguous.MatchString(a.Value) {
		return false
	}
	for i := range a.Content {
		if !equal(a.Content[i], b.Content[i]) {
			return false
		}
	}
	return true
}

// ambiguous matches strings that YAML 1.1, which kubectl and kustomize read, takes for another type when they are not quoted.
var ambiguous = regexp.MustCompile(`^(?i:y|n|yes|no|on|off|[-+.]?[0-9][0-9a-fox_:.+-]*)$`)

func quoted(n *yaml.Node) bool {
	return n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) != 0
}

// weight estimates the length of a node's text.
func weight(n *yaml.Node) int {
	sum := len(n.Value) + 4
	for _, c := range n.Content {
		sum += weight(c)
	}
	return sum
}

// plain takes style and comments away from a node, so that only what it says is written. Quotes stay where
// they can matter.
func plain(n *yaml.Node) {
	if quoted(n) && ambiguous.MatchString(n.Value) {
		n.Style = yaml.DoubleQuotedStyle
	} else {
		n.Style = 0
	}
	n.HeadComment, n.LineComment, n.FootComment = "", "", ""
	for _, c := range n.Content {
		plain(c)
	}
}

// encode writes a node as kustomize does: two spaces, sequences not indented.
func encode(n *yaml.Node) (string, error) {
	var out bytes.Buffer
	enc := yaml.NewEncoder(&out)
	enc.SetIndent(2)
	enc.CompactSeqIndent()
	if err := enc.Encode(n); err != nil {
		return "", err
	}
	if err := enc.Close(); err != nil {
		return "", err
	}
	return out.String(), nil
}
