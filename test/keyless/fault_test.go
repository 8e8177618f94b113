package keyless_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/artifactctl/artifactctl/test/keyless/stack"
	"github.com/artifactctl/artifactctl/test/peers"
)

// answering makes a front answer with a status and Retry-After, as long as n is not larger than times.
func answering(status int, times int64) answerer {
	return func(n int64, w http.ResponseWriter, _ *http.Request) bool {
		if n > times {
			return false
		}
		if status == http.StatusTooManyRequests {
			w.Header().Set("Retry-After", "1")
		}
		w.WriteHeader(status)
		return true
	}
}

// cutting makes a front cut connections; the first few of a service that is started anew.
func cutting(times int64) answerer {
	return func(n int64, _ http.ResponseWriter, _ *http.Request) bool {
		if n <= times {
			panic(http.ErrAbortHandler)
		}
		return false
	}
}

// hanging makes a front take requests and never answer.
func hanging(_ int64, _ http.ResponseWriter, r *http.Request) bool {
	_, _ = io.Copy(io.Discard, r.Body) // only then a client that goes away is noticed
	<-r.Context().Done()
	return true
}

// late makes a front answer late.
func late(_ int64, _ http.ResponseWriter, r *http.Request) bool {
	timer := time.NewTimer(700 * time.Millisecond)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-r.Context().Done():
	}
	return false
}

const always = 1 << 40

// What fails for a while is waited for: everything is published and accepted.
func TestServicesFailForAWhile(t *testing.T) {
	s := stack.Start(t)
	judge := newCosign(t, s)
	for name, spoil := range map[string]func(fronts){
		"Fulcio asks to wait":     func(f fronts) { f.fulcio.spoil(answering(http.StatusTooManyRequests, 1)) },
		"Fulcio is broken":        func(f fronts) { f.fulcio.spoil(answering(http.StatusInternalServerError, 2)) },
		"Rekor asks to wait":      func(f fronts) { f.rekor.spoil(answering(http.StatusTooManyRequests, 2)) },
		"Rekor is broken":         func(f fronts) { f.rekor.spoil(answering(http.StatusInternalServerError, 4)) },
		"Rekor refuses":           func(f fronts) { f.rekor.spoil(cutting(4)) },
		"timestamps are not made": func(f fronts) { f.tsa.spoil(answering(http.StatusServiceUnavailable, 4)) },
		"all are slow":            func(f fronts) { f.fulcio.spoil(late); f.rekor.spoil(late); f.tsa.spoil(late) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			through := newFronts(t, s)
			spoil(through)
			f, r := newFleet(t, s, settings{apps: 3, with: through.with()}), newRegistry(t, peers.ReferrersKind)
			f.must(t, r, "publish")
			if edge := r.tagged("edge"); len(edge) != 3 {
				t.Errorf("%d apps were published, want 3", len(edge))
			} else {
				judge.accepts(t, s, edge[:1])
			}
		})
	}
}

// An answer that is lost after Rekor has made the entry costs another entry, not the run.
func TestLostAnswer(t *testing.T) {
	s := stack.Start(t)
	through := newFronts(t, s)
	through.rekor.watch(func(n int64) {
		if n == 1 {
			panic(http.ErrAbortHandler)
		}
	})
	f, r := newFleet(t, s, settings{apps: 1, with: through.with()}), newRegistry(t, peers.ReferrersKind)
	f.must(t, r, "publish")
	newCosign(t, s).accepts(t, s, r.tagged("edge"))
	if attached, _ := r.attached(); attached != 1 {
		t.Errorf("%d signatures are attached, want 1", attached)
	}
}

// What fails for longer than a run may take fails the run within that time, says which service it was, and leaves
// nothing but content that nobody sees.
func TestServicesFail(t *testing.T) {
	s := stack.Start(t)
	for name, c := range map[string]struct {
		spoil func(fronts)
		want  []string
	}{
		"Fulcio is broken":        {func(f fronts) { f.fulcio.spoil(answering(http.StatusInternalServerError, always)) }, []string{"Fulcio", "500"}},
		"Fulcio hangs":            {func(f fronts) { f.fulcio.spoil(hanging) }, []string{"Fulcio", "no answer within"}},
		"Rekor asks to wait":      {func(f fronts) { f.rekor.spoil(answering(http.StatusTooManyRequests, always)) }, []string{"Rekor", "429"}},
		"Rekor hangs":             {func(f fronts) { f.rekor.spoil(hanging) }, []string{"Rekor", "no answer within"}},
		"timestamps are not made": {func(f fronts) { f.tsa.spoil(answering(http.StatusBadGateway, always)) }, []string{"timestamp authority", "502"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			through := newFronts(t, s)
			c.spoil(through)
			f, r := newFleet(t, s, settings{apps: 2, with: through.with()}), newRegistry(t, peers.DistributionKind)
			began := time.Now()
			code, output := f.run(t, r, "publish", "--timeout", "3s")
			if took := time.Since(began); took > 20*time.Second {
				t.Errorf("it took %s to fail", took)
			}
			for _, want := range c.want {
				if !strings.Contains(output, want) {
					t.Errorf("the output lacks %q:\n%s", want, output)
				}
			}
			if attached, moved := r.attached(); code == 0 || attached+moved != 0 {
				t.Errorf("exit code %d, %d manifests attached and %d tags moved\n%s", code, attached, moved, output)
			}
		})
	}
}
