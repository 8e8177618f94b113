package ui

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/artifactctl/artifactctl/internal/engine"
)

// maxInFlight is how many apps in flight are shown; more would flicker and tell nobody anything.
const maxInFlight = 6

// frame is what a live display knows of the run, and how it looks.
type frame struct {
	palette palette
	begun   time.Time
	done    int64
	total   int64
	failed  int
	step    int // of the spinner
	flights []flight
}

// flight is an app that is being worked on.
type flight struct {
	app   string
	stage engine.Stage
	note  string
	since time.Time
}

// row is a line of the display. Its width is known because the escape codes in text have none.
type row struct {
	text  string
	width int
}

func newFrame(p palette, o Options) *frame { return &frame{palette: p, begun: o.Now()} }

func (f *frame) update(e engine.Event, now time.Time) {
	f.done, f.total = e.Done, e.Total
	f.flights = slices.DeleteFunc(f.flights, func(x flight) bool { return x.app == e.App })
	switch e.Status {
	case engine.Started:
		f.flights = append(f.flights, flight{app: e.App, stage: e.Stage, note: e.Note, since: now})
	case engine.Failed:
		if !interrupted(e.Err) {
			f.failed++
		}
	}
}

// rows draws the frame for a terminal of this size. No row is as wide as the terminal: a full row wraps on some.
func (f *frame) rows(now time.Time, columns, height int) []row {
	if f.total == 0 {
		return nil
	}
	f.step++
	rows := []row{f.head(now, columns-1)}
	shown := max(0, min(maxInFlight, height-3, len(f.flights)))
	names := 0
	for _, x := range f.flights[:shown] {
		names = max(names, min(width(cleanLine(x.app)), columns/2))
	}
	for _, x := range f.flights[:shown] {
		rows = append(rows, fit(columns-1,
			span{"  ", nil}, span{pad(cut(cleanLine(x.app), names), names), f.palette.bold},
			span{"  " + pad(cleanLine(string(x.stage)), 7), f.palette.cyan},
			span{" " + seconds(now.Sub(x.since)), f.palette.dim},
			span{" " + cleanLine(x.note), f.palette.dim}))
	}
	if rest := len(f.flights) - shown; rest > 0 && shown > 0 {
		rows = append(rows, fit(columns-1, span{fmt.Sprintf("  … and %d more", rest), f.palette.dim}))
	}
	return rows
}

func (f *frame) head(now time.Time, columns int) row {
	const spinner = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
	steps := []rune(spinner)
	spans := []span{
		{string(steps[f.step%len(steps)]), f.palette.cyan},
		{fmt.Sprintf(" %d/%d apps", f.done, f.total), nil},
	}
	if f.failed > 0 {
		spans = append(spans, span{fmt.Sprintf("  %d failed", f.failed), f.palette.red})
	}
	return fit(columns, append(spans, span{"  " + seconds(now.Sub(f.begun)), f.palette.dim})...)
}

// span is a piece of a row and its paint; nil for none.
type span struct {
	text  string
	paint func(string) string
}

// fit joins spans and cuts them off at so many columns.
func fit(columns int, spans ...span) row {
	var b strings.Builder
	used := 0
	for _, s := range spans {
		text := cut(s.text, columns-used)
		used += width(text)
		if s.paint != nil {
			b.WriteString(s.paint(text))
		} else {
			b.WriteString(text)
		}
		if text != s.text {
			break
		}
	}
	return row{text: strings.TrimRight(b.String(), " "), width: used}
}
