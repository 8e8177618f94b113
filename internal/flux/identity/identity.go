// Package identity deals with the regular expressions by which Flux knows who signed: it writes them from exact values,
// and says how much more than one identity an expression lets in. It checks no signature.
package identity

import (
	"regexp"
	"regexp/syntax"
	"strings"
)

// Exact returns the expression that matches exactly this text.
func Exact(text string) string { return "^" + regexp.QuoteMeta(text) + "$" }

// Anchor returns an expression that matches only whole texts: pattern itself when it does so already. Flux searches
// anywhere in the text.
func Anchor(pattern string) string {
	head, tail := Anchored(pattern)
	if (!head || !tail) && strings.Contains(pattern, "|") {
		return "^(?:" + pattern + ")$"
	}
	if !head {
		pattern = "^" + pattern
	}
	if !tail {
		pattern += "$"
	}
	return pattern
}

// Anchored reports whether every way to match begins at the beginning of the text, and ends at its end.
func Anchored(pattern string) (head, tail bool) {
	re, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return false, false
	}
	re = re.Simplify()
	return anchored(re, syntax.OpBeginText, false), anchored(re, syntax.OpEndText, true)
}

// anchored looks at the first part of a concatenation, or the last, in every alternative.
func anchored(re *syntax.Regexp, op syntax.Op, last bool) bool {
	switch re.Op {
	case op:
		return op == syntax.OpBeginText || re.Flags&syntax.WasDollar == 0 || re.Flags&syntax.OneLine != 0
	case syntax.OpCapture:
		return anchored(re.Sub[0], op, last)
	case syntax.OpConcat:
		i := 0
		if last {
			i = len(re.Sub) - 1
		}
		return anchored(re.Sub[i], op, last)
	case syntax.OpAlternate:
		for _, sub := range re.Sub {
			if !anchored(sub, op, last) {
				return false
			}
		}
		return true
	}
	return false
}

// LooseDots returns the dots of a pattern that stand for any one character although letters or digits stand on both sides, as in
// a host name or a file name: they were meant as dots.
func LooseDots(pattern string) bool {
	return looseDot.MatchString(escaped.ReplaceAllString(pattern, "__"))
}

var (
	escaped  = regexp.MustCompile(`\\.|\[[^\]]*\]`)
	looseDot = regexp.MustCompile(`[A-Za-z0-9]\.[A-Za-z0-9]`)
)

// Block returns the verify block for an identity, given by expressions, ready to paste below the spec of an
// OCIRepository. trustedRoot is the Secret of a private Sigstore, or empty.
func Block(issuer, subject, trustedRoot string) string {
	block := "verify:\n  provider: cosign\n  matchOIDCIdentity:\n    - issuer: " + quote(issuer) + "\n      subject: " + quote(subject) + "\n"
	if trustedRoot != "" {
		block += "  trustedRootSecretRef:\n    name: " + trustedRoot + "\n"
	}
	return block
}

// quote writes a single-quoted YAML scalar, in which only the quote itself is special.
func quote(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }
