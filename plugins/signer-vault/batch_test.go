package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// recorder is what a batcher sends to: it takes a while, answers each message with itself, and keeps the sizes.
type recorder struct {
	takes time.Duration
	mu    sync.Mutex
	sizes []int
	most  int // requests at a time
	now   int
	ended int // requests whose context ended before they did
}

func (r *recorder) send(ctx context.Context, messages [][]byte) []result {
	r.mu.Lock()
	r.sizes = append(r.sizes, len(messages))
	r.now++
	r.most = max(r.most, r.now)
	r.mu.Unlock()
	select {
	case <-time.After(r.takes):
	case <-ctx.Done():
		r.mu.Lock()
		r.ended++
		r.mu.Unlock()
	}
	r.mu.Lock()
	r.now--
	r.mu.Unlock()
	results := make([]result, len(messages))
	for i, m := range messages {
		if results[i].signature = m; string(m) == "bad" {
			results[i] = result{err: errors.New("bad")}
		}
	}
	return results
}

// arrive has n calls come, one each gap, and waits for their answers.
func arrive(t *testing.T, b *batcher, n int, gap time.Duration) {
	t.Helper()
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			want := fmt.Sprintf("message %d", i)
			if got, err := b.sign(t.Context(), []byte(want)); err != nil || string(got) != want {
				t.Errorf("%s: got %q, %v", want, got, err)
			}
		})
		time.Sleep(gap)
	}
	all.Wait()
}

// However calls come, few requests carry them, and nobody waits long.
func TestCallsShareRequests(t *testing.T) {
	const ms = time.Millisecond
	tests := map[string]struct {
		calls    int
		gap      time.Duration // between two calls
		takes    time.Duration // a request
		requests int           // at most
		longest  time.Duration // from the first call to the last answer
	}{
		"all at once":               {500, 0, 5 * ms, 4, 60 * ms},
		"all at once, quick server": {500, 0, 0, 4, 60 * ms},
		"all at once, slow server":  {500, 0, time.Second, 4, 1600 * ms},
		"a burst with gaps":         {500, ms, 5 * ms, 5, 600 * ms},
		"as pushes end":             {500, 15 * ms, 5 * ms, 20, 8 * time.Second},
		"a few":                     {8, ms, 5 * ms, 3, 100 * ms},
		"far apart":                 {10, time.Second, 5 * ms, 10, 10 * time.Second},
		"server that hangs":         {500, 4 * ms, time.Minute, 6, 2*time.Minute + 2*time.Second},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := &recorder{takes: tt.takes}
				start := time.Now()
				arrive(t, newBatcher(r.send, shared()), tt.calls, tt.gap)
				if n := len(r.sizes); n > tt.requests {
					t.Errorf("%d requests, want at most %d: %v", n, tt.requests, r.sizes)
				}
				if took := time.Since(start); took > tt.longest {
					t.Errorf("took %s", took)
				}
			})
		})
	}
}

// Whoever signs one after the other soon waits for nothing but the server, and whoever comes after a pause never does.
func TestAloneNobodyWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &recorder{takes: 5 * time.Millisecond}
		b := newBatcher(r.send, shared())
		waits := func() (waits []time.Duration) {
			for range 5 {
				start := time.Now()
				arrive(t, b, 1, 0)
				waits = append(waits, time.Since(start)-r.takes)
			}
			return waits
		}
		if got := waits(); !slices.Equal(got, []time.Duration{0, quiet, quiet, 0, 0}) {
			t.Errorf("first calls waited %v", got)
		}
		arrive(t, b, 20, 0)
		if got := waits(); !slices.Equal(got, []time.Duration{quiet, quiet, quiet, 0, 0}) {
			t.Errorf("calls after a crowd waited %v", got)
		}
		arrive(t, b, 20, 0)
		time.Sleep(2 * patience)
		if got := waits()[0]; got != 0 {
			t.Errorf("a call long after a crowd waited %s", got)
		}
	})
}

func TestLimits(t *testing.T) {
	tests := map[string]struct {
		limits limits
		sizes  []int // sorted
		most   int
	}{
		"calls":       {limits{calls: 4, bytes: 1000, requests: 2}, []int{1, 1, 4, 4}, 2},
		"bytes":       {limits{calls: 100, bytes: 30, requests: 2}, []int{1, 3, 3, 3}, 2}, // of 9 bytes each
		"large ones":  {limits{calls: 100, bytes: 5, requests: 3}, []int{1, 1, 1, 1, 1, 1, 1, 1, 1, 1}, 3},
		"one by one":  {single(), []int{1, 1, 1, 1, 1, 1, 1, 1, 1, 1}, 8},
		"none at all": {limits{calls: 100, bytes: 1000, requests: 1}, []int{1, 9}, 1},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := &recorder{takes: 50 * time.Millisecond}
				arrive(t, newBatcher(r.send, tt.limits), 10, 0)
				slices.Sort(r.sizes)
				if !slices.Equal(r.sizes, tt.sizes) || r.most != tt.most {
					t.Errorf("requests of %v, %d at a time; want %v, %d", r.sizes, r.most, tt.sizes, tt.most)
				}
			})
		})
	}
}

// A caller who leaves takes nobody along; when all have left, the request ends.
func TestLeaving(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &recorder{takes: time.Second}
		b := newBatcher(r.send, shared())
		ctx, cancel := context.WithCancel(t.Context())
		var all sync.WaitGroup
		call := func(ctx context.Context, message, want string) {
			all.Go(func() {
				got, err := b.sign(ctx, []byte(message))
				if string(got) != want || (err == nil) != (want != "") {
					t.Errorf("%s: got %q, %v", message, got, err)
				}
			})
			synctest.Wait()
		}
		call(ctx, "alone and gone", "") // its request is under way
		call(ctx, "waits and goes", "")
		call(t.Context(), "stays", "stays")
		call(t.Context(), "bad", "")
		cancel()
		synctest.Wait()
		if r.ended != 1 {
			t.Errorf("%d requests ended with their callers, want 1", r.ended)
		}
		all.Wait()
		if !slices.Equal(r.sizes, []int{1, 2}) {
			t.Errorf("requests of %v", r.sizes)
		}

		// Of two in the same request one leaves.
		ctx, cancel = context.WithCancel(t.Context())
		call(t.Context(), "stays", "stays")
		call(ctx, "leaves on the way", "")
		time.Sleep(quiet)
		synctest.Wait()
		cancel()
		all.Wait()
		synctest.Wait()
		if r.ended != 1 || len(b.waiting) != 0 || b.running != 0 || b.bytes != 0 {
			t.Errorf("%d requests ended early; left are %d calls, %d requests, %d bytes", r.ended, len(b.waiting), b.running, b.bytes)
		}
	})
}
