package finding

import (
	"fmt"
	"strings"
	"unicode"
)

// Clean makes words of others fit to be shown: valid UTF-8, without escape sequences of terminals, carriage returns and
// other control characters.
func Clean(text string) string {
	var b strings.Builder
	runes := []rune(strings.ToValidUTF8(text, "\uFFFD"))
	for i := 0; i < len(runes); i++ {
		switch r := runes[i]; {
		case r == '\x1b':
			i = escapeEnd(runes, i)
		case r == '\n' || r == '\t' || !unicode.IsControl(r):
			b.WriteRune(r)
		}
	}
	return strings.TrimRight(b.String(), " \t\n")
}

// escapeEnd returns the index of the last rune of the escape sequence that begins at i (ECMA-48: CSI, or OSC up to BEL
// or ST, or one more character).
func escapeEnd(runes []rune, i int) int {
	if i+1 == len(runes) {
		return i
	}
	switch runes[i+1] {
	case '[':
		for j := i + 2; j < len(runes); j++ {
			if runes[j] >= 0x40 && runes[j] <= 0x7e {
				return j
			}
		}
		return len(runes)
	case ']':
		for j := i + 2; j < len(runes); j++ {
			if runes[j] == '\a' || runes[j] == '\\' && runes[j-1] == '\x1b' {
				return j
			}
		}
		return len(runes)
	}
	return i + 1
}

// Lines returns findings as text, one line each, of the form
//
//	app/manifests.yaml:12: error: Deployment/web/api: message (gate: rule)
//
// Further lines of a message, and the hint, follow with two spaces before them.
func Lines(findings []Finding) string {
	var b strings.Builder
	for _, f := range findings {
		first, rest, more := strings.Cut(f.Message, "\n")
		fmt.Fprintf(&b, "%s%s: %s%s (%s)\n", f.place(), f.Severity, f.subject(), first, f.Title(": "))
		if more {
			for line := range strings.Lines(rest) {
				b.WriteString(strings.TrimRight("  "+strings.TrimSuffix(line, "\n"), " ") + "\n")
			}
		}
		if f.Hint != "" {
			fmt.Fprintf(&b, "  hint: %s\n", f.Hint)
		}
	}
	return b.String()
}

// place returns "app/file:line: " as far as it is known.
func (f Finding) place() string {
	place := f.App
	if f.File != "" {
		place += "/" + f.File
		if f.Line > 0 {
			place += fmt.Sprintf(":%d", f.Line)
		}
	}
	if place == "" {
		return ""
	}
	return place + ": "
}

// subject returns "Kind/namespace/name: ", or nothing.
func (f Finding) subject() string {
	if f.Object == "" {
		return ""
	}
	return f.Object + ": "
}

// Title returns the name of the gate, with that of the rule when there is one.
func (f Finding) Title(separator string) string {
	if f.Rule == "" {
		return f.Gate
	}
	return f.Gate + separator + f.Rule
}

// Summary returns what is said, with the place in the artifact and the hint, for formats that have no room for them.
func (f Finding) Summary() string {
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
