package ui

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Clean returns text that is safe to show on a terminal: names, messages and diffs come from files, registries and
// plugins. Control characters (and with them all escape sequences), invalid UTF-8 and characters that reorder or hide
// text are written as escapes (\x1b, \u202e). Newlines and tabs stay.
func Clean(text string) string {
	if strings.IndexFunc(text, unsafeRune) < 0 {
		return text
	}
	text = strings.ReplaceAll(text, "\r\n", "\n")
	var b strings.Builder
	for i := 0; i < len(text); {
		r, n := utf8.DecodeRuneInString(text[i:])
		b.WriteString(visible(r, text[i:i+n]))
		i += n
	}
	return b.String()
}

// cleanLine is Clean for what must stay on one line.
func cleanLine(text string) string {
	text = Clean(strings.TrimSpace(text))
	if !strings.ContainsAny(text, "\n\t") {
		return text
	}
	return strings.NewReplacer("\n", `\n`, "\t", " ").Replace(text)
}

// firstLine is the first line of a message that may have many.
func firstLine(text string) string {
	text = strings.TrimSpace(text)
	first, rest, _ := strings.Cut(text, "\n")
	first = cleanLine(first)
	if strings.TrimSpace(rest) != "" {
		first = strings.TrimSuffix(first, ":") + " …"
	}
	return first
}

func visible(r rune, raw string) string {
	switch {
	case !unsafeRune(r):
		return raw
	case r == utf8.RuneError && len(raw) == 1:
		return fmt.Sprintf(`\x%02x`, raw[0])
	case r == utf8.RuneError: // a replacement character that was in the text already
		return raw
	case r < utf8.RuneSelf:
		return fmt.Sprintf(`\x%02x`, r)
	case r <= 0xffff:
		return fmt.Sprintf(`\u%04x`, r)
	}
	return fmt.Sprintf(`\U%08x`, r)
}

// unsafeRune reports characters that steer a terminal, or show a reader another text than a program reads: controls,
// bidirectional overrides, zero-width characters, line and paragraph separators. utf8.RuneError is among them because
// it may stand for a raw byte.
func unsafeRune(r rune) bool {
	if r < utf8.RuneSelf {
		return r < ' ' && r != '\n' && r != '\t' || r == 0x7f
	}
	return r == utf8.RuneError || unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp)
}

// defuse keeps a CI runner from taking text for a command: runners of GitHub, Gitea and Forgejo obey every output line
// that begins with "::", blanks before it not counted, and "##[" anywhere.
func defuse(text string) string {
	if !strings.Contains(text, "::") && !strings.Contains(text, "##[") {
		return text
	}
	text = strings.ReplaceAll(text, "##[", `#\x23[`)
	var b strings.Builder
	for line := range strings.Lines(text) {
		rest := strings.TrimLeftFunc(line, unicode.IsSpace)
		if strings.HasPrefix(rest, "::") {
			b.WriteString(line[:len(line)-len(rest)])
			b.WriteString(`\x3a`)
			line = rest[1:]
		}
		b.WriteString(line)
	}
	return b.String()
}

// width counts the columns that text takes, rather too many than too few: what is cut by it always fits.
func width(text string) int {
	n := 0
	for _, r := range text {
		n += cells(r)
	}
	return n
}

func cells(r rune) int {
	switch {
	case r < 0x1100, r >= 0x2010 && r <= 0x2193, r >= 0x2713 && r <= 0x2718, r >= 0x2800 && r <= 0x28ff:
		return 1 // Latin and its neighbours, dashes and ellipses and arrows, check marks, the spinner
	case unicode.In(r, unicode.Mn, unicode.Me):
		return 0
	}
	return 2
}

// cut shortens text to at most n columns; what was cut is shown by an ellipsis.
func cut(text string, n int) string {
	if len(text) <= n || width(text) <= n {
		return text
	}
	if n <= 0 {
		return ""
	}
	used := 0
	for i, r := range text {
		if used+cells(r) > n-1 {
			return text[:i] + "…"
		}
		used += cells(r)
	}
	return text
}

// pad fills text with blanks up to n columns.
func pad(text string, n int) string {
	return text + strings.Repeat(" ", max(0, n-width(text)))
}
