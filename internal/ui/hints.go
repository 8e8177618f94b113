package ui

import "errors"

// maxHints bounds the advice shown for one error.
const maxHints = 5

// Hints returns what the errors in err's tree advise, outermost first, each once. An error gives a hint by a method
// `Hint() string`; joined errors are all asked.
func Hints(err error) []string {
	var hints []string
	seen := map[string]bool{}
	walk(err, func(e error) {
		h, ok := e.(interface{ Hint() string })
		if !ok || len(hints) == maxHints {
			return
		}
		if text := h.Hint(); text != "" && !seen[text] {
			seen[text] = true
			hints = append(hints, text)
		}
	})
	return hints
}

func walk(err error, visit func(error)) {
	if err == nil {
		return
	}
	visit(err)
	if many, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range many.Unwrap() {
			walk(e, visit)
		}
		return
	}
	walk(errors.Unwrap(err), visit)
}
