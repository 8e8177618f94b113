package rpc

import (
	"context"
	"errors"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

func TestDeath(t *testing.T) {
	tests := map[string]struct{ what, want string }{
		"exit":   {"exit", "signer test: the plugin exited (exit status 4): the key store is gone"},
		"killed": {"kill", "signer test: the plugin exited (signal: killed)"},
	}
	for name, tt := range tests {
		t.Run(name+" at open", func(t *testing.T) {
			p := start(t, options(t, modeServe))
			_, err := p.Open(t.Context(), map[string]any{"do": tt.what})
			wantExit(t, err, tt.want)
		})
		t.Run(name+" at sign", func(t *testing.T) {
			p, _ := open(t, options(t, modeServe), nil)
			var wg sync.WaitGroup
			for range 20 { // calls in flight die of it as well
				wg.Go(func() {
					_, err := p.Sign(t.Context(), request("hang"))
					wantExit(t, err, tt.want)
				})
			}
			_, err := p.Sign(t.Context(), request(tt.what))
			wantExit(t, err, tt.want)
			wg.Wait()
			_, err = p.Sign(t.Context(), request(""))
			wantExit(t, err, tt.want)
		})
	}
}

func wantExit(t *testing.T, err error, want string) {
	t.Helper()
	var exit *ExitError
	if !errors.Is(err, ErrExited) || !errors.As(err, &exit) || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
		return
	}
	if hint(err) == "" {
		t.Error("no hint")
	}
}

func TestContextEndsCalls(t *testing.T) {
	for _, what := range []string{"hang", "wait"} {
		t.Run(what, func(t *testing.T) {
			var log lockedBuffer
			o := options(t, modeServe)
			o.Log, o.LogLevel = &log, "debug"
			p, _ := open(t, o, nil)

			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
			defer cancel()
			if _, err := p.Sign(ctx, request(what)); !errors.Is(err, context.DeadlineExceeded) || strings.Contains(err.Error(), "rpc") {
				t.Errorf("deadline: %v", err)
			}
			ctx, cancel = context.WithCancel(t.Context())
			time.AfterFunc(5*time.Millisecond, cancel)
			if _, err := p.Sign(ctx, request(what)); !errors.Is(err, context.Canceled) || strings.Contains(err.Error(), "rpc") {
				t.Errorf("cancel: %v", err)
			}
			if what == "wait" {
				eventually(t, "the plugin sees both ends", func() bool {
					return strings.Contains(log.String(), "saw the end of the context: context canceled")
				})
			}
			if _, err := p.Sign(t.Context(), request("")); err != nil {
				t.Errorf("afterwards: %v", err)
			}
		})
	}
}

func TestInterruptIsTheHostsBusiness(t *testing.T) {
	p, _ := open(t, options(t, modeServe), nil)
	for range 3 {
		if _, err := p.Sign(t.Context(), request("interrupt")); err != nil {
			t.Fatal(err)
		}
	}
}

func TestParallel(t *testing.T) {
	p, _ := open(t, options(t, modeServe), nil)
	failures := make([]error, 100)
	var wg sync.WaitGroup
	for i := range failures {
		wg.Go(func() { _, failures[i] = p.Sign(t.Context(), request("")) })
	}
	wg.Wait()
	if err := errors.Join(failures...); err != nil {
		t.Error(err)
	}
}

func TestClose(t *testing.T) {
	for _, what := range []string{"", "hang"} {
		t.Run("with "+what+" in flight", func(t *testing.T) {
			p, _ := open(t, options(t, modeServe), nil)
			pid, dir := p.PID(), p.dir
			if pid == 0 {
				t.Fatal("no pid")
			}
			result := make(chan error, 1)
			if what != "" {
				go func() {
					_, err := p.Sign(t.Context(), request(what))
					result <- err
				}()
			}
			if _, err := os.Stat(dir); err != nil {
				t.Fatal(err)
			}
			var wg sync.WaitGroup
			for range 3 {
				wg.Go(func() {
					if err := p.Close(); err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
				t.Errorf("process %d is there: %v", pid, err)
			}
			if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("directory of the socket is there: %v", err)
			}
			if what != "" {
				if err := <-result; !errors.Is(err, ErrClosed) {
					t.Errorf("call in flight: %v", err)
				}
			}
			if _, err := p.Sign(t.Context(), request("")); !errors.Is(err, ErrClosed) {
				t.Errorf("call after close: %v", err)
			}
		})
	}
}

// lockedBuffer is a log that may be read while it is written.
type lockedBuffer struct {
	mu   sync.Mutex
	text strings.Builder
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}
