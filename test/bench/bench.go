package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/artifactctl/artifactctl/test/fixture"
	"github.com/artifactctl/artifactctl/test/peers"
)

// part is one comparison.
type part string

// The parts.
const (
	partPublish part = "publish" // from nothing
	partIdle    part = "idle"    // nothing changed, warm cache
	partNoCache part = "nocache" // nothing changed, everything is rendered
	partChange  part = "change"  // one app changed
	partRender  part = "render"  // cold, beside kustomize processes
	partGrowth  part = "growth"  // from a small fleet to a large one
)

func allParts() []part {
	return []part{partPublish, partIdle, partNoCache, partChange, partRender, partGrowth}
}

// bench is what all parts share.
type bench struct {
	options
	dir      string // for everything that is written
	program  string // artifactctl
	registry *registry
	shell    *shell
	key      fixture.Key
}

// newBench builds and starts what is needed.
func newBench(ctx context.Context, o options, dir string) (*bench, error) {
	product, err := peers.BuildProduct(ctx, false)
	if err != nil {
		return nil, err
	}
	key, err := fixture.MakeKey("p256", dir)
	if err != nil {
		return nil, err
	}
	b := &bench{options: o, dir: dir, program: filepath.Join(product, "artifactctl"), key: key}
	if b.shell, err = findShell(ctx, b); err != nil {
		return nil, err
	}
	storage := o.storage
	if storage != "inmemory" {
		storage = filepath.Join(dir, "registry")
		if err := os.Mkdir(storage, 0o755); err != nil {
			return nil, err
		}
	}
	b.registry, err = startRegistry(ctx, storage)
	return b, err
}

// wants tells whether a part is measured with fleets of this kind.
func (b *bench) wants(k fixture.Kind, p part) bool {
	if len(b.only) > 0 {
		return slices.Contains(b.only, string(p))
	}
	switch k {
	case fixture.Small:
		return p != partGrowth
	case fixture.Tiny:
		return p == partGrowth
	}
	return p == partRender
}

// fleet measures what is wanted of one kind of fleet.
func (b *bench) fleet(ctx context.Context, k fixture.Kind) error {
	apps := b.size(k)
	fmt.Printf("\n## %d %s apps\n", apps, k)
	if b.wants(k, partGrowth) {
		if err := b.growth(ctx, k, apps); err != nil {
			return err
		}
	}
	if !slices.ContainsFunc([]part{partPublish, partIdle, partNoCache, partChange, partRender}, func(p part) bool { return b.wants(k, p) }) {
		return nil
	}
	f, err := b.generate(ctx, k, apps)
	if err != nil {
		return err
	}
	if b.wants(k, partRender) {
		if err := b.render(ctx, k, f); err != nil {
			return err
		}
	}
	return b.publish(ctx, k, f)
}

// generate writes a fleet. One of its apps is the directory that is published as it stands.
func (b *bench) generate(ctx context.Context, k fixture.Kind, apps int) (*fixture.Fleet, error) {
	dir := filepath.Join(b.dir, fmt.Sprintf("%s-%d", k, apps))
	return fixture.WriteFleet(ctx, dir, fixture.Options{Apps: apps - 1, Kind: k, Key: b.key})
}

// publish publishes a fleet for the first time and then in the ways that are wanted.
func (b *bench) publish(ctx context.Context, k fixture.Kind, f *fixture.Fleet) error {
	later := slices.ContainsFunc([]part{partIdle, partNoCache, partChange}, func(p part) bool { return b.wants(k, p) })
	if !later && !b.wants(k, partPublish) {
		return nil
	}
	cache := "--cache-dir=" + filepath.Join(b.dir, "cache")
	first, err := b.run(ctx, f, "fleet", "publish", cache)
	if err != nil {
		return err
	}
	s := &sheet{rows: []row{{"first publish", first}}}
	var idle, change, bare []cost
	for i := range b.repeat {
		if later {
			if err := b.again(ctx, f, &idle, cache); err != nil {
				return err
			}
		}
		if b.wants(k, partChange) {
			if err := f.Change(ctx, 0, i+1); err != nil {
				return err
			}
			if err := b.again(ctx, f, &change, cache); err != nil {
				return err
			}
		}
	}
	if b.wants(k, partNoCache) {
		if err := b.again(ctx, f, &bare, "--no-cache"); err != nil {
			return err
		}
	}
	s.add("nothing changed", idle)
	s.add("nothing changed, --no-cache", bare)
	s.add("one app changed", change)
	if err := b.loops(ctx, k, f, s); err != nil {
		return err
	}
	s.print(os.Stdout, len(f.Repositories))
	return nil
}

func (b *bench) again(ctx context.Context, f *fixture.Fleet, to *[]cost, flag string) error {
	c, err := b.run(ctx, f, "fleet", "publish", flag)
	*to = append(*to, c)
	return err
}

// median is the run with the median time.
func median(runs []cost) cost {
	sorted := slices.SortedFunc(slices.Values(runs), func(a, b cost) int { return int(a.wall - b.wall) })
	return sorted[len(sorted)/2]
}

// growth publishes a small and a large fleet and compares what an app takes.
func (b *bench) growth(ctx context.Context, k fixture.Kind, apps int) error {
	var first, idle [2]cost
	for i, n := range []int{b.grow, apps} {
		f, err := b.generate(ctx, k, n)
		if err != nil {
			return err
		}
		place, cache := fmt.Sprintf("growth-%d", n), "--cache-dir="+filepath.Join(b.dir, fmt.Sprintf("cache-%d", n))
		if first[i], err = b.run(ctx, f, place, "publish", cache); err != nil {
			return err
		}
		if idle[i], err = b.run(ctx, f, place, "publish", cache); err != nil {
			return err
		}
	}
	s := &sheet{}
	for i, n := range []int{b.grow, apps} {
		s.rows = append(s.rows, row{fmt.Sprintf("first publish of %d", n), first[i]}, row{fmt.Sprintf("nothing changed, %d", n), idle[i]})
	}
	s.goals = []goal{
		{fmt.Sprintf("first publish, time per app, %d against %d", apps, b.grow), ratio(perApp(first[1]), perApp(first[0])), "≤ 1.10"},
		{fmt.Sprintf("nothing changed, time per app, %d against %d", apps, b.grow), ratio(perApp(idle[1]), perApp(idle[0])), "≤ 1.10"},
		{"peak memory of the parent", mebibytes(max(first[1].parent, idle[1].parent)), "≤ 400 MiB"},
	}
	s.print(os.Stdout, apps)
	return nil
}

func perApp(c cost) time.Duration { return c.wall / time.Duration(c.apps) }

func cpuPerApp(c cost) time.Duration { return c.cpu / time.Duration(c.apps) }
