package pins

import (
	"bytes"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/artifactctl/artifactctl/internal/flux/manifest"
)

// planner collects the changes of one ref. After an error it plans nothing more.
type planner struct {
	object  manifest.Object
	found   Found
	ref     *yaml.Node
	changes []Change
	splices []splice
	err     error
}

// pair returns key and value of a field of the ref.
func (p *planner) pair(field string) (key, value *yaml.Node) {
	for i := 0; i+1 < len(p.ref.Content); i += 2 {
		if p.ref.Content[i].Value == field {
			return p.ref.Content[i], p.ref.Content[i+1]
		}
	}
	return nil, nil
}

func (p *planner) has(field string) bool {
	if p.err != nil {
		return false
	}
	value, err := direct(p.ref, field)
	if err != nil {
		p.err = err
	}
	return value != nil && !manifest.IsNull(value) && value.Value != ""
}

// set changes the value of a field that is there.
func (p *planner) set(field, to string) {
	_, value := p.pair(field)
	if p.err != nil || value.Value == to {
		return
	}
	p.replace(value, to)
	p.note(value, field, value.Value, to)
}

// rename changes key and value of a field.
func (p *planner) rename(field, name, to string) {
	key, value := p.pair(field)
	if p.err != nil {
		return
	}
	p.replace(key, name)
	p.replace(value, to)
	p.note(value, name, value.Value, to)
}

func (p *planner) note(at *yaml.Node, field, from, to string) {
	p.changes = append(p.changes, Change{
		File: p.object.File, Line: p.object.LineOf(at), Object: p.found.Object, Repository: p.found.Repository, Field: field, From: from, To: to,
	})
}

// replace changes the text of a scalar, keeping its quotes.
func (p *planner) replace(n *yaml.Node, to string) {
	start, end, quote, err := p.extent(n)
	if err != nil {
		p.err = err
		return
	}
	if quote == "" && !isString(to) {
		quote = `"`
	}
	p.splices = append(p.splices, splice{start, end, quote + to + quote})
}

// extent returns where in the file a scalar stands, quotes included. It is sure, or an error: the text there must be the
// value itself, without escapes.
func (p *planner) extent(n *yaml.Node) (start, end int, quote string, err error) {
	if err := plain(n); err != nil {
		return 0, 0, "", err
	}
	switch n.Style {
	case 0:
	case yaml.SingleQuotedStyle:
		quote = "'"
	case yaml.DoubleQuotedStyle:
		quote = `"`
	default:
		return 0, 0, "", errUnsafe("its ref is written as a block or with a tag (!!): change it by hand")
	}
	text := quote + n.Value + quote
	at, ok := p.object.Document.Offset(n)
	if !ok || !bytes.HasPrefix(p.object.Document.Text[at:], []byte(text)) {
		return 0, 0, "", errUnsafe("its ref is written with escapes or over several lines: change it by hand")
	}
	start = p.object.Document.Start + at
	return start, start + len(text), quote, nil
}

// insert adds a field before another one of the same ref: on a line of its own, or in the braces.
func (p *planner) insert(field, value, before string) {
	key, old := p.pair(before)
	if empty, _ := p.pair(field); p.err == nil && (key == nil || empty != nil) {
		p.err = errUnsafe("its ref has an empty " + field + " or no " + before + ": change it by hand")
	}
	if p.err != nil {
		return
	}
	start, _, quote, err := p.extent(key)
	if err != nil {
		p.err = err
		return
	}
	separator := ", "
	if p.ref.Style&yaml.FlowStyle == 0 {
		content, line := p.object.Document.Text, start-p.object.Document.Start
		begin := bytes.LastIndexByte(content[:line], '\n') + 1
		indent := string(content[begin:line])
		if strings.Trim(indent, " ") != "" {
			p.err = errUnsafe("its ref begins on a line with something else: change it by hand")
			return
		}
		separator = lineEnd(content[line:]) + indent
	}
	p.splices = append(p.splices, splice{start, start, quote + field + quote + ": " + flowSafe(value, quote) + separator})
	p.note(old, field, "", value)
}

// flowSafe quotes a value as its neighbours are quoted: JSON is YAML, too.
func flowSafe(value, quote string) string {
	if quote == `"` {
		return quote + value + quote
	}
	return value
}

// lineEnd returns how the line at the beginning of text ends.
func lineEnd(text []byte) string {
	if i := bytes.IndexByte(text, '\n'); i > 0 && text[i-1] == '\r' {
		return "\r\n"
	}
	return "\n"
}

// isString reports whether a plain scalar would be read as a string, and not as a number such as 1.10.
func isString(value string) bool {
	var n yaml.Node
	if yaml.Unmarshal([]byte(value), &n) != nil || len(n.Content) != 1 {
		return false
	}
	return n.Content[0].Kind == yaml.ScalarNode && n.Content[0].ShortTag() == "!!str"
}
