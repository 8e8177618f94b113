package finding

import (
	"fmt"
	"strings"
)

// maxAnnotation is how many bytes of a message an annotation gets: GitHub shows no more than that.
const maxAnnotation = 4 << 10

// Annotations returns findings as workflow commands of GitHub Actions, one line each. Where a finding has a place in the
// repository, that is annotated; the line of the rendered file is in the text.
func Annotations(findings []Finding) string {
	var b strings.Builder
	for _, f := range findings {
		var properties []string
		if f.Source != "" {
			properties = append(properties, "file="+escapeProperty(f.Source))
			if f.SourceLine > 0 {
				properties = append(properties, fmt.Sprintf("line=%d", f.SourceLine))
			}
		}
		title := f.rule(": ")
		if f.App != "" {
			title = f.App + ": " + title
		}
		properties = append(properties, "title="+escapeProperty(title))
		text := f.summary()
		if len(text) > maxAnnotation {
			text = strings.ToValidUTF8(text[:maxAnnotation], "") + "…"
		}
		fmt.Fprintf(&b, "::%s %s::%s\n", f.Severity, strings.Join(properties, ","), escapeData(text))
	}
	return b.String()
}

// summary returns what is said, with the place in the artifact and the hint, for formats that have no room for them.
func (f Finding) summary() string {
	text := f.subject() + f.Message
	if f.File != "" && (f.SourceLine == 0 || f.SourceLine != f.Line) {
		place := f.File
		if f.Line > 0 {
			place += fmt.Sprintf(":%d", f.Line)
		}
		text = place + ": " + text
	}
	if f.Hint != "" {
		text += "\nhint: " + f.Hint
	}
	return text
}

// escapeData and escapeProperty follow GitHub's actions/toolkit, packages/core/src/command.ts.
func escapeData(s string) string {
	return strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A").Replace(s)
}

func escapeProperty(s string) string {
	return strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C").Replace(s)
}
