// Command bench measures signer-vault against the real transit engine: many signatures asked for at once, as artifactctl
// does, and one by one, as a loop over cosign does; on loopback, and with a server that is some milliseconds away. It
// prints Markdown, and fails when requests are not saved as they should be.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/artifactctl/artifactctl/test/peers"
)

// leastRatio is how many times fewer requests signing together must take.
const leastRatio = 10

func main() {
	signatures := flag.Int("signatures", 500, "signatures to make")
	keyType := flag.String("type", "ecdsa-p256", "type of the key")
	latency := flag.Duration("latency", 5*time.Millisecond, "time that the server adds to each request, in the second half")
	apps := flag.Int("apps", 100, "apps to publish with it; 0 leaves that out")
	flag.Parse()
	if err := run(context.Background(), os.Stdout, *signatures, *keyType, *latency, *apps); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer, signatures int, keyType string, latency time.Duration, apps int) error {
	dir, err := os.MkdirTemp("", "bench-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	product, err := peers.BuildProduct(ctx, false)
	if err != nil {
		return err
	}
	v, err := serve(ctx, keyType)
	if err != nil {
		return err
	}
	defer v.http.Close()
	b := &bench{vault: v, product: product, dir: dir, signatures: signatures}
	rows, err := b.measure(ctx, latency)
	if err != nil {
		return err
	}
	if apps > 0 {
		for _, away := range []time.Duration{0, latency} {
			row, err := b.publish(ctx, apps, away)
			if err != nil {
				return err
			}
			rows = append(rows, row)
		}
	}
	title(out, signatures, keyType)
	table(out, rows)
	return judge(rows)
}

// measure signs together and one by one, first with the server beside, then away.
func (b *bench) measure(ctx context.Context, latency time.Duration) ([]row, error) {
	var rows []row
	for _, away := range []time.Duration{0, latency} {
		for _, way := range []struct {
			name       string
			concurrent int
		}{{oneByOne, 1}, {together, b.signatures}} {
			r, err := b.sign(ctx, way.name, way.concurrent, away)
			if err != nil {
				return nil, err
			}
			rows = append(rows, r)
		}
	}
	return rows, nil
}

// judge compares each run that signs together with the one before, which signs one by one.
func judge(rows []row) error {
	for i, r := range rows {
		if r.name == together && rows[i-1].requests < leastRatio*r.requests {
			return fmt.Errorf("%d requests together, %d one by one: less than %d times fewer", r.requests, rows[i-1].requests, leastRatio)
		}
	}
	return nil
}

// signer is the path of the plugin.
func (b *bench) signer() string { return filepath.Join(b.product, "signer-vault") }

func title(out io.Writer, signatures int, keyType string) {
	fmt.Fprintf(out, "# signer-vault makes %d signatures\n\n", signatures)
	fmt.Fprintf(out, "Vault's transit engine with a key of type %s, over HTTP on loopback; the plugin is a process of its own. %s\n\n", keyType, machine())
}

func table(out io.Writer, rows []row) {
	fmt.Fprintln(out, "| | server is away | signatures | requests to sign | wall | per signature | requests saved |")
	fmt.Fprintln(out, "|---|---:|---:|---:|---:|---:|---:|")
	for _, r := range rows {
		fmt.Fprintf(out, "| %s | %s | %d | %d | %.0f ms | %.2f ms | %.0fx |\n", r.name, r.away, r.signatures, r.requests,
			float64(r.wall.Microseconds())/1000, float64(r.wall.Microseconds())/1000/float64(r.signatures), float64(r.signatures)/float64(r.requests))
	}
	fmt.Fprintln(out)
}

func isSign(path string) bool { return strings.Contains(path, "/sign/") }
