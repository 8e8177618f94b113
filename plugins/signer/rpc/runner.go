package rpc

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"time"
)

const (
	maxHandshake = 16 << 10        // bytes of the one line that a plugin may print
	pipeDelay    = time.Second     // how long a grandchild may hold the plugin's output open
	tailLines    = 10              // lines of standard error kept for the message about a death
	maxTailLine  = 1 << 10         // bytes of each
	exitNotice   = 5 * time.Second // between a broken connection and the news of the process' end, at most
)

var errKilled = errors.New("killed before it started")

// runner is the child process. It implements go-plugin's runner.Runner instead of using go-plugin's own for three
// reasons: the child's standard input is a pipe that tells it of our death, not ours; its working directory and
// environment are exactly those asked for; and how it died, with its last words, is known afterwards.
type runner struct {
	cmd       *exec.Cmd
	handshake *firstLine
	tail      *tail
	stdout    *io.PipeReader
	stderr    *io.PipeReader
	stderrIn  *io.PipeWriter
	lifeline  *os.File      // our end of the child's standard input
	done      chan struct{} // closed when the process is gone and all of its output was read

	mu       sync.Mutex
	killed   bool
	started  bool
	startErr error
}

func newRunner(path, dir string, env []string) *runner {
	stdout, stdoutIn := io.Pipe()
	stderr, stderrIn := io.Pipe()
	r := &runner{
		handshake: &firstLine{to: stdoutIn}, tail: &tail{},
		stdout: stdout, stderr: stderr, stderrIn: stderrIn,
		done: make(chan struct{}),
	}
	r.cmd = &exec.Cmd{
		Path: path, Args: []string{path}, Dir: dir, Env: append([]string{}, env...),
		Stdout: r.handshake, Stderr: io.MultiWriter(r.tail, stderrIn), WaitDelay: pipeDelay,
	}
	return r
}

// Start starts the process; see runner.Runner.
func (r *runner) Start(context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.startErr = r.start(); r.startErr != nil {
		r.closePipes()
		close(r.done)
	}
	return r.startErr
}

func (r *runner) start() error {
	if r.killed {
		return errKilled
	}
	stdin, lifeline, err := os.Pipe()
	if err != nil {
		return err
	}
	defer func() { _ = stdin.Close() }()
	r.cmd.Stdin, r.lifeline = stdin, lifeline
	if err := r.cmd.Start(); err != nil {
		return err
	}
	r.started = true
	go func() {
		_ = r.cmd.Wait() // the exit status is in ProcessState
		r.closePipes()
		close(r.done)
	}()
	return nil
}

func (r *runner) closePipes() {
	if r.lifeline != nil {
		_ = r.lifeline.Close()
	}
	r.handshake.close()
	_ = r.stderrIn.Close()
}

// Kill is kill; see runner.AttachedRunner.
func (r *runner) Kill(context.Context) error { return r.kill() }

// kill ends the process at once. It does not wait.
func (r *runner) kill() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.killed = true
	if !r.started {
		return nil
	}
	if err := r.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	return nil
}

// Wait waits until the process is gone and its output was read.
func (r *runner) Wait(context.Context) error {
	<-r.done
	return nil
}

// exited tells whether the process has ended, waiting for it at most so long.
func (r *runner) exited(ctx context.Context, wait time.Duration) bool {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-r.done:
		return true
	case <-ctx.Done():
	case <-timer.C:
	}
	return false
}

// status is how the process ended: "exit status 3", "signal: killed". Only after done.
func (r *runner) status() string {
	if r.cmd.ProcessState == nil {
		return "never started"
	}
	return r.cmd.ProcessState.String()
}

// ID is the process id, empty before the start; see runner.AttachedRunner.
func (r *runner) ID() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.started {
		return ""
	}
	return strconv.Itoa(r.cmd.Process.Pid)
}

func (r *runner) Name() string                    { return r.cmd.Path }
func (r *runner) Stdout() io.ReadCloser           { return r.stdout }
func (r *runner) Stderr() io.ReadCloser           { return r.stderr }
func (r *runner) Diagnose(context.Context) string { return "" }

// PluginToHost and HostToPlugin translate addresses; both processes live on one machine.
func (r *runner) PluginToHost(network, address string) (string, string, error) {
	return network, address, nil
}

func (r *runner) HostToPlugin(network, address string) (string, string, error) {
	return network, address, nil
}

// firstLine passes on the first line that is written to it, keeps it, and drops all that follows: a plugin that goes on
// printing neither blocks nor fills memory.
type firstLine struct {
	mu   sync.Mutex
	line bytes.Buffer
	to   *io.PipeWriter
	done bool
}

func (f *firstLine) Write(p []byte) (int, error) {
	f.mu.Lock()
	done, end := f.done, false
	if !done {
		line, _, found := bytes.Cut(p, []byte("\n"))
		f.line.Write(line[:min(len(line), maxHandshake-f.line.Len())])
		end = found || f.line.Len() >= maxHandshake
		f.done = end
	}
	f.mu.Unlock()
	if end {
		f.forward()
	}
	return len(p), nil
}

func (f *firstLine) forward() {
	_, _ = io.WriteString(f.to, f.String()+"\n") // the reader may be gone, nobody is interested then
}

func (f *firstLine) String() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.line.String()
}

func (f *firstLine) close() { _ = f.to.Close() }

// tail keeps the last lines that were written to it.
type tail struct {
	mu    sync.Mutex
	lines []string
	part  []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, b := range p {
		switch {
		case b == '\n':
			t.flush()
		case len(t.part) < maxTailLine:
			t.part = append(t.part, b)
		}
	}
	return len(p), nil
}

func (t *tail) flush() {
	if line := cleanLine(string(t.part)); line != "" {
		t.lines = append(t.lines, line)
		t.lines = t.lines[max(0, len(t.lines)-tailLines):]
	}
	t.part = t.part[:0]
}

func (t *tail) last() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.flush()
	return append([]string(nil), t.lines...)
}
