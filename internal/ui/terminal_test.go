package ui

import (
	"strconv"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"
)

// terminal is a small model of a terminal that reflows: what it shows is a list of lines, wrapped at its width.
// It knows the sequences that the display uses and fails the test at any other.
type terminal struct {
	t       *testing.T
	mu      sync.Mutex
	columns int
	rows    int
	lines   []string // logical lines; the cursor is always at the start of a row
	writes  int
}

func newTerminal(t *testing.T, columns, rows int) *terminal {
	return &terminal{t: t, columns: columns, rows: rows, lines: []string{""}}
}

func (x *terminal) size() (int, int) {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.columns, x.rows
}

func (x *terminal) resize(columns, rows int) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.columns, x.rows = columns, rows
}

func (x *terminal) Write(p []byte) (int, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.writes++
	for s := string(p); s != ""; {
		s = x.step(s)
	}
	return len(p), nil
}

func (x *terminal) step(s string) string {
	if rest, ok := strings.CutPrefix(s, "\x1b["); ok {
		i := strings.IndexFunc(rest, func(r rune) bool { return r >= '@' })
		n, _ := strconv.Atoi(rest[:i])
		switch rest[i] {
		case 'A':
			x.up(n)
		case 'J':
			x.lines[len(x.lines)-1] = "" // up has removed all below
		case 'm':
		default:
			x.t.Errorf("unexpected sequence %q", rest[:i+1])
		}
		return rest[i+1:]
	}
	r, n := utf8.DecodeRuneInString(s)
	switch r {
	case '\n':
		x.lines = append(x.lines, "")
	case '\r':
	default:
		x.lines[len(x.lines)-1] += s[:n]
	}
	return s[n:]
}

// up moves the cursor n rows up, as rows are at the present width, and forgets what is below: the display always
// erases it. The cursor is in the first column of an empty last line.
func (x *terminal) up(n int) {
	for ; n > 0 && len(x.lines) > 1; n-- {
		last := len(x.lines) - 2
		taken := max(1, (width(x.lines[last])+x.columns-1)/x.columns)
		if taken > n { // the cursor stops inside a wrapped line: its beginning stays
			x.lines[last] = x.lines[last][:x.columns*(taken-n)]
			x.lines = append(x.lines[:last+1], "")
			return
		}
		n -= taken - 1
		x.lines = append(x.lines[:last], "")
	}
}

func (x *terminal) screen() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	return strings.Join(x.lines, "\n")
}
