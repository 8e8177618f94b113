package ui

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/artifactctl/artifactctl/internal/engine"
)

const (
	maxStatusLine = 500              // columns of a status line; the report has the whole message
	heartbeat     = 10 * time.Second // silence after which plain status shows that the run goes on
)

// plain writes one line for each finished stage that did something. Its lines are for grep as well:
//
//	✓ podinfo: pushed ghcr.io/org/podinfo@sha256:…
//	✗ podinfo: sign: wrong passphrase
//
// Errors of the stream are ignored: status is a courtesy.
type plain struct {
	mu      sync.Mutex
	w       io.Writer
	palette palette
	github  bool
	verbose bool
	now     func() time.Time
	last    time.Time
	begun   map[string]time.Time // by app: when its stage began
}

func newPlain(o Options, p palette) *plain {
	return &plain{w: o.Stderr, palette: p, github: environ(o.Environ).github(), verbose: o.Verbose, now: o.Now, last: o.Now(),
		begun: map[string]time.Time{}}
}

func (p *plain) event(e engine.Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	if e.Status == engine.Started {
		p.begun[e.App] = now
	}
	line := p.line(e, now)
	if line == "" && now.Sub(p.last) >= heartbeat && e.Total > 0 {
		line = fmt.Sprintf("… %d/%d apps", e.Done, e.Total)
	}
	if line != "" {
		p.last = now
		p.write(line)
	}
}

// line is what is said of e; empty for nothing.
func (p *plain) line(e engine.Event, now time.Time) string {
	took := ""
	if begun, ok := p.begun[e.App]; ok && p.verbose {
		took = "(" + seconds(now.Sub(begun)) + ")"
	}
	return eventLine(p.palette, e, p.verbose, took)
}

// eventLine is the one line that tells of e, in plain mode and above a live display; empty for nothing to tell.
func eventLine(p palette, e engine.Event, verbose bool, took string) string {
	app := p.bold(cleanLine(e.App)) + ":"
	switch {
	case e.Status == engine.Failed && e.Err != nil && interrupted(e.Err) && !verbose:
		return ""
	case e.Status == engine.Failed:
		return join(p.red("✗"), app, cut(failed(e), maxStatusLine), took)
	case e.Status == engine.Done && (verbose || !quiet(e)):
		return join(p.green("✓"), app, cut(finished(e), maxStatusLine), took)
	}
	return ""
}

func failed(e engine.Event) string {
	if e.Err == nil {
		return staged(e.Stage, "failed")
	}
	return staged(e.Stage, firstLine(reason(e.Err)))
}

func (p *plain) log(line string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.write(line)
}

func (p *plain) write(line string) {
	_, _ = io.WriteString(p.w, p.safe(line)+"\n")
}

// safe is a line that no runner takes for a command.
func (p *plain) safe(line string) string {
	if p.github {
		return defuse(line)
	}
	return line
}

func (p *plain) close() {}

// silent drops events and passes log lines on.
type silent struct{ lines *plain }

func (s silent) event(engine.Event) {}
func (s silent) log(line string)    { s.lines.log(line) }
func (s silent) close()             {}

// logWriter hands what is written to a sink, line by line.
type logWriter struct {
	to   sink
	hide func(string) string
}

func (l logWriter) Write(p []byte) (int, error) {
	for line := range strings.Lines(strings.TrimRight(l.hide(string(p)), "\n")) {
		l.to.log(Clean(strings.TrimSuffix(line, "\n")))
	}
	return len(p), nil
}
