package config

import (
	"fmt"
	"regexp"
	"strings"
)

// variableName is what a variable of the environment may be called.
var variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// unsetVariable is the error of ${NAME} without a default, when NAME is not set.
type unsetVariable struct{ name string }

func (e unsetVariable) Error() string { return fmt.Sprintf("the variable %s is not set", e.name) }

// interpolate replaces ${NAME} and ${NAME:-default} (the default counts for an empty variable, too, as in a shell), and
// writes $${ as ${. It is not recursive: values and defaults are taken as they are.
func interpolate(text string, lookup func(string) (string, bool)) (string, error) {
	var b strings.Builder
	for {
		i := strings.Index(text, "${")
		if i < 0 {
			b.WriteString(text)
			return b.String(), nil
		}
		if i > 0 && text[i-1] == '$' {
			b.WriteString(text[:i-1] + "${")
			text = text[i+2:]
			continue
		}
		b.WriteString(text[:i])
		inner, rest, closed := strings.Cut(text[i+2:], "}")
		if !closed {
			return "", fmt.Errorf("${ is never closed")
		}
		value, err := substitute(inner, lookup)
		if err != nil {
			return "", err
		}
		b.WriteString(value)
		text = rest
	}
}

// substitute resolves what stands between ${ and }.
func substitute(inner string, lookup func(string) (string, bool)) (string, error) {
	name, fallback, hasFallback := strings.Cut(inner, ":-")
	if !variableName.MatchString(name) {
		return "", fmt.Errorf("${…} does not hold the name of a variable, or NAME:-default")
	}
	if strings.Contains(fallback, "${") {
		return "", fmt.Errorf("${%s:-…} holds another ${", name)
	}
	value, set := lookup(name)
	switch {
	case hasFallback && value == "":
		return fallback, nil
	case !set:
		return "", unsetVariable{name}
	}
	return value, nil
}
