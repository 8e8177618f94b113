package changes

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
)

// lastApplied holds the whole object again, as JSON.
const lastApplied = "kubectl.kubernetes.io/last-applied-configuration"

// secretText finds a Secret in text that is not, or not yet, parsed; also one that is commented out. It begins with a
// literal, by which regexp searches many times faster.
var secretText = regexp.MustCompile(`kind["']?\s*:\s*(?:[!&]\S*\s+)*["']?[sS]ecret(?:List)?(?:\W|$)`)

// secretWord is what text that does not parse must not contain to be shown.
var secretWord = regexp.MustCompile(`(?i)secret`)

// mark stands for a secret value: it shows that a value changed, and nothing else of it.
func (c Comparer) mark(value string) string {
	if c.key == [sha256.Size]byte{} {
		return "***"
	}
	mac := hmac.New(sha256.New, c.key[:])
	mac.Write([]byte(value))
	return "*** (" + hex.EncodeToString(mac.Sum(nil)[:4]) + ")"
}

// maskObject replaces all secret values of an object by marks, in place.
func (c Comparer) maskObject(n *yaml.Node) {
	if isSecret(n) {
		c.maskSecret(n)
		return
	}
	c.maskGenerators(n)
	c.maskNested(n)
}

// isSecret says whether n is an object of kind Secret, of whichever API group. A repeated key counts each time.
func isSecret(n *yaml.Node) bool {
	if n.Kind != yaml.MappingNode {
		return false
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value != "kind" {
			continue
		}
		value := n.Content[i+1]
		if kind := textOf(value); kind == "Secret" || kind == "SecretList" || value.ShortTag() == "!!binary" {
			return true // a kind in base64 could be any
		}
	}
	return false
}

// maskSecret masks a Secret: everything but the keys that are known to be harmless.
func (c Comparer) maskSecret(n *yaml.Node) {
	for i := 0; i+1 < len(n.Content); i += 2 {
		name, value := n.Content[i].Value, n.Content[i+1]
		switch {
		case name == "metadata":
			c.maskLastApplied(value)
		case name == "data" || name == "stringData":
			c.maskValues(value, name == "data")
		case !harmless(name):
			c.maskNode(value)
		}
	}
}

// harmless says whether the value of a Secret's key is no secret.
func harmless(name string) bool {
	switch name {
	case "apiVersion", "kind", "type", "immutable":
		return true
	}
	return false
}

// maskValues masks the values of data or stringData, and keeps their keys.
func (c Comparer) maskValues(n *yaml.Node, encoded bool) {
	if n.Kind != yaml.MappingNode {
		c.maskNode(n)
		return
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		value := n.Content[i+1]
		if value.Kind != yaml.ScalarNode {
			c.maskNode(value)
			continue
		}
		replace(value, c.mark(plaintext(value, encoded)))
	}
}

// plaintext is the value that a Secret gives to its readers, so that data and stringData of one value have one mark.
func plaintext(n *yaml.Node, encoded bool) string {
	if !encoded && n.ShortTag() != "!!binary" {
		return n.Value
	}
	decoded, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(n.Value), ""))
	if err != nil {
		return "not base64: " + n.Value
	}
	return string(decoded)
}

// maskNode replaces a node, whatever it is, by one mark.
func (c Comparer) maskNode(n *yaml.Node) {
	text, err := encode(n)
	if err != nil {
		text = n.Value
	}
	replace(n, c.mark(text))
}

// replace makes n a plain string.
func replace(n *yaml.Node, value string) {
	*n = yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: value}
}

// maskLastApplied masks the copies of an object that tools leave in its annotations.
func (c Comparer) maskLastApplied(n *yaml.Node) {
	for i := range n.Content {
		if n.Kind == yaml.MappingNode && i%2 == 1 && n.Content[i-1].Value == lastApplied {
			c.maskNode(n.Content[i])
			continue
		}
		c.maskLastApplied(n.Content[i])
	}
}

// maskNested masks Secrets inside another object: a template's, a HelmRelease's values, the text of a ConfigMap.
// References to Secrets ("kind: Secret, name: x") have no data and stay.
func (c Comparer) maskNested(n *yaml.Node) {
	if n.Kind == yaml.ScalarNode && strings.ContainsAny(n.Value, "\n{") && secretText.MatchString(n.Value) {
		replace(n, c.mark(n.Value))
		return
	}
	secret := isSecret(n)
	for i, value := range n.Content {
		name := ""
		if n.Kind == yaml.MappingNode && i%2 == 1 {
			name = n.Content[i-1].Value
		}
		switch {
		case secret && (name == "data" || name == "stringData"):
			c.maskValues(value, name == "data")
		case secret && name == "<<":
			c.maskNode(value)
		case secret && name == "metadata":
			c.maskLastApplied(value)
		default:
			c.maskNested(value)
		}
	}
}

// holdsSecret says whether there is something to mask anywhere in n.
func holdsSecret(n *yaml.Node) bool {
	if isSecret(n) || n.Kind == yaml.MappingNode && child(n, "secretGenerator") != nil {
		return true
	}
	for _, c := range n.Content {
		if holdsSecret(c) {
			return true
		}
	}
	return false
}

// holdsAlias says whether a node is written with aliases: then what a Secret holds may stand somewhere else.
func holdsAlias(n *yaml.Node) bool {
	if n.Kind == yaml.AliasNode {
		return true
	}
	for _, c := range n.Content {
		if holdsAlias(c) {
			return true
		}
	}
	return false
}
