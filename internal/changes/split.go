package changes

import (
	"path"
	"strings"
)

// isYAML says whether a file may hold Kubernetes objects. JSON is YAML.
func isYAML(name string) bool {
	switch strings.ToLower(path.Ext(name)) {
	case ".yaml", ".yml", ".json":
		return true
	}
	return path.Base(name) == "Kustomization"
}

// split cuts a YAML stream into the texts of its documents, without the lines that separate them. A line that begins
// with "---" or "..." always ends a document, whatever it stands in (YAML 1.2, 9.1.2), so no parser is needed.
// Documents of comments and directives only are left out.
func split(stream string) []string {
	var docs []string
	start, pos := 0, 0
	flush := func(end int) {
		if doc := stream[start:end]; hasContent(doc) {
			docs = append(docs, doc)
		}
	}
	for pos < len(stream) {
		next := len(stream)
		if i := strings.IndexByte(stream[pos:], '\n'); i >= 0 {
			next = pos + i + 1
		}
		if rest, ok := marker(stream[pos:next]); ok {
			flush(pos)
			start = next
			if rest { // "--- {a: b}": the document begins on the line of its marker
				start = pos
			}
		}
		pos = next
	}
	flush(len(stream))
	return docs
}

// marker says whether a line is a document marker, and whether more than a comment follows on it.
func marker(line string) (content, ok bool) {
	if !strings.HasPrefix(line, "---") && !strings.HasPrefix(line, "...") {
		return false, false
	}
	rest := line[3:]
	if trimmed := strings.TrimSpace(rest); trimmed == "" || trimmed[0] == '#' {
		return false, rest == "" || strings.ContainsRune(" \t\r\n", rune(rest[0]))
	}
	return true, line[0] == '-' && (rest[0] == ' ' || rest[0] == '\t')
}

// hasContent says whether a document has a line that is neither blank, nor a comment, nor a directive.
func hasContent(doc string) bool {
	for line := range strings.Lines(doc) {
		trimmed := strings.TrimSpace(strings.TrimPrefix(line, "\ufeff"))
		if trimmed != "" && trimmed[0] != '#' && line[0] != '%' {
			return true
		}
	}
	return false
}
