package ui

import (
	"sync"
	"time"

	"github.com/artifactctl/artifactctl/internal/engine"
)

// stopwatch adds up how long the stages of each app took. Waiting between stages is not counted: it is the cost of the
// other apps.
type stopwatch struct {
	now   func() time.Time
	mu    sync.Mutex
	began map[stageOf]time.Time
	spent map[string]time.Duration
}

type stageOf struct {
	app   string
	stage engine.Stage
}

func newStopwatch(now func() time.Time) *stopwatch {
	return &stopwatch{now: now, began: map[stageOf]time.Time{}, spent: map[string]time.Duration{}}
}

func (w *stopwatch) event(e engine.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	at := stageOf{e.App, e.Stage}
	if e.Status == engine.Started {
		w.began[at] = w.now()
		return
	}
	if begun, ok := w.began[at]; ok {
		w.spent[e.App] += w.now().Sub(begun)
		delete(w.began, at)
	}
}

// of is the time that an app took, in milliseconds.
func (w *stopwatch) of(app string) int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.spent[app].Milliseconds()
}
