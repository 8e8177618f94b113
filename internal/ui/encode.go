package ui

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// Format is how a result is printed.
type Format string

// The formats.
const (
	Text Format = "text"
	JSON Format = "json"
	YAML Format = "yaml"

	Markdown Format = "markdown" // of audits
	SARIF    Format = "sarif"    // a SARIF 2.1.0 log, of audits and gates
	JUnit    Format = "junit"    // JUnit XML, of gates: a suite for each gate, a case for each app
	GitHub   Format = "github"   // workflow commands, of gates; they become annotations
)

// ParseFormat returns the format that s names.
func ParseFormat(s string) (Format, error) {
	switch f := Format(s); f {
	case Text, JSON, YAML:
		return f, nil
	}
	return "", fmt.Errorf("unknown output format %q: it is text, json or yaml", cleanLine(s))
}

// Encode writes v as JSON or YAML. Both hold the same data under the same names, those of v's json tags, in the same
// order. Characters that would steer a terminal are escaped, as both formats allow.
func Encode(w io.Writer, f Format, v any) error {
	text, err := encodeJSON(v, "  ")
	if err == nil && f == YAML {
		text, err = toYAML(text)
	}
	if err != nil {
		return fmt.Errorf("write the result as %s: %w", f, err)
	}
	_, err = w.Write(text)
	return err
}

func encodeJSON(v any, indent string) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", indent)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return escapeUnsafe(b.Bytes(), func(r rune) string {
		if r <= 0xffff {
			return fmt.Sprintf(`\u%04x`, r)
		}
		high, low := utf16.EncodeRune(r)
		return fmt.Sprintf(`\u%04x\u%04x`, high, low)
	}), nil
}

// escapeUnsafe writes what unsafeRune finds as escapes: both formats have such characters in quoted strings only.
func escapeUnsafe(text []byte, escape func(rune) string) []byte {
	if bytes.IndexFunc(text, unsafeRune) < 0 {
		return text
	}
	var b bytes.Buffer
	for len(text) > 0 {
		r, n := utf8.DecodeRune(text)
		if unsafeRune(r) && r != utf8.RuneError {
			b.WriteString(escape(r))
		} else {
			b.Write(text[:n])
		}
		text = text[n:]
	}
	return b.Bytes()
}

// toYAML writes a JSON document anew. The detour keeps one set of tags and one order of fields.
func toYAML(text []byte) ([]byte, error) {
	node, err := yamlNode(json.NewDecoder(bytes.NewReader(text)))
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	e := yaml.NewEncoder(&b)
	e.SetIndent(2)
	if err := e.Encode(node); err != nil {
		return nil, err
	}
	if err := e.Close(); err != nil {
		return nil, err
	}
	return escapeUnsafe(b.Bytes(), func(r rune) string { return fmt.Sprintf(`\U%08x`, r) }), nil
}

// yamlNode reads the next JSON value.
func yamlNode(d *json.Decoder) (*yaml.Node, error) {
	d.UseNumber()
	token, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch token := token.(type) {
	case json.Delim:
		return yamlCollection(d, token)
	case string:
		return yamlString(token), nil
	case json.Number:
		return &yaml.Node{Kind: yaml.ScalarNode, Value: token.String()}, nil
	case bool:
		return &yaml.Node{Kind: yaml.ScalarNode, Value: fmt.Sprint(token)}, nil
	}
	return &yaml.Node{Kind: yaml.ScalarNode, Value: "null"}, nil
}

func yamlCollection(d *json.Decoder, open json.Delim) (*yaml.Node, error) {
	n := &yaml.Node{Kind: yaml.SequenceNode}
	if open == '{' {
		n.Kind = yaml.MappingNode
	}
	for d.More() {
		child, err := yamlNode(d)
		if err != nil {
			return nil, err
		}
		n.Content = append(n.Content, child)
	}
	if len(n.Content) == 0 {
		n.Style = yaml.FlowStyle
	}
	_, err := d.Token() // the closing bracket
	return n, err
}

// yamlString picks the style of a string: a block for text of several lines, unless that would put characters on the
// screen raw, or begin a line with what CI runners take for a command.
func yamlString(s string) *yaml.Node {
	n := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: s}
	switch {
	case strings.IndexFunc(s, unsafeRune) >= 0 || defuse(s) != s:
		n.Style = yaml.DoubleQuotedStyle
	case strings.Contains(s, "\n"):
		n.Style = yaml.LiteralStyle
	}
	return n
}
