package rpc

import (
	"io"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

const (
	maxText      = 8 << 10 // of an error or a line from a plugin
	minSecret    = 4       // shorter values would blank innocent text, and hide nothing
	minSecretRow = 16      // a line of a multi-line secret
)

var (
	escapes     = regexp.MustCompile(`\x1b(\[[0-9;?]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)?|.)`)
	secretNames = regexp.MustCompile(`(?i)(pass|pwd|secret|token|key|cred|auth|cookie|jwt|pin$)`)
)

// cleanText makes text of a plugin fit to print: valid UTF-8, without terminal escapes and control characters other than
// newlines and tabs, and not endless.
func cleanText(s string) string {
	if len(s) > maxText {
		s = s[:maxText] + "…"
	}
	s = escapes.ReplaceAllString(strings.ToValidUTF8(s, "\uFFFD"), "")
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if r != '\n' && r != '\t' && (unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r)) {
			return -1
		}
		return r
	}, s))
}

// cleanLine is cleanText on one line.
func cleanLine(s string) string {
	return strings.Join(strings.Fields(cleanText(s)), " ")
}

// redactor blanks the secrets that a plugin was given through its environment, wherever they come back.
type redactor struct{ replacer *strings.Replacer }

// newRedactor takes the child's environment. A value is a secret when the name of its variable sounds like one, or when
// it has several lines (a key, a certificate).
func newRedactor(env []string) redactor {
	var secrets []string
	for _, kv := range env {
		name, value, _ := strings.Cut(kv, "=")
		if !secretNames.MatchString(name) && !strings.Contains(value, "\n") {
			continue
		}
		if value = strings.TrimSpace(value); len(value) >= minSecret {
			secrets = append(secrets, value)
		}
		for row := range strings.Lines(value) {
			if row = strings.TrimSpace(row); len(row) >= minSecretRow && !strings.HasPrefix(row, "-----") {
				secrets = append(secrets, row)
			}
		}
	}
	// The longest first: a Replacer prefers the earlier of two that match at the same place.
	slices.SortFunc(secrets, func(a, b string) int { return len(b) - len(a) })
	pairs := make([]string, 0, 2*len(secrets))
	for _, s := range secrets {
		pairs = append(pairs, s, "***")
	}
	return redactor{replacer: strings.NewReplacer(pairs...)}
}

func (r redactor) text(s string) string { return r.replacer.Replace(cleanText(s)) }
func (r redactor) line(s string) string { return r.replacer.Replace(cleanLine(s)) }

// redactingWriter redacts what a logger writes, an entry a call.
type redactingWriter struct {
	to     io.Writer
	redact redactor
}

func (w redactingWriter) Write(p []byte) (int, error) {
	if _, err := io.WriteString(w.to, w.redact.text(string(p))+"\n"); err != nil {
		return 0, err
	}
	return len(p), nil
}
