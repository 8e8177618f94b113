// Package redact blanks secret values in what a run prints: in whole strings, and in streams where a value may be cut
// at any byte between two writes. It also knows the disguises in which a value usually turns up (base64, URL, JSON and
// Go escapes, single lines of a PEM). It does not decide what may be printed and is no excuse to print secrets: it is
// the last net under errors that came from plugins, gates and registries.
package redact

// Replacement is what is shown in place of a secret.
const Replacement = "***"

// MinLength is the shortest value, in bytes, that is blanked: shorter ones would blank half of every message.
const MinLength = 4

// Redactor blanks a fixed set of values. It is immutable, so it is safe for concurrent use; a nil *Redactor blanks
// nothing.
type Redactor struct {
	auto *automaton // nil when there is nothing to blank
}

// New returns a Redactor for these values and their usual encodings. Values shorter than MinLength, white space
// around them not counted, are ignored. Of a value with several lines each line of 12 characters or more is blanked
// by itself too, armour lines ("-----BEGIN …") excepted.
func New(secrets []string) *Redactor {
	patterns := map[string]bool{}
	for _, s := range secrets {
		for _, f := range forms(s) {
			patterns[f] = true
		}
	}
	if len(patterns) == 0 {
		return &Redactor{}
	}
	return &Redactor{auto: newAutomaton(patterns)}
}

// String returns s with every secret replaced. Secrets that overlap or touch become one Replacement.
func (r *Redactor) String(s string) string {
	if r == nil || r.auto == nil {
		return s
	}
	m := masker{auto: r.auto}
	return string(m.flush(m.feed(nil, []byte(s))))
}
