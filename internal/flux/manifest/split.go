package manifest

import (
	"bytes"
)

// part is the text of one document.
type part struct {
	line, start int
	text        []byte
}

// split cuts a stream into documents. A line that begins with "---" or "..." always ends a document, whatever it stands
// in (YAML 1.2, 9.1.2), so no parser is needed. Documents of comments and directives only are left out.
func split(stream []byte) []part {
	var parts []part
	line, start, startLine := 1, 0, 1
	flush := func(end int) {
		if text := stream[start:end]; hasContent(text) {
			parts = append(parts, part{line: startLine, start: start, text: text})
		}
	}
	for pos := 0; pos < len(stream); line++ {
		next := len(stream)
		if i := bytes.IndexByte(stream[pos:], '\n'); i >= 0 {
			next = pos + i + 1
		}
		if content, ok := marker(stream[pos:next]); ok {
			flush(pos)
			start, startLine = next, line+1
			if content { // "--- {a: b}": the document begins on the line of its marker
				start, startLine = pos, line
			}
		}
		pos = next
	}
	flush(len(stream))
	return parts
}

// marker says whether a line is a document marker, and whether more than a comment follows on it.
func marker(line []byte) (content, ok bool) {
	if !bytes.HasPrefix(line, []byte("---")) && !bytes.HasPrefix(line, []byte("...")) {
		return false, false
	}
	rest := line[3:]
	if len(rest) > 0 && !bytes.ContainsAny(rest[:1], " \t\r\n") {
		return false, false
	}
	trimmed := bytes.TrimSpace(rest)
	return line[0] == '-' && len(trimmed) > 0 && trimmed[0] != '#', true
}

// hasContent says whether a document has a line that is neither blank, nor a comment, nor a directive.
func hasContent(doc []byte) bool {
	for line := range bytes.Lines(doc) {
		trimmed := bytes.TrimSpace(bytes.TrimPrefix(line, []byte("\ufeff")))
		if len(trimmed) > 0 && trimmed[0] != '#' && line[0] != '%' {
			return true
		}
	}
	return false
}
