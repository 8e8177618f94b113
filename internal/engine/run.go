package engine

import (
	"context"
	"sync"

	"golang.org/x/sync/errgroup"
)

// defaultConcurrency is how many apps are worked on at a time: registry round trips dominate, and renders are limited
// by the renderer itself.
const defaultConcurrency = 8

// signing is how many apps may wait for the signer besides those that are worked on. A signer whose backend is far away
// answers many requests in the time of one, and some put them together into one request.
const signing = 256

// run tells what happens and spreads work over the apps.
type run struct {
	engine *Engine
	slots  chan struct{}
	mu     sync.Mutex
	done   int64
	total  int64
}

func (e *Engine) start(total int) *run {
	limit := e.Concurrency
	if limit <= 0 {
		limit = defaultConcurrency
	}
	return &run{engine: e, total: int64(total), slots: make(chan struct{}, limit)}
}

// slot runs work as one of those that may talk to the registry or render now. It is short: others end soon after ctx of
// the run is done, so nothing has to be watched while waiting.
func (r *run) slot(work func() error) error {
	r.slots <- struct{}{}
	defer func() { <-r.slots }()
	return work()
}

func (r *run) tell(ev Event) {
	if r.engine.Events == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	ev.Done, ev.Total = r.done, r.total
	r.engine.Events(ev)
}

// stage runs one stage of an app between its events, and names both in the error.
func (r *run) stage(app string, stage Stage, work func() (note string, err error)) error {
	r.tell(Event{App: app, Stage: stage, Status: Started})
	note, err := work()
	if err != nil {
		err = &StageError{App: app, Stage: stage, Err: err}
		r.tell(Event{App: app, Stage: stage, Status: Failed, Err: err})
		return err
	}
	r.tell(Event{App: app, Stage: stage, Status: Done, Note: note})
	return nil
}

// finish counts an app as through.
func (r *run) finish() {
	r.mu.Lock()
	r.done++
	r.mu.Unlock()
}

// each calls work for every index in a slot, at most Concurrency at a time. An error of one does not stop the others,
// unless FailFast says so; after ctx is done no further one is begun. work keeps its own results.
func (r *run) each(ctx context.Context, n int, work func(ctx context.Context, i int) error) {
	r.spread(ctx, n, cap(r.slots), func(ctx context.Context, i int) error {
		return r.slot(func() error { return work(ctx, i) })
	})
}

// spread is each with another limit, for work that takes its slots itself and is not in one while it waits for others.
func (r *run) spread(ctx context.Context, n, limit int, work func(ctx context.Context, i int) error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var g errgroup.Group
	g.SetLimit(limit)
	for i := range n {
		g.Go(func() error {
			if err := work(ctx, i); err != nil && r.engine.FailFast {
				cancel()
			}
			return nil // results are the work's own; a returned error would only hide the others
		})
	}
	_ = g.Wait()
}
