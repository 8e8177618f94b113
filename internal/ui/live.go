package ui

import (
	"bytes"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/artifactctl/artifactctl/internal/engine"
)

// redraw is the time between two frames.
const redraw = 100 * time.Millisecond

// live is the display on a terminal. One goroutine draws; events only change what it will draw. The cursor is never
// hidden and rests below the display, so that even a killed run leaves the terminal usable.
type live struct {
	mu     sync.Mutex
	frame  *frame
	above  []string // lines that will scroll away above the display
	closed bool
	after  *plain // shows what comes after close
	now    func() time.Time

	stop sync.Once
	quit chan struct{}
	gone chan struct{} // closed when the drawing goroutine has ended

	// Of the drawing goroutine alone:
	w     io.Writer
	size  func() (columns, rows int)
	drawn []row
}

func newLive(f *frame, o Options) *live {
	return &live{frame: f, now: o.Now, w: o.Stderr, size: o.Size, after: newPlain(o, f.palette),
		quit: make(chan struct{}), gone: make(chan struct{})}
}

func startLive(f *frame, o Options) *live {
	l := newLive(f, o)
	ticker := time.NewTicker(redraw)
	go func() {
		defer ticker.Stop()
		l.loop(ticker.C)
	}()
	return l
}

func (l *live) loop(ticks <-chan time.Time) {
	defer close(l.gone)
	for {
		select {
		case <-ticks:
			l.draw(false)
		case <-l.quit:
			l.draw(true)
			return
		}
	}
}

func (l *live) event(e engine.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		l.after.event(e)
		return
	}
	l.frame.update(e, l.now())
	if e.Status == engine.Failed || l.after.verbose {
		if line := eventLine(l.frame.palette, e, l.after.verbose, ""); line != "" {
			l.above = append(l.above, l.after.safe(line))
		}
	}
}

func (l *live) log(line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		l.after.log(line)
		return
	}
	l.above = append(l.above, l.after.safe(line))
}

// close waits until the display is wiped off.
func (l *live) close() {
	l.stop.Do(func() { close(l.quit) })
	<-l.gone
}

// draw writes one frame in one piece. The last one wipes the display and lets waiting lines out, under the lock: what
// comes after must be written after. The others are written without it: an event never waits for a slow terminal.
func (l *live) draw(last bool) {
	columns, height := l.size()
	if columns <= 0 || height <= 0 {
		columns, height = 80, 24
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	above := l.above
	l.above = nil
	var rows []row
	if !last {
		rows = l.frame.rows(l.now(), columns, height)
	}
	out := repaint(l.drawn, above, rows, columns, height)
	l.drawn, l.closed = rows, last
	if len(out) == 0 {
		return
	}
	if !last {
		l.mu.Unlock()
		defer l.mu.Lock()
	}
	_, _ = l.w.Write(out) // status is a courtesy
}

// repaint returns the bytes that replace the drawn rows by lines that stay and by new rows. A terminal that became
// narrower has wrapped the drawn rows: that is counted.
func repaint(drawn []row, above []string, rows []row, columns, height int) []byte {
	if len(drawn)+len(above)+len(rows) == 0 {
		return nil
	}
	up := 0
	for _, r := range drawn {
		up += max(1, (r.width+columns-1)/columns)
	}
	var b bytes.Buffer
	if up = min(up, height-1); up > 0 {
		fmt.Fprintf(&b, "\r\x1b[%dA\x1b[J", up)
	}
	for _, line := range above {
		b.WriteString(line + "\n")
	}
	for _, r := range rows {
		b.WriteString(r.text + "\n")
	}
	return b.Bytes()
}
