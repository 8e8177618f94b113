package render

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/artifactctl/artifactctl/internal/render/cache"
	"github.com/artifactctl/artifactctl/internal/render/fault"
	"github.com/artifactctl/artifactctl/internal/render/inputs"
	"github.com/artifactctl/artifactctl/internal/render/worker"
)

// PoolOptions sets a Pool up.
type PoolOptions struct {
	// Command starts a worker: a process that calls worker.Serve with its standard streams, usually this executable
	// with the name of a hidden command. The first element is an absolute path.
	Command []string
	// Workers is how many processes run at most; 0 means GOMAXPROCS.
	Workers int
	// Timeout is how long one app may take, from the moment a worker has it; 0 means two minutes.
	Timeout time.Duration
	// Memory is what one worker may hold, in bytes; 0 means 2 GiB.
	Memory int64
	// Env has further "NAME=value" for all workers. They get nothing else of this process's environment, but for PATH,
	// HOME, proxies and the like when an app may use helm or remote bases.
	Env []string
	// Cache has the results of earlier runs; nil means that everything is rendered. The pool looks at each file once: what
	// changes in the working tree while it is open may go unseen. Whoever opened the cache closes it, after the pool.
	Cache *cache.Cache
	// Record has Materials know the files that were read also without a cache.
	Record bool
}

// Pool renders apps with worker processes of its own. It starts them when they are needed, keeps them between apps, and
// replaces those that die or have to be killed. Its methods are safe for concurrent use.
type Pool struct {
	options PoolOptions
	slots   chan struct{} // one for each build that may run

	snapshots *snapshots
	memory    func() *memory
	counts    counts

	mu     sync.Mutex
	idle   []*process
	all    map[*process]struct{}
	closed bool
}

// kind is what a worker may do; a worker has one kind for life.
type kind struct{ helm, network bool }

// NewPool returns a pool. No process is started before it is needed.
func NewPool(o PoolOptions) *Pool {
	if o.Workers <= 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	if o.Timeout <= 0 {
		o.Timeout = 2 * time.Minute
	}
	if o.Memory <= 0 {
		o.Memory = 2 << 30
	}
	s := &snapshots{byRoot: map[string]*inputs.Snapshot{}}
	return &Pool{
		options: o, slots: make(chan struct{}, o.Workers), all: map[*process]struct{}{},
		snapshots: s, memory: sync.OnceValue(func() *memory { return newMemory(o, s) }),
	}
}

// counts is the work of a pool.
type counts struct{ cached, built, workers atomic.Int64 }

// Counts is what a pool has done so far.
type Counts struct {
	Cached  int64 // apps whose result was in the cache
	Built   int64 // apps that a worker was asked to render
	Workers int64 // processes started
}

// Counts returns what the pool has done so far.
func (p *Pool) Counts() Counts {
	return Counts{Cached: p.counts.cached.Load(), Built: p.counts.built.Load(), Workers: p.counts.workers.Load()}
}

// Close ends all workers, busy ones too, and waits until they are gone. Renders that run or follow fail.
func (p *Pool) Close() error {
	p.mu.Lock()
	p.closed = true
	p.idle = nil
	running := make([]*process, 0, len(p.all))
	for w := range p.all {
		running = append(running, w)
	}
	p.mu.Unlock()
	var errs []error
	for _, w := range running {
		errs = append(errs, w.end())
	}
	return errors.Join(errs...)
}

// usable fails when nothing can be rendered any more.
func (p *Pool) usable(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return errClosed
	}
	return ctx.Err()
}

// do runs one request on a worker of kind k, and tells how long that took.
func (p *Pool) do(ctx context.Context, k kind, r worker.Request) (worker.Response, time.Duration, error) {
	select {
	case p.slots <- struct{}{}:
		defer func() { <-p.slots }()
	case <-ctx.Done():
		return worker.Response{}, 0, ctx.Err()
	}
	for {
		w, used, err := p.take(ctx, k)
		if err != nil {
			return worker.Response{}, 0, err
		}
		start := time.Now()
		response, err := w.do(ctx, r, p.options.Timeout)
		cost := time.Since(start)
		if err != nil || response.Last {
			err = errors.Join(err, p.drop(w))
		} else {
			p.give(w)
		}
		if used && errors.Is(err, errNotTaken) { // it died while idle; that is not the app's fault
			continue
		}
		return response, cost, p.judge(ctx, err)
	}
}

// judge puts the reasons of the pool itself before those of a worker that it killed.
func (p *Pool) judge(ctx context.Context, err error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case p.closed:
		return errClosed
	case errors.Is(err, errDeadline):
		return &fault.Error{
			Reason:  fault.Timeout,
			Message: fmt.Sprintf("the render did not end within %s", p.options.Timeout),
		}
	}
	return err
}

// take returns an idle worker of kind k, or starts one. used tells that it has worked before.
func (p *Pool) take(ctx context.Context, k kind) (w *process, used bool, err error) {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return nil, false, errClosed
	}
	for i := len(p.idle) - 1; i >= 0; i-- { // the warmest first
		if p.idle[i].kind == k {
			w = p.idle[i]
			p.idle = append(p.idle[:i], p.idle[i+1:]...)
			p.mu.Unlock()
			return w, true, nil
		}
	}
	var evicted *process
	if len(p.idle) > 0 && len(p.all) >= p.options.Workers { // one of another kind has to make room
		evicted, p.idle = p.idle[0], p.idle[1:]
	}
	p.mu.Unlock()
	if evicted != nil {
		if err := p.drop(evicted); err != nil {
			return nil, false, err
		}
	}
	w, err = p.start(ctx, k)
	return w, false, err
}

// give keeps a worker for later.
func (p *Pool) give(w *process) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closed { // else Close ends it
		p.idle = append(p.idle, w)
	}
}

// drop ends a worker.
func (p *Pool) drop(w *process) error {
	p.mu.Lock()
	delete(p.all, w)
	p.mu.Unlock()
	return w.end()
}

// start starts a worker and has it greet.
func (p *Pool) start(ctx context.Context, k kind) (*process, error) {
	setup := worker.Setup{Protocol: worker.Protocol, Memory: p.options.Memory, Network: k.network}
	if k.helm {
		helm, err := exec.LookPath("helm")
		if err != nil {
			return nil, &fault.Error{Reason: fault.Invalid, Message: "helm is on, but there is no helm command in PATH"}
		}
		if setup.Helm, err = filepath.Abs(helm); err != nil {
			return nil, err
		}
	}
	env := append(baseEnv(k), p.options.Env...)
	if k != (kind{}) {
		scratch, err := os.MkdirTemp("", "artifactctl-render-")
		if err != nil {
			return nil, fmt.Errorf("make directory for clones: %w", err)
		}
		setup.Scratch = scratch
		env = append(env, "TMPDIR="+scratch)
	}
	p.counts.workers.Add(1)
	w, err := startProcess(ctx, p.options.Command, env, k, setup)
	if err != nil {
		return nil, errors.Join(err, removeScratch(setup.Scratch))
	}
	p.mu.Lock()
	p.all[w] = struct{}{}
	closed := p.closed
	p.mu.Unlock()
	if closed {
		return nil, errors.Join(errClosed, p.drop(w))
	}
	if err := w.greet(ctx, setup, p.options.Timeout); err != nil {
		return nil, p.judge(ctx, errors.Join(err, p.drop(w)))
	}
	return w, nil
}
