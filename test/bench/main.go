// Command bench measures artifactctl: publishing generated fleets to a real registry on loopback, runs that have nothing
// or little to do, renders beside the kustomize command, the growth to ten thousand apps, and in pairs with each the
// shell loop that it replaces. It prints Markdown. It checks nothing but that renders are kustomize's to the byte: that
// what was measured is right is what the tests are for.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"

	"github.com/artifactctl/artifactctl/test/fixture"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	var err error
	if len(os.Args) == 3 && os.Args[1] == registryArgument {
		err = serveRegistry(ctx, os.Args[2], os.Stdin, os.Stdout)
	} else {
		err = measure(ctx)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// options are what the command line asks for.
type options struct {
	fleets  []string
	apps    int
	loop    int
	repeat  int
	grow    int
	only    []string
	storage string
	write   string
}

// parseFlags reads the command line.
func parseFlags() (options, error) {
	var o options
	fleets := flag.String("fleet", "small,medium,tiny", "fleets: "+join(fixture.Kinds()))
	only := flag.String("only", "", "parts: "+join(allParts())+" (default: all for small, growth for tiny, else render)")
	flag.IntVar(&o.apps, "apps", 0, "apps of each fleet (default 500 small, 100 medium, 10 large, 10000 tiny)")
	flag.IntVar(&o.loop, "loop", 20, "apps that the shell loop is measured with; 0 leaves it out")
	flag.IntVar(&o.repeat, "repeat", 3, "how often short runs are measured; the median counts")
	flag.IntVar(&o.grow, "grow", 500, "apps of the smaller fleet that growth is measured from")
	flag.StringVar(&o.storage, "storage", "inmemory", "where the registry keeps content: inmemory, or filesystem, which measures the disk, too")
	flag.StringVar(&o.write, "write", "", "measure nothing: write the first fleet of -fleet into this directory")
	flag.Parse()
	o.fleets, o.only = split(*fleets), split(*only)
	for _, f := range o.fleets {
		if !slices.Contains(fixture.Kinds(), fixture.Kind(f)) {
			return o, fmt.Errorf("-fleet: %q is none of %s", f, join(fixture.Kinds()))
		}
	}
	for _, p := range o.only {
		if !slices.Contains(allParts(), part(p)) {
			return o, fmt.Errorf("-only: %q is none of %s", p, join(allParts()))
		}
	}
	if o.storage != "inmemory" && o.storage != "filesystem" {
		return o, fmt.Errorf("-storage: %q is neither inmemory nor filesystem", o.storage)
	}
	if len(o.fleets) == 0 || o.repeat < 1 || o.apps < 0 || o.loop < 0 || o.grow < 1 || flag.NArg() > 0 {
		return o, errors.New("give a fleet, numbers that are not negative, and nothing but flags")
	}
	return o, nil
}

// measure measures what the command line asks for.
func measure(ctx context.Context) (err error) {
	o, err := parseFlags()
	if err != nil {
		return err
	}
	if o.write != "" {
		return write(ctx, o)
	}
	dir, err := os.MkdirTemp("", "bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	b, err := newBench(ctx, o, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.registry.close()) }()
	describe(os.Stdout, b)
	for _, f := range o.fleets {
		if err := b.fleet(ctx, fixture.Kind(f)); err != nil {
			return err
		}
	}
	return nil
}

// write leaves a fleet and its key for experiments by hand.
func write(ctx context.Context, o options) (err error) {
	kind := fixture.Kind(o.fleets[0])
	dir, err := os.MkdirTemp("", "bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	key, err := fixture.MakeKey("p256", dir)
	if err != nil {
		return err
	}
	fleet, err := fixture.WriteFleet(ctx, o.write, fixture.Options{Apps: o.size(kind), Kind: kind, Key: key})
	if err != nil {
		return err
	}
	private := filepath.Join(fleet.Dir, ".git", "signer.key")
	if err := os.WriteFile(private, key.Private, 0o600); err != nil {
		return err
	}
	fmt.Printf("cd %s\nexport %s=oci://127.0.0.1:5000/org %s=\"$(cat %s)\"\n", fleet.Dir, fixture.RegistryEnv, fixture.KeyEnv, private)
	return nil
}

// size is how many apps the fleet of this kind has.
func (o options) size(k fixture.Kind) int {
	if o.apps > 0 {
		return o.apps
	}
	return k.Usual()
}

func split(list string) []string {
	return strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' })
}

func join[T ~string](list []T) string {
	texts := make([]string, len(list))
	for i, t := range list {
		texts[i] = string(t)
	}
	return strings.Join(texts, ", ")
}
