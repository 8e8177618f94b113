package ui

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/artifactctl/artifactctl/internal/engine"
)

// begin makes a display on a model terminal that draws when the test says so. end closes it as a run does.
func begin(x *terminal) (l *live, tick, end func()) {
	c := &clock{now: time.Unix(0, 0)}
	o := Options{Stderr: x, Size: x.size, Now: c.Now}.withDefaults()
	l = newLive(newFrame(false, o), o)
	tick = func() {
		c.now = c.now.Add(time.Second)
		l.draw(false)
	}
	end = func() {
		go l.loop(nil)
		l.close()
	}
	return l, tick, end
}

func TestLive(t *testing.T) {
	x := newTerminal(t, 60, 24)
	l, tick, end := begin(x)
	var script strings.Builder
	snap := func(title string) {
		tick()
		fmt.Fprintf(&script, "-- %s --\n%s", title, x.screen())
	}
	snap("before anything happened")
	list := events()
	for _, e := range list[:2] {
		l.event(e)
	}
	snap("two apps in flight")
	for _, e := range list[2:12] {
		l.event(e)
	}
	l.log("level=WARN msg=\"slow registry\"")
	snap("a log line above, one app in flight")
	for _, e := range list[12:] {
		l.event(e)
	}
	snap("a failure above")
	for i := range 9 {
		l.event(engine.Event{App: fmt.Sprint("app-", i), Stage: engine.StagePush, Status: engine.Started, Note: "attempt 2", Done: 3, Total: 12})
	}
	snap("more in flight than are shown")
	end()
	fmt.Fprintf(&script, "-- closed --\n%s", x.screen())
	l.event(list[12])
	l.log("late")
	fmt.Fprintf(&script, "-- after --\n%s", x.screen())
	golden(t, "live.txt", script.String())
}

// However the terminal is resized between frames, only the lines that were meant to stay are left in the end.
func TestLiveLeavesNothing(t *testing.T) {
	sizes := [][2]int{{80, 24}, {40, 24}, {80, 24}, {20, 24}, {7, 24}, {2, 24}, {1, 40}, {200, 5}, {200, 3}, {80, 24}}
	x := newTerminal(t, 80, 24)
	l, tick, end := begin(x)
	for i, s := range sizes {
		x.resize(s[0], 100) // rows apart: a display that has scrolled off the top cannot be erased by anybody
		l.event(engine.Event{App: fmt.Sprintf("an-app-with-a-long-name-%d", i), Stage: engine.StageRender, Status: engine.Started, Total: 20,
			Note: "漢字 and a long note that does not fit any terminal of the world, whatever its width may be at that time"})
		tick()
	}
	l.event(engine.Event{App: "broken", Stage: engine.StagePush, Status: engine.Failed, Total: 20})
	end()
	if got, want := x.screen(), "✗ broken: push: failed\n"; got != want {
		t.Errorf("left on the screen:\n%q, want %q", got, want)
	}
}

func TestFrameFitsTheTerminal(t *testing.T) {
	for _, columns := range []int{1, 2, 3, 5, 8, 13, 21, 34, 55, 89} {
		for _, height := range []int{1, 2, 3, 4, 6, 12} {
			f := newFrame(true, Options{Now: time.Now})
			for i := range 9 {
				f.update(engine.Event{App: fmt.Sprintf("漢字-%d-%s", i, hostile), Stage: engine.StageRender, Status: engine.Started,
					Note: hostile, Done: 1000, Total: 2000}, time.Time{})
			}
			rows := f.rows(time.Time{}, columns, height)
			if len(rows) > max(1, height-1) {
				t.Fatalf("%d rows on a terminal of %d", len(rows), height)
			}
			for _, r := range rows {
				if r.width >= columns && r.width > 0 || strings.Contains(r.text, "\n") {
					t.Fatalf("%d columns: row %q takes %d", columns, r.text, r.width)
				}
			}
		}
	}
}

// An event must not wait for the terminal: here the terminal does not take a byte until all events are in.
func TestEventsDoNotWaitForTheTerminal(t *testing.T) {
	stuck := &stuckWriter{entered: make(chan struct{}), release: make(chan struct{})}
	o := Options{Stderr: stuck, Now: time.Now}.withDefaults()
	l := newLive(newFrame(false, o), o)
	ticks := make(chan time.Time)
	go l.loop(ticks)
	l.event(engine.Event{App: "a", Status: engine.Started, Total: 1})
	ticks <- time.Time{}
	<-stuck.entered
	for range 1000 {
		l.event(engine.Event{App: "a", Status: engine.Started, Total: 1})
		l.log("line")
	}
	close(stuck.release)
	l.close()
	if n := strings.Count(stuck.b.String(), "line\n"); n != 1000 {
		t.Errorf("%d log lines came out, want 1000", n)
	}
}

type stuckWriter struct {
	once             sync.Once
	entered, release chan struct{}
	b                strings.Builder
}

func (s *stuckWriter) Write(p []byte) (int, error) {
	s.once.Do(func() { close(s.entered) })
	<-s.release
	return s.b.Write(p)
}

// The whole UI on a terminal, with the real ticker and everybody talking at once.
func TestTTYFromManyGoroutines(t *testing.T) {
	x := newTerminal(t, 80, 24)
	var s streams
	o := s.options(map[string]string{"NO_COLOR": "1"})
	o.Now = time.Now
	o.Stderr, o.StderrTerminal, o.Size, o.Verbose = x, true, x.size, true
	u := New(o)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			app := fmt.Sprint("app-", i)
			for range 20 {
				u.Event(engine.Event{App: app, Stage: engine.StagePush, Status: engine.Started, Total: 8})
				u.Event(engine.Event{App: app, Stage: engine.StagePush, Status: engine.Done, Note: "x", Total: 8})
				if _, err := io.WriteString(u.Log(), "log\n"); err != nil {
					t.Error(err)
				}
			}
			u.Close()
		})
	}
	wg.Wait()
	if err := u.Publish(publishReport(), Output{}); err != nil {
		t.Fatal(err)
	}
	counts := map[string]int{}
	for line := range strings.Lines(x.screen()) {
		counts[strings.TrimSpace(line)[:3]]++
	}
	if counts["log"] != 160 || counts["✓"] != 160 || len(counts) != 2 {
		t.Errorf("the screen holds %v, want 160 log lines and 160 done lines only", counts)
	}
}
