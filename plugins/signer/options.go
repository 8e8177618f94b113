package signer

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Invalidf is an ErrInvalid with these words and, if hint is not empty, this advice (see WithHint).
func Invalidf(hint, format string, args ...any) error {
	return WithHint(fmt.Errorf("%w: %s", ErrInvalid, fmt.Sprintf(format, args...)), hint)
}

// CheckOptions refuses a with: block that has an option which is not known: the first one by name, with the known one
// that it resembles.
func CheckOptions(with map[string]any, known ...string) error {
	for _, name := range slices.Sorted(maps.Keys(with)) {
		if !slices.Contains(known, name) {
			return Invalidf(didYouMean(name, known), "unknown option %q", name)
		}
	}
	return nil
}

// didYouMean is advice for an unknown option: the known one that is nearest to it, if it is near at all.
func didYouMean(name string, known []string) string {
	best, least := "", max(2, len(name)/2)+1
	for _, k := range known {
		a, b := strings.ToLower(name), strings.ToLower(k)
		d := distance(a, b)
		if strings.HasPrefix(a, b) || strings.HasPrefix(b, a) {
			d = min(d, 1)
		}
		if d < least {
			best, least = k, d
		}
	}
	if best != "" {
		return fmt.Sprintf("did you mean %q?", best)
	}
	return "the options are: " + strings.Join(known, ", ")
}

// distance is how many characters must be inserted, removed or replaced to make b of a.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
