package engine

import (
	"context"
	"errors"
	"time"
)

// pauses are the waits between attempts at a signer whose backend does not answer, and at a registry that does not yet
// show what was attached. Requests to the registry have retries of their own below the Registry interface.
func (e *Engine) pauses() []time.Duration {
	if e.Pauses != nil {
		return e.Pauses
	}
	return []time.Duration{250 * time.Millisecond, time.Second, 2 * time.Second, 4 * time.Second}
}

// patiently calls attempt until it succeeds, fails in a way that waiting does not mend, or patience is at its end.
func (e *Engine) patiently(ctx context.Context, worthWaiting func(error) bool, attempt func() error) error {
	err := attempt()
	for _, pause := range e.pauses() {
		if err == nil || !worthWaiting(err) {
			return err
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return errors.Join(ctx.Err(), err)
		case <-timer.C:
		}
		err = attempt()
	}
	return err
}
