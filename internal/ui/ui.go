// Package ui shows a run to people and to programs. It has two halves that never mix: status (what is happening, from
// the engine's events) goes to stderr, and results (the report) go to stdout, so that stdout can always be piped.
//
// Status has four modes. ModeTTY redraws a few lines; ModePlain writes one greppable line for each finished stage that
// did something; ModeJSON writes one JSON object a line (EventLine, LogLine), to stderr as well, so that
// `--progress json -o json` gives a stream of events on one side and one document on the other; ModeNone is silent.
//
// Results are text, JSON or YAML; the latter two are the same document, an Envelope, whose JSON Schema is generated
// from these types. In text nothing that comes from a file, a registry or a plugin reaches the terminal raw, and the
// amount is bounded.
//
// The package decides nothing about a run, knows neither exit codes nor flags, and keeps no secrets: who wires it
// hands it writers that blank them.
package ui

import (
	"io"
	"time"

	"github.com/artifactctl/artifactctl/internal/engine"
)

// Mode is how status is shown.
type Mode string

// The modes. ModeAuto is ModeTTY when stderr is a terminal that can move its cursor and this is no CI, else ModePlain.
const (
	ModeAuto  Mode = "auto"
	ModeTTY   Mode = "tty"
	ModePlain Mode = "plain"
	ModeJSON  Mode = "json"
	ModeNone  Mode = "none"
)

// Options say where and how to show things. The zero value of each optional field is a usable default.
type Options struct {
	Mode  Mode  // ModeAuto when empty
	Color Color // ColorAuto when empty

	// Stdout gets results, Stderr gets status. Both are written from more than one goroutine, never at once.
	Stdout, Stderr io.Writer
	// StdoutTerminal and StderrTerminal tell what the streams really are: the writers may be wrapped. See IsTerminal.
	StdoutTerminal, StderrTerminal bool
	// Size returns the terminal's columns and rows at this moment, zeros when unknown; nil means 80 by 24. See SizeOf.
	Size func() (columns, rows int)

	// Environ looks up environment variables, as os.LookupEnv does; nil means that none is set. It is asked for
	// NO_COLOR, CLICOLOR_FORCE, FORCE_COLOR, CLICOLOR, TERM, CI and GITHUB_ACTIONS.
	Environ func(name string) (string, bool)
	// Hide blanks secrets in a text; nil blanks nothing. The writers may do so as well, but a text that was cut to the
	// width of a line can end in half a secret, which a writer no longer knows: so it is done here before each cut.
	Hide func(text string) string
	// Verbose shows also the stages that did nothing worth telling, and how long each took.
	Verbose bool
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// UI is the status display of one run and the printer of its results. Event and Log are safe for concurrent use; the
// result printers are to be called one after the other.
type UI struct {
	status  sink
	stdout  io.Writer
	stderr  io.Writer
	palette palette // of stdout
	mode    Mode
	github  bool // a GitHub, Gitea or Forgejo runner reads the output for commands
	now     func() time.Time
	begun   time.Time
	watch   *stopwatch
	hide    func(string) string
}

// sink shows status. Its methods are called from many goroutines; event and log must not block on drawing.
type sink interface {
	event(e engine.Event)
	log(line string)
	close()
}

// New returns a UI. Close ends it.
func New(o Options) *UI {
	o = o.withDefaults()
	env := environ(o.Environ)
	u := &UI{
		stdout: o.Stdout, stderr: o.Stderr, now: o.Now, begun: o.Now(),
		mode:    o.Mode,
		hide:    o.Hide,
		watch:   newStopwatch(o.Now),
		palette: palette(env.wantsColor(o.Color, o.StdoutTerminal)),
		github:  env.github(),
	}
	if u.mode == ModeAuto {
		u.mode = env.mode(o.StderrTerminal)
	}
	colors := palette(env.wantsColor(o.Color, o.StderrTerminal))
	switch u.mode {
	case ModeTTY:
		u.status = startLive(newFrame(colors, o), o)
	case ModeJSON:
		u.status = newJSONLines(o.Stderr)
	case ModeNone:
		u.status = silent{newPlain(o, colors)}
	default:
		u.status = newPlain(o, colors)
	}
	return u
}

func (o Options) withDefaults() Options {
	if o.Mode == "" {
		o.Mode = ModeAuto
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Size == nil {
		o.Size = func() (int, int) { return 0, 0 }
	}
	if o.Hide == nil {
		o.Hide = func(text string) string { return text }
	}
	if o.Environ == nil {
		o.Environ = func(string) (string, bool) { return "", false }
	}
	return o
}

// Event takes an event of the engine. It is quick: it never waits for a redraw.
func (u *UI) Event(e engine.Event) {
	u.watch.event(e)
	e.Note = u.hide(e.Note)
	if e.Err != nil {
		e.Err = hidden{error: e.Err, text: u.hide(reason(e.Err))}
	}
	u.status.event(e)
}

// Log returns a writer for log and warning lines: they go to stderr without disturbing the display, made safe for a
// terminal. What is written is taken as whole lines; a missing newline at the end is added.
func (u *UI) Log() io.Writer { return logWriter{u.status, u.hide} }

// Close ends the status display and leaves nothing of it on the screen. A second Close does nothing. Events and log
// lines that come later are shown as plain lines.
func (u *UI) Close() { u.status.close() }
