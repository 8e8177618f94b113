package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"time"

	"github.com/artifactctl/artifactctl/test/fixture"
	"github.com/artifactctl/artifactctl/test/peers"
)

// measurement is what one run cost.
type measurement struct {
	name     string
	apps     int
	wall     time.Duration
	cpu      time.Duration // of the process and its children
	memory   int64         // bytes, of the largest process
	requests map[string]int
}

type bench struct {
	fleet    *fixture.Fleet
	registry *peers.Registry
	program  string
	home     string
}

// measure publishes the fleet three times: from nothing, with nothing to do, and with one changed app.
func (b *bench) measure(ctx context.Context) ([]measurement, error) {
	first, err := b.publish(ctx, "everything is new")
	if err != nil {
		return nil, err
	}
	again, err := b.publish(ctx, "nothing to do")
	if err != nil {
		return nil, err
	}
	if err := b.fleet.Write("apps/app-000/overlay/app.properties", "name=changed\n"); err != nil {
		return nil, err
	}
	if err := b.fleet.Commit(ctx, "second"); err != nil {
		return nil, err
	}
	one, err := b.publish(ctx, "one app changed")
	return []measurement{first, again, one}, err
}

// publish runs artifactctl once. The registry runs in this process, so that its work is not counted.
func (b *bench) publish(ctx context.Context, name string) (measurement, error) {
	b.registry.Reset()
	cmd := exec.CommandContext(ctx, b.program, "publish")
	cmd.Dir = b.fleet.Dir
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + b.home}, b.fleet.Env("oci://"+b.registry.Host+"/org")...)
	start := time.Now()
	output, err := cmd.CombinedOutput()
	if err != nil {
		return measurement{}, fmt.Errorf("%s: artifactctl publish: %w\n%s", name, err, output)
	}
	return measurement{
		name:     name,
		apps:     len(b.fleet.Repositories),
		wall:     time.Since(start),
		cpu:      cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(),
		memory:   peakMemory(cmd.ProcessState),
		requests: peers.Count(b.registry.Requests()),
	}, nil
}
