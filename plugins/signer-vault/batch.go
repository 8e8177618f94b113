package main

import (
	"context"
	"slices"
	"sync"
	"time"
)

// How long a call waits for others to share its request.
const (
	// quiet is how long nobody must have come until those who wait are believed to be all. Hosts start their calls
	// together, or as their pushes end: gaps of some milliseconds.
	quiet = 25 * time.Millisecond
	// patience is the longest wait, however many still come: as long as they do, the host has other work.
	patience = 500 * time.Millisecond
	// lonely is after how many requests of one call in a row calls are believed to come one after the other.
	lonely = 3
)

// limits bound what a batcher sends.
type limits struct {
	calls    int // in one request
	bytes    int // of messages in one request, unless a single one is larger
	requests int // at the same time
}

// sendFunc has messages signed in one request and returns a result for each, in their order.
type sendFunc func(ctx context.Context, messages [][]byte) []result

type result struct {
	signature []byte
	err       error
}

// batcher puts concurrent calls into one request each (group commit). A call goes at once when none came for a while, or
// when calls come one after the other. Every other one waits until it is quiet or patience is at its end, and leaves with
// all that came meanwhile. It is safe for concurrent use and needs no closing.
type batcher struct {
	send   sendFunc
	limits limits

	mu      sync.Mutex
	waiting []*call
	bytes   int         // of the messages of waiting
	running int         // requests under way
	last    time.Time   // when the latest call came
	alone   int         // requests of one call since calls came together
	alarm   *time.Timer // looks again when the first of waiting may leave
}

// call is one caller's message, and later where its result goes.
type call struct {
	message []byte
	came    time.Time
	answer  chan result // holds one, so that nobody waits for a caller who left
	batch   *batch      // set once its request is under way
}

// batch is a request under way. It ends early when all its callers have left.
type batch struct {
	calls  []*call
	left   int
	cancel context.CancelFunc
}

func newBatcher(send sendFunc, l limits) *batcher {
	return &batcher{send: send, limits: l}
}

// sign returns the signature over message. When ctx is done its caller leaves; the others of the same request stay.
func (b *batcher) sign(ctx context.Context, message []byte) ([]byte, error) {
	c := &call{message: message, answer: make(chan result, 1)}
	b.enter(c)
	select {
	case r := <-c.answer:
		return r.signature, r.err
	case <-ctx.Done():
		b.leave(c)
		return nil, ctx.Err()
	}
}

func (b *batcher) enter(c *call) {
	b.mu.Lock()
	defer b.mu.Unlock()
	c.came = time.Now()
	pause := c.came.Sub(b.last)
	b.last = c.came
	b.waiting = append(b.waiting, c)
	b.bytes += len(c.message)
	if b.running > 0 || len(b.waiting) > 1 {
		b.alone = 0
	} else if b.alone >= lonely || pause > patience {
		b.start(b.take())
		return
	}
	b.dispatch()
}

func (b *batcher) leave(c *call) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if under := c.batch; under != nil {
		under.left++
		if under.left == len(under.calls) {
			under.cancel()
		}
		return
	}
	if i := slices.Index(b.waiting, c); i >= 0 {
		b.waiting = slices.Delete(b.waiting, i, i+1)
		b.bytes -= len(c.message)
	}
}

// dispatch sends what may leave now, and sets the alarm for the rest. The caller holds mu.
func (b *batcher) dispatch() {
	for len(b.waiting) > 0 && b.running < b.limits.requests {
		wait := b.due()
		if wait > 0 {
			b.wake(wait)
			return
		}
		b.start(b.take())
	}
}

// due is how long those who wait have to wait yet; not positive when a request may leave. Only a full one, or one that
// lost its patience, leaves beside another: the time of the one under way is what the others gather in.
func (b *batcher) due() time.Duration {
	if len(b.waiting) >= b.limits.calls || b.bytes >= b.limits.bytes {
		return 0
	}
	wait := time.Until(b.waiting[0].came.Add(patience))
	if b.running > 0 {
		return wait
	}
	return min(wait, time.Until(b.last.Add(quiet)))
}

func (b *batcher) wake(wait time.Duration) {
	if b.alarm != nil {
		b.alarm.Reset(wait)
		return
	}
	b.alarm = time.AfterFunc(wait, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.dispatch()
	})
}

// take removes from waiting, in the order in which they came, as many as fit into one request.
func (b *batcher) take() []*call {
	n, size := 0, 0
	for n < len(b.waiting) && n < b.limits.calls {
		more := len(b.waiting[n].message)
		if n > 0 && size+more > b.limits.bytes {
			break
		}
		n, size = n+1, size+more
	}
	calls := slices.Clone(b.waiting[:n])
	b.waiting = slices.Delete(b.waiting, 0, n)
	b.bytes -= size
	return calls
}

// start sends a request for calls. It belongs to all of them, so it has the context of none, and ends with the last.
func (b *batcher) start(calls []*call) {
	ctx, cancel := context.WithCancel(context.Background()) //nolint:forbidigo // no caller's context may end the others' request
	under := &batch{calls: calls, cancel: cancel}
	messages := make([][]byte, len(calls))
	for i, c := range calls {
		c.batch, messages[i] = under, c.message
	}
	b.running++
	go func() {
		defer cancel()
		results := b.send(ctx, messages)
		b.finish(len(calls)) // first, so that whoever gets an answer and calls again finds nobody
		for i, c := range calls {
			c.answer <- results[i]
		}
	}()
}

// finish lets the next ones leave.
func (b *batcher) finish(calls int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.running--
	if b.alone++; calls > 1 {
		b.alone = 0
	}
	b.dispatch()
}
