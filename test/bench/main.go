// Command bench measures artifactctl: publishing a generated fleet of small apps to a real registry on loopback, a run
// that has nothing to do, a run with one changed app, and for scale the shell loop that it replaces. It prints Markdown.
// It checks nothing: that what was measured is right is what the tests are for.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/artifactctl/artifactctl/test/fixture"
	"github.com/artifactctl/artifactctl/test/peers"
)

func main() {
	apps := flag.Int("apps", 100, "apps of the fleet")
	loop := flag.Int("loop", 10, "apps that the shell loop publishes; 0 leaves it out")
	kind := flag.String("registry", peers.DistributionKind, "registry: "+peers.DistributionKind+" or "+peers.ReferrersKind)
	flag.Parse()
	if err := run(context.Background(), os.Stdout, *apps, *loop, *kind); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer, apps, loop int, kind string) (err error) {
	dir, err := os.MkdirTemp("", "bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	key, err := fixture.MakeKey("p256", dir)
	if err != nil {
		return err
	}
	// One of them is the directory that is published as it stands.
	fleet, err := fixture.WriteFleet(ctx, filepath.Join(dir, "fleet"), fixture.Options{Apps: apps - 1, Key: key})
	if err != nil {
		return err
	}
	r, err := peers.Serve(ctx, kind)
	if err != nil {
		return err
	}
	defer r.Close()
	product, err := peers.BuildProduct(ctx, false)
	if err != nil {
		return err
	}
	b := &bench{fleet: fleet, registry: r, program: filepath.Join(product, "artifactctl"), home: dir}
	runs, err := b.measure(ctx)
	if err != nil {
		return err
	}
	title(out, apps, kind)
	times(out, runs)
	requests(out, runs)
	if loop > 0 {
		return shellLoop(ctx, out, fleet, r, dir, min(loop, apps-1))
	}
	return nil
}
