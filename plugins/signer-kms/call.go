package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/artifactctl/artifactctl/plugins/signer"
)

// limits bound what is asked of a service.
type limits struct {
	parallel int           // requests at once: services have quotas by the second
	attempts int           // trials of one request; drivers have more of their own
	patience time.Duration // for one trial
	pause    time.Duration // before the second trial; doubled before each further one
	open     time.Duration // for all that Open does
}

// The quotas of the services begin at some 50 signatures a second, and one takes 20 to 200 ms.
func defaultLimits() limits {
	return limits{parallel: 8, attempts: 3, patience: 15 * time.Second, pause: 500 * time.Millisecond, open: 40 * time.Second}
}

// What became of a call that the driver did not end in good order.
var (
	errNoAnswer = errors.New("no answer in time")
	errPanic    = errors.New("the driver failed over the service's answer")
)

// caller makes calls to a driver that end when they must: not every driver heeds contexts, some have no timeouts, and
// one indexes what may be empty. It is safe for concurrent use.
type caller struct {
	limits
	provider
	slots chan struct{}
	key   string // for messages
}

func newCaller(l limits, p provider, key string) *caller {
	return &caller{limits: l, provider: p, slots: make(chan struct{}, l.parallel), key: key}
}

// ask makes a call, tries again what may be better then, and explains what is not. It returns soon after ctx is done.
func ask[T any](ctx context.Context, c *caller, verb string, call func(context.Context) (T, error)) (T, error) {
	for attempt := 1; ; attempt++ {
		value, err := once(ctx, c, call)
		if err == nil {
			return value, nil
		}
		if ctx.Err() != nil {
			return value, fmt.Errorf("%s %s: %w", verb, c.key, ctx.Err())
		}
		f := c.explain(err)
		// Who was waited for in vain is left to the host: Open must end before anybody wonders.
		if !errors.Is(f.class, signer.ErrUnavailable) || errors.Is(err, errNoAnswer) || attempt >= c.attempts {
			return value, f.err(verb + " " + c.key)
		}
		if err := wait(ctx, c.pause<<(attempt-1)); err != nil {
			return value, fmt.Errorf("%s %s: %w", verb, c.key, err)
		}
	}
}

// once makes a call in a goroutine of its own and stops waiting for it when its time is over. A driver that does not
// heed its context goes on in vain, until the process ends.
func once[T any](ctx context.Context, c *caller, call func(context.Context) (T, error)) (T, error) {
	type outcome struct {
		value T
		err   error
	}
	var none T
	if err := ctx.Err(); err != nil {
		return none, err
	}
	select {
	case c.slots <- struct{}{}:
		defer func() { <-c.slots }()
	case <-ctx.Done():
		return none, ctx.Err()
	}
	ctx, cancel := context.WithTimeoutCause(ctx, c.patience, errNoAnswer)
	defer cancel()
	done := make(chan outcome, 1)
	go func() {
		defer func() {
			if recover() != nil {
				done <- outcome{err: errPanic}
			}
		}()
		value, err := call(ctx)
		done <- outcome{value, err}
	}()
	select {
	case o := <-done:
		if o.err != nil && ctx.Err() != nil {
			return none, context.Cause(ctx) // the driver's own words for it vary
		}
		return o.value, o.err
	case <-ctx.Done():
		return none, context.Cause(ctx)
	}
}

func (c *caller) explain(err error) failure {
	switch {
	case errors.Is(err, errNoAnswer):
		return failure{class: signer.ErrUnavailable, text: fmt.Sprintf("no answer within %s", c.patience), hint: c.credentials}
	case errors.Is(err, errPanic):
		return failure{class: signer.ErrInvalid, text: errPanic.Error(), hint: c.keys}
	}
	return c.judge(err)
}

// wait waits for a time between d and 1.5 d, so that calls which failed together do not come again together.
func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d + rand.N(d/2+1))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
