package worker

import (
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"runtime"
	"runtime/debug"
	"sync/atomic"

	"github.com/artifactctl/artifactctl/internal/render/fault"
)

// RequestMark is written to the standard error stream when a request begins, so that the last words of a worker that
// dies can be told from those of earlier requests.
const RequestMark = "\x00request\x00\n"

// errParentGone is why a worker gives up in the middle of a build.
var errParentGone = errors.New("render worker: standard input was closed during a build")

// Serve is the whole life of a worker: it answers requests until stdin ends, ctx is done, or a build left the process
// in doubt. It takes over os.Stdout, os.Stderr, the standard logger, http.DefaultTransport and the limits of the
// process, so the caller has to be a process of its own and has to exit when Serve returns: a build that does not end
// may still be running.
func Serve(ctx context.Context, stdin io.Reader, stdout io.Writer) error {
	in, out := gob.NewDecoder(stdin), gob.NewEncoder(stdout)
	var setup Setup
	if err := in.Decode(&setup); err != nil {
		return fmt.Errorf("read set-up of render worker (it is started by artifactctl, not by hand): %w", err)
	}
	if err := out.Encode(Hello{Protocol: Protocol, Kustomize: Kustomize}); err != nil {
		return fmt.Errorf("greet: %w", err)
	}
	if setup.Protocol != Protocol {
		return fmt.Errorf("protocol %d is not %d", setup.Protocol, Protocol)
	}
	exhausted, network := isolate(ctx, setup)

	requests := make(chan Request)
	gone := make(chan struct{})
	go receive(ctx, in, requests, gone)
	b := newBuilder(setup, network)
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-gone:
			return nil
		case request := <-requests:
			last, err := answer(ctx, b, request, out, gone, exhausted)
			if last || err != nil {
				return err
			}
		}
	}
}

// answer runs one build beside the things that may end it early.
func answer(ctx context.Context, b *builder, request Request, out *gob.Encoder, gone <-chan struct{},
	exhausted <-chan int64) (last bool, err error) {
	_, _ = os.Stderr.WriteString(RequestMark)
	done := make(chan Response, 1)
	go func() { done <- b.build(request) }()
	var response Response
	select {
	case <-ctx.Done():
		return true, ctx.Err()
	case <-gone:
		endGroup()
		return true, errParentGone
	case limit := <-exhausted:
		response = Response{Last: true, Err: outOfMemory(limit)}
	case response = <-done:
	}
	if err := out.Encode(response); err != nil {
		return true, fmt.Errorf("answer: %w", err)
	}
	return response.Last, nil
}

func outOfMemory(limit int64) *fault.Error {
	return &fault.Error{
		Reason:  fault.Memory,
		Message: fmt.Sprintf("the render needs more than %d MiB of memory", limit>>20),
	}
}

// receive passes requests on, and closes gone when there will be no more: the parent closed the pipe, or is dead.
func receive(ctx context.Context, in *gob.Decoder, requests chan<- Request, gone chan<- struct{}) {
	defer close(gone)
	for {
		var request Request
		if err := in.Decode(&request); err != nil {
			return
		}
		select {
		case requests <- request:
		case <-ctx.Done():
			return
		}
	}
}

// isolate puts the process under the limits of setup. The returned channel gets the limit once the process outgrows it.
func isolate(ctx context.Context, setup Setup) (<-chan int64, *network) {
	os.Stdout = os.Stderr // whatever prints must not get into the protocol
	log.SetFlags(0)
	n := &network{}
	if setup.Network {
		n.transport = http.DefaultTransport
	}
	http.DefaultTransport = n // the one that kustomize uses
	// One build is one goroutine: a second processor serves the garbage collector, more are for other workers.
	runtime.GOMAXPROCS(min(2, runtime.GOMAXPROCS(0)))
	debug.SetGCPercent(400) // 40 % less processor time than the default, for tens of megabytes
	debug.SetMemoryLimit(setup.Memory / 4 * 3)
	limitData(setup.Memory)
	exhausted := make(chan int64, 1)
	go watchMemory(ctx, setup.Memory, exhausted)
	return exhausted, n
}

// network is the transport of a worker. It knows whether it was used.
type network struct {
	transport http.RoundTripper // nil: the worker may not use the network
	asked     atomic.Int64      // requests so far
}

// errOffline is what kustomize is told instead of a remote file.
var errOffline = errors.New("remote files are off")

// RoundTrip implements http.RoundTripper.
func (n *network) RoundTrip(r *http.Request) (*http.Response, error) {
	n.asked.Add(1)
	if n.transport == nil {
		return nil, errOffline
	}
	return n.transport.RoundTrip(r)
}
