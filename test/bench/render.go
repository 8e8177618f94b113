package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/artifactctl/artifactctl/internal/artifact"
	"github.com/artifactctl/artifactctl/internal/render"
	"github.com/artifactctl/artifactctl/test/fixture"
)

// render renders a fleet with worker processes and nothing cached, and a sample with kustomize processes, as many at a
// time as there are processors. What both rendered has to be the same to the byte.
func (b *bench) render(ctx context.Context, k fixture.Kind, f *fixture.Fleet) error {
	sample := min(3*b.loop, len(f.Apps))
	if k == fixture.Large {
		sample = min(sample, runtime.NumCPU())
	}
	outputs := make([][]byte, len(f.Apps))
	ours, err := spread(ctx, len(f.Apps), func() (func(int) error, func() error) { return b.worker(ctx, f, outputs) })
	if err != nil {
		return err
	}
	rows := []row{{"render only, no cache", ours}}
	goals := []goal{}
	if sample > 0 && b.shell.kustomize != "" {
		theirs, err := spread(ctx, sample, func() (func(int) error, func() error) { return b.kustomize(ctx, f, outputs), nothing })
		if err != nil {
			return err
		}
		rows = append(rows, row{fmt.Sprintf("kustomize build, %d processes at a time, %d apps", runtime.NumCPU(), sample), theirs})
		wanted := map[fixture.Kind]string{fixture.Small: "≥ 6 ×", fixture.Medium: "≥ 2 ×"}[k]
		goals = append(goals, goal{"render only against `kustomize build`, wall", times(perApp(theirs), perApp(ours)), wanted},
			goal{"render only against `kustomize build`, CPU", times(cpuPerApp(theirs), cpuPerApp(ours)), ""})
	}
	s := &sheet{rows: rows, goals: goals}
	s.print(os.Stdout, len(f.Apps))
	return nil
}

func nothing() error { return nil }

// worker returns what renders one app with a pool, and what ends the pool.
func (b *bench) worker(ctx context.Context, f *fixture.Fleet, outputs [][]byte) (func(int) error, func() error) {
	pool := render.NewPool(render.PoolOptions{Command: []string{b.program, "render-worker"}})
	return func(i int) error {
		result, err := pool.Render(ctx, render.Request{Dir: filepath.Join(f.Dir, f.Apps[i]), Root: f.Dir})
		outputs[i] = result.Files[artifact.ManifestsFile]
		return err
	}, pool.Close
}

// kustomize returns what renders one app with a process of kustomize, and compares.
func (b *bench) kustomize(ctx context.Context, f *fixture.Fleet, outputs [][]byte) func(int) error {
	return func(i int) error {
		output, err := b.command(ctx, b.shell.kustomize, "build", filepath.Join(f.Dir, f.Apps[i]))
		if err == nil && !bytes.Equal(output, outputs[i]) {
			err = fmt.Errorf("%s does not render to what kustomize renders it to", f.Apps[i])
		}
		return err
	}
}

// spread does work for n apps, as many at a time as there are processors, and measures it with its begin and end.
func spread(ctx context.Context, n int, begin func() (work func(i int) error, end func() error)) (cost, error) {
	start, cpu := time.Now(), ownCPU()+childrenCPU()
	work, end := begin()
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.NumCPU())
	for i := range n {
		g.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			return work(i)
		})
	}
	err := g.Wait()
	if closed := end(); err == nil {
		err = closed
	}
	return cost{apps: n, wall: time.Since(start), cpu: ownCPU() + childrenCPU() - cpu}, err
}
