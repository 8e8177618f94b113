package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"time"

	"github.com/artifactctl/artifactctl/test/fixture"
)

// cost is what a run, or a loop of several processes, took.
type cost struct {
	apps     int
	wall     time.Duration
	cpu      time.Duration // of the processes and their children
	parent   int64         // bytes: the peak of the process itself
	worker   int64         // bytes: the peak of its largest render worker
	requests map[string]int
	registry time.Duration // CPU of the registry
}

// run runs artifactctl in a fleet, and measures it.
func (b *bench) run(ctx context.Context, f *fixture.Fleet, place string, args ...string) (cost, error) {
	if _, err := b.registry.report(ctx); err != nil {
		return cost{}, err
	}
	cmd := exec.CommandContext(ctx, b.program, args...)
	cmd.Dir = f.Dir
	cmd.Env = append(b.environ(), f.Env("oci://"+b.registry.host+"/"+place)...)
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	c := cost{apps: len(f.Repositories)}
	start := time.Now()
	if err := cmd.Start(); err != nil {
		return cost{}, err
	}
	ended, watched := make(chan struct{}), make(chan struct{})
	go func() {
		c.parent, c.worker = watch(cmd.Process.Pid, ended)
		close(watched)
	}()
	err := cmd.Wait()
	c.wall = time.Since(start)
	close(ended)
	<-watched
	if err != nil {
		return cost{}, fmt.Errorf("artifactctl %v: %w\n%s", args, err, tail(output.Bytes()))
	}
	c.cpu = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	told, err := b.registry.report(ctx)
	c.requests, c.registry = told.Requests, told.CPU
	return c, err
}

// measureLoop calls step for the first n apps, one after the other, and measures the processes that it starts.
func (b *bench) measureLoop(ctx context.Context, n int, step func(i int) error) (cost, error) {
	if _, err := b.registry.report(ctx); err != nil {
		return cost{}, err
	}
	start, cpu := time.Now(), childrenCPU()
	for i := range n {
		if err := step(i); err != nil {
			return cost{}, err
		}
	}
	c := cost{apps: n, wall: time.Since(start), cpu: childrenCPU() - cpu}
	told, err := b.registry.report(ctx)
	c.requests, c.registry = told.Requests, told.CPU
	return c, err
}

// environ is the environment of everything that is measured: nothing of a CI system's, a home of its own.
func (b *bench) environ() []string {
	return []string{"PATH=" + os.Getenv("PATH"), "HOME=" + b.dir, "TMPDIR=" + os.TempDir(), "GIT_CONFIG_NOSYSTEM=1", "NO_PROXY=127.0.0.1"}
}

// command runs a program of the shell loop and returns what it printed.
func (b *bench) command(ctx context.Context, program string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env = append(b.environ(), "COSIGN_PASSWORD="+password, "TUF_ROOT="+b.dir+"/tuf")
	cmd.Dir = b.dir
	out, err := cmd.Output()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return nil, fmt.Errorf("%s %v: %w\n%s", program, args, err, tail(exit.Stderr))
	}
	return out, err
}

// tail is the end of what a program printed.
func tail(text []byte) []byte { return text[max(0, len(text)-2000):] }
