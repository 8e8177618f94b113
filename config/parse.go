package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// maxFile bounds publish.yaml.
const maxFile = 1 << 20

var syntaxLine = regexp.MustCompile(`^(?:yaml: )?(?:line (\d+): )?(.*)$`)

// parse reads one YAML document. It returns nil when it has added a problem.
func parse(file string, data []byte, ps *problems) *yaml.Node {
	data = bytes.TrimPrefix(data, []byte("\uFEFF"))
	if p, ok := notText(data); ok {
		p.File = file
		ps.add(p)
		return nil
	}
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var doc, second yaml.Node
	err := decoder.Decode(&doc)
	if errors.Is(err, io.EOF) || err == nil && isNull(doc.Content[0]) {
		ps.add(Problem{File: file, Line: 1, Column: 1, Message: "the file is empty", Hint: "artifactctl init writes a file to start from"})
		return nil
	}
	if err == nil {
		if err = decoder.Decode(&second); errors.Is(err, io.EOF) {
			return doc.Content[0]
		}
	}
	if err != nil {
		ps.add(syntaxProblem(file, data, err))
		return nil
	}
	ps.add(Problem{
		File: file, Line: max(second.Line, 1), Column: max(second.Column, 1), Message: "there is a second YAML document",
		Hint: "keep one document in the file, and remove the --- line",
	})
	return nil
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }

// notText finds what no text file holds: bytes that are not UTF-8, and control characters.
func notText(data []byte) (Problem, bool) {
	line, column := 1, 1
	for len(data) > 0 {
		r, size := utf8.DecodeRune(data)
		p := Problem{Line: line, Column: column}
		switch {
		case r == utf8.RuneError && size <= 1:
			p.Message, p.Hint = "the file is not UTF-8 text", "save it as UTF-8"
			return p, true
		case r < ' ' && r != '\n' && r != '\t' && r != '\r' || r >= 0x7f && r <= 0x9f && r != 0x85:
			p.Message = fmt.Sprintf("there is a control character, %U", r)
			return p, true
		}
		column++
		if r == '\n' {
			line, column = line+1, 1
		}
		data = data[size:]
	}
	return Problem{}, false
}

// syntaxProblem places an error of the YAML parser, which knows a line at most.
func syntaxProblem(file string, data []byte, err error) Problem {
	m := syntaxLine.FindStringSubmatch(err.Error())
	p := Problem{File: file, Line: 1, Column: 1, Message: "not valid YAML: " + m[2]}
	lines := strings.Split(string(data), "\n")
	if anchor, ok := strings.CutPrefix(m[2], "unknown anchor '"); ok {
		name, _, _ := strings.Cut(anchor, "'")
		for i, text := range lines {
			if column := strings.Index(text, "*"+name); column >= 0 {
				p.Line, p.Column = i+1, column+1
				return p
			}
		}
	}
	if n, atoiErr := strconv.Atoi(m[1]); atoiErr == nil {
		p.Line = min(max(n, 1), len(lines))
		text := lines[p.Line-1]
		p.Column = 1 + len(text) - len(strings.TrimLeft(text, " \t"))
	}
	if strings.Contains(m[2], "cannot start any token") && strings.Contains(lines[p.Line-1], "\t") {
		p.Hint = "indent with spaces, not with tabs"
	}
	return p
}
