package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/artifactctl/artifactctl/plugins/signer"
)

// fakeTokens is a server that gives tokens as a test wants. It notes what is asked for, with the second of the bubble.
type fakeTokens struct {
	mu        sync.Mutex
	start     time.Time
	log       []string
	n         int
	ttl       time.Duration
	renewable bool
	renewed   func(n int) (time.Duration, error)
	fail      error // of logins
	slow      time.Duration
	living    bool
	stuck     bool // revoking takes for ever
}

// set changes what the server does from now on.
func (f *fakeTokens) set(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

func (f *fakeTokens) note(format string, args ...any) {
	f.log = append(f.log, fmt.Sprintf("%d ", int(time.Since(f.start).Seconds()))+fmt.Sprintf(format, args...))
}

func (f *fakeTokens) do(ctx context.Context) (lease, error) {
	f.mu.Lock()
	slow := f.slow
	f.mu.Unlock()
	select {
	case <-time.After(slow):
	case <-ctx.Done():
		return lease{}, ctx.Err()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.n++
	f.note("login %d", f.n)
	if f.fail != nil {
		return lease{}, f.fail
	}
	return lease{token: fmt.Sprintf("t%d", f.n), full: f.ttl, renewable: f.renewable}.until(f.ttl), nil
}

func (f *fakeTokens) renew(_ context.Context, token string) (time.Duration, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.note("renew %s", token)
	return f.renewed(len(f.log))
}

func (f *fakeTokens) alive(context.Context, string) bool { return f.living }

func (f *fakeTokens) revoke(ctx context.Context, token string) error {
	if f.stuck {
		<-ctx.Done()
		return ctx.Err()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.note("revoke %s", token)
	return nil
}

// session starts one in a bubble; used is the token that requests would carry.
func (f *fakeTokens) session(t *testing.T) (s *session, used func() string) {
	t.Helper()
	f.start = time.Now()
	var mu sync.Mutex
	var current string
	s, err := startSession(t.Context(), f, func(token string) {
		mu.Lock()
		defer mu.Unlock()
		current = token
	})
	if err != nil {
		t.Fatal(err)
	}
	return s, func() string {
		mu.Lock()
		defer mu.Unlock()
		return current
	}
}

func TestKeeping(t *testing.T) {
	unavailable := fmt.Errorf("%w: 503", signer.ErrUnavailable)
	denied := fmt.Errorf("%w: 403", signer.ErrDenied)
	always := func(ttl time.Duration, err error) func(int) (time.Duration, error) {
		return func(int) (time.Duration, error) { return ttl, err }
	}
	tests := map[string]struct {
		tokens *fakeTokens
		run    time.Duration
		want   string
	}{
		"short run":     {&fakeTokens{ttl: time.Hour, renewable: true}, time.Minute, "0 login 1, 60 revoke t1"},
		"for ever":      {&fakeTokens{}, 1000 * time.Hour, "0 login 1, 3600000 revoke t1"},
		"renewed":       {&fakeTokens{ttl: time.Minute, renewable: true, renewed: always(time.Minute, nil)}, 100 * time.Second, "0 login 1, 40 renew t1, 80 renew t1, 100 revoke t1"},
		"not renewable": {&fakeTokens{ttl: time.Minute}, 90 * time.Second, "0 login 1, 40 login 2, 80 login 3, 90 revoke t2, 90 revoke t3"},
		"max TTL":       {&fakeTokens{ttl: time.Minute, renewable: true, renewed: always(29*time.Second, nil)}, 50 * time.Second, "0 login 1, 40 renew t1, 40 login 2, 50 revoke t1, 50 revoke t2"},
		"may not renew": {&fakeTokens{ttl: time.Minute, renewable: true, renewed: always(0, denied)}, 50 * time.Second, "0 login 1, 40 renew t1, 40 login 2, 50 revoke t1, 50 revoke t2"},
		"renewal retried": {&fakeTokens{ttl: time.Minute, renewable: true, renewed: func(n int) (time.Duration, error) {
			if n == 2 {
				return 0, unavailable
			}
			return time.Minute, nil
		}}, 50 * time.Second, "0 login 1, 40 renew t1, 46 renew t1, 50 revoke t1"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, _ := tt.tokens.session(t)
				time.Sleep(tt.run)
				synctest.Wait()
				if err := s.close(); err != nil {
					t.Error(err)
				}
				if got := sorted(tt.tokens.log); got != tt.want {
					t.Errorf("got  %s\nwant %s", got, tt.want)
				}
			})
		})
	}
}

// sorted joins a log whose revocations come in any order.
func sorted(log []string) string {
	i := slices.IndexFunc(log, func(line string) bool { return strings.Contains(line, "revoke") })
	if i >= 0 {
		slices.Sort(log[i:])
	}
	return strings.Join(log, ", ")
}

// A login that fails in the background is tried again, at last every second, until the token is over. Then the next
// denial hears why.
func TestLoginFailsInTheBackground(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeTokens{ttl: 30 * time.Second}
		s, used := f.session(t)
		f.set(func() { f.fail = fmt.Errorf("%w: 503", signer.ErrUnavailable) })
		time.Sleep(time.Hour)
		synctest.Wait()
		if tries := f.n - 1; tries < 5 || tries > 15 {
			t.Errorf("%d trials", tries)
		}
		if used() != "t1" {
			t.Errorf("requests carry %q", used())
		}
		if err := s.again(t.Context(), "t1", true); !errors.Is(err, signer.ErrUnavailable) {
			t.Errorf("got %v", err)
		}
		f.set(func() { f.fail = nil })
		if err := s.again(t.Context(), "t1", true); err != nil || used() == "t1" {
			t.Errorf("requests carry %q, %v", used(), err)
		}
		if err := s.close(); err != nil {
			t.Error(err)
		}
		if last := f.log[len(f.log)-1]; !strings.Contains(last, "revoke "+used()) {
			t.Errorf("the log ends with %s", last)
		}
	})
}

func TestDenials(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeTokens{ttl: time.Hour, living: true}
		s, used := f.session(t)
		if err := s.again(t.Context(), "t1", false); !errors.Is(err, errAlive) {
			t.Errorf("a token that lives: %v", err)
		}
		if err := s.again(t.Context(), "t0", true); err != nil || f.n != 1 {
			t.Errorf("a token that was replaced before: %v, %d logins", err, f.n)
		}
		f.set(func() { f.slow = time.Minute }) // many ask meanwhile
		var all sync.WaitGroup
		for range 10 {
			all.Go(func() {
				if err := s.again(t.Context(), "t1", true); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if f.n != 2 || used() != "t2" {
			t.Errorf("%d logins, and requests carry %s", f.n, used())
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := s.again(ctx, "t2", true); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("who asks need not wait: %v", err)
		}
		if err := s.close(); err != nil { // in the middle of that login
			t.Error(err)
		}
		if err := s.again(t.Context(), "t2", true); !errors.Is(err, errAlive) {
			t.Errorf("after the end: %v", err)
		}
	})
}

// The end takes no longer than it may, and tokens that the server does not know are not revoked.
func TestRevoking(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeTokens{ttl: time.Hour, stuck: true}
		s, _ := f.session(t)
		begin := time.Now()
		if err := s.close(); !errors.Is(err, context.DeadlineExceeded) || time.Since(begin) != revokePatience {
			t.Errorf("closed after %s with %v", time.Since(begin), err)
		}
	})
	for token, want := range map[string]bool{"hvs.x": true, "s.x": true, "hvb.x": false, "b.x": false} {
		if got := (lease{token: token}).revocable(); got != want {
			t.Errorf("%s is revocable: %v", token, got)
		}
	}
}
