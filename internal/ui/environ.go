package ui

import (
	"io"
	"os"

	"golang.org/x/term"
)

// Color is when output is coloured.
type Color string

// The choices. ColorAuto colours a terminal; NO_COLOR turns that off, CLICOLOR_FORCE and FORCE_COLOR turn it on for
// pipes too (no-color.org, bixense.com/clicolors, force-color.org). NO_COLOR wins.
const (
	ColorAuto   Color = "auto"
	ColorAlways Color = "always"
	ColorNever  Color = "never"
)

// environ looks up environment variables.
type environ func(name string) (string, bool)

// isSet reports whether a variable is there and does not say no.
func (e environ) isSet(name string) bool {
	value, ok := e(name)
	return ok && value != "" && value != "0" && value != "false"
}

// github reports a runner of GitHub Actions, or of Gitea or Forgejo, which set the same variable.
func (e environ) github() bool { return e.isSet("GITHUB_ACTIONS") }

func (e environ) wantsColor(choice Color, terminal bool) bool {
	switch choice {
	case ColorAlways:
		return true
	case ColorNever:
		return false
	}
	noColor, _ := e("NO_COLOR") // any value counts, "0" too
	switch {
	case noColor != "":
		return false
	case e.isSet("CLICOLOR_FORCE"), e.isSet("FORCE_COLOR"):
		return true
	}
	cliColor, _ := e("CLICOLOR")
	return terminal && !e.dumb() && cliColor != "0"
}

func (e environ) mode(terminal bool) Mode {
	if terminal && !e.dumb() && !e.isSet("CI") && !e.github() {
		return ModeTTY
	}
	return ModePlain
}

func (e environ) dumb() bool {
	value, _ := e("TERM")
	return value == "dumb"
}

// IsTerminal reports whether stream is a terminal. Only an *os.File can be one.
func IsTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// SizeOf returns a function for Options.Size that asks the terminal behind w each time.
func SizeOf(w io.Writer) func() (columns, rows int) {
	return func() (int, int) {
		f, ok := w.(*os.File)
		if !ok {
			return 0, 0
		}
		columns, rows, err := term.GetSize(int(f.Fd()))
		if err != nil {
			return 0, 0
		}
		return columns, rows
	}
}
