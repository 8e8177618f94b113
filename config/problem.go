package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Problem is one thing that is wrong, or for a warning doubtful, in the configuration.
type Problem struct {
	File    string `json:"file"`             // the file, variable or flag that holds the value
	Line    int    `json:"line,omitempty"`   // from 1; 0 when the place has no lines
	Column  int    `json:"column,omitempty"` // from 1, in characters
	Path    string `json:"path,omitempty"`   // apps[1].repository
	Message string `json:"message"`          // never holds a secret
	Hint    string `json:"hint,omitempty"`   // how to put it right; may be empty
}

// String gives the problem as one line, `file:line:col: path: message`, without its hint.
func (p Problem) String() string {
	var b strings.Builder
	b.WriteString(p.File)
	if p.Line > 0 {
		fmt.Fprintf(&b, ":%d:%d", p.Line, p.Column)
	}
	b.WriteString(": ")
	if p.Path != "" {
		b.WriteString(p.Path + ": ")
	}
	b.WriteString(p.Message)
	return b.String()
}

// Invalid is the error of a configuration that cannot be used. It holds every problem, sorted by position; those of
// variables and flags come last. It is always a pointer in an error chain.
type Invalid struct{ Problems []Problem }

// Error gives one line for each problem.
func (e *Invalid) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// Hint gives the hints of all problems, one a line, none twice.
func (e *Invalid) Hint() string {
	var hints []string
	for _, p := range e.Problems {
		if p.Hint != "" && !slices.Contains(hints, p.Hint) {
			hints = append(hints, p.Hint)
		}
	}
	return strings.Join(hints, "\n")
}

// maxProblems bounds a report: nobody reads more, and a hostile file could hold a million.
const maxProblems = 1000

// problems collects. Each place and message counts once, however many environments meet it.
type problems struct {
	list []Problem
	seen map[Problem]bool
	more bool // than maxProblems
}

func (ps *problems) add(p Problem) {
	if ps.seen == nil {
		ps.seen = map[Problem]bool{}
	}
	switch {
	case len(ps.list) == maxProblems:
		ps.more = true
	case !ps.seen[p]:
		ps.seen[p] = true
		ps.list = append(ps.list, p)
	}
}

// err returns all problems as an error, or nil.
func (ps *problems) err() error {
	if len(ps.list) == 0 {
		return nil
	}
	slices.SortStableFunc(ps.list, compareProblems)
	list := ps.list
	if ps.more {
		list = append(list, Problem{File: list[0].File, Message: fmt.Sprintf("there are more than these %d problems", maxProblems)})
	}
	return &Invalid{Problems: list}
}

func compareProblems(a, b Problem) int {
	return cmp.Or(
		cmp.Compare(min(b.Line, 1), min(a.Line, 1)),
		cmp.Compare(a.Line, b.Line),
		cmp.Compare(a.Column, b.Column),
		cmp.Compare(a.Path, b.Path),
	)
}
