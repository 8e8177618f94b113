package render

import (
	"bytes"
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"

	"github.com/artifactctl/artifactctl/internal/render/fault"
	"github.com/artifactctl/artifactctl/internal/render/worker"
)

var (
	errDeadline = errors.New("deadline")
	// errNotTaken: the worker was dead before it had the request.
	errNotTaken = errors.New("render worker is gone")
)

// process is a running worker. One caller at a time may use it; end may be called at any time.
type process struct {
	kind    kind
	cmd     *exec.Cmd
	stdin   *os.File
	stdout  *os.File
	out     *gob.Encoder
	in      *gob.Decoder
	words   *lastWords
	scratch string
	reaped  chan struct{}
	ended   sync.Once
	endErr  error
}

// startProcess starts a worker. It outlives ctx, which is that of its first request.
func startProcess(ctx context.Context, command, env []string, k kind, setup worker.Setup) (*process, error) {
	if len(command) == 0 {
		return nil, errors.New("start render worker: no command")
	}
	theirStdin, stdin, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("start render worker: %w", err)
	}
	stdout, theirStdout, err := os.Pipe()
	if err != nil {
		closeAll(theirStdin, stdin)
		return nil, fmt.Errorf("start render worker: %w", err)
	}
	defer closeAll(theirStdin, theirStdout)
	cmd := exec.CommandContext(context.WithoutCancel(ctx), command[0], command[1:]...)
	words := &lastWords{}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = theirStdin, theirStdout, words
	cmd.Env = append([]string{}, env...)
	cmd.SysProcAttr = attributes()
	cmd.WaitDelay = 2 * time.Second // should a grandchild hold standard error open
	if err := cmd.Start(); err != nil {
		closeAll(stdin, stdout)
		return nil, fmt.Errorf("start render worker: %w", err)
	}
	w := &process{
		kind: k, cmd: cmd, stdin: stdin, stdout: stdout, out: gob.NewEncoder(stdin), in: gob.NewDecoder(stdout),
		words: words, scratch: setup.Scratch, reaped: make(chan struct{}),
	}
	go func() {
		defer close(w.reaped)
		_ = cmd.Wait() // how it ended is in cmd.ProcessState
	}()
	return w, nil
}

func closeAll(files ...*os.File) {
	for _, f := range files {
		_ = f.Close()
	}
}

// greet sets the worker up and checks that it is one.
func (w *process) greet(ctx context.Context, setup worker.Setup, timeout time.Duration) error {
	var hello worker.Hello
	if err := w.exchange(ctx, timeout, setup, &hello); err != nil {
		return fmt.Errorf("start render worker: %w", err)
	}
	if hello.Protocol != worker.Protocol || hello.Kustomize != worker.Kustomize {
		return fmt.Errorf("start render worker: %s is of another version", w.cmd.Path)
	}
	return nil
}

// do has the worker run one build. After an error the worker is of no use any more.
func (w *process) do(ctx context.Context, r worker.Request, timeout time.Duration) (worker.Response, error) {
	var response worker.Response
	err := w.exchange(ctx, timeout, r, &response)
	return response, err
}

// exchange sends one message and waits for the answer, for ctx, or for the end of timeout; in the last two cases it
// kills the worker.
func (w *process) exchange(ctx context.Context, timeout time.Duration, message, answer any) error {
	select {
	case <-w.reaped:
		return errNotTaken
	default:
	}
	var failure error
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := w.out.Encode(message); err != nil {
			failure = fmt.Errorf("%w: %w", errNotTaken, err)
			return
		}
		failure = w.in.Decode(answer)
	}()
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	var cause error
	select {
	case <-done:
		if failure == nil {
			return nil
		}
		return w.died(failure)
	case <-ctx.Done():
		cause = ctx.Err()
	case <-timer.C:
		cause = errDeadline
	}
	cause = errors.Join(cause, w.end())
	<-done // the pipes are closed: nothing writes to answer any more
	return cause
}

// died says how a worker ended that did not answer.
func (w *process) died(cause error) error {
	select { // it closed its end of a pipe, so it is about to be gone; how it went is the better message
	case <-w.reaped:
	case <-time.After(2 * time.Second):
	}
	if err := w.end(); err != nil {
		return err
	}
	words := w.words.String()
	reason, message := fault.Crash, "the render worker ended early: "+w.cmd.ProcessState.String()
	switch {
	case strings.Contains(words, "out of memory") || strings.Contains(words, "cannot allocate memory"):
		reason, message = fault.Memory, "the render ran out of memory"
	case words != "":
		message = "the render worker ended early: " + words
	}
	death := &fault.Error{Reason: reason, Message: message}
	if errors.Is(cause, errNotTaken) {
		return fmt.Errorf("%w: %w", errNotTaken, death)
	}
	return death
}

// end kills the worker with all that it started, waits until it is gone, and removes its clones. Later calls wait, too.
func (w *process) end() error {
	w.ended.Do(func() {
		kill(w.cmd.Process, w.reaped)
		<-w.reaped
		closeAll(w.stdin, w.stdout)
		w.endErr = removeScratch(w.scratch)
	})
	return w.endErr
}

func removeScratch(dir string) error {
	if dir == "" {
		return nil
	}
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("remove clones: %w", err)
	}
	return nil
}

// maxWords bounds what is kept of a worker's standard error: the first lines say why it died, the rest is stacks.
const maxWords = 16 << 10

// lastWords keeps what a worker has written to its standard error since the begin of its last request.
type lastWords struct {
	mu   sync.Mutex
	text []byte
}

// Write implements io.Writer.
func (l *lastWords) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text = append(l.text, p...)
	if i := bytes.LastIndex(l.text, []byte(worker.RequestMark)); i >= 0 {
		l.text = l.text[i+len(worker.RequestMark):]
	}
	l.text = l.text[:min(len(l.text), maxWords)]
	return len(p), nil
}

// String returns the first paragraph: what follows are goroutine stacks.
func (l *lastWords) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	text, _, _ := strings.Cut(strings.TrimSpace(string(l.text)), "\n\n")
	return text
}
