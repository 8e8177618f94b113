// Command serve runs a private Sigstore for tests in other modules. It prints where its services are and its trusted root
// as a line of JSON. Then it answers each line of standard input, a mail address, with a line: an identity token for it
// that is valid for an hour. It ends when its standard input does. It has to run in a directory of its module.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/artifactctl/artifactctl/test/keyless/stack"
)

func main() {
	if err := run(context.Background(), os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "serve:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, in io.Reader, out io.Writer) (err error) {
	dir, err := os.MkdirTemp("", "sigstore-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	var ends []func()
	defer func() {
		for _, end := range slices.Backward(ends) {
			end()
		}
	}()
	s, err := stack.Run(ctx, dir, func(end func()) { ends = append(ends, end) })
	if err != nil {
		return err
	}
	trustedRoot, err := s.EncodeTrustedRoot()
	if err != nil {
		return err
	}
	if err := json.NewEncoder(out).Encode(map[string]any{
		"issuer": s.Issuer.URL, "fulcio": s.FulcioURL, "rekor": s.RekorURL, "timestamp": s.TimestampURL,
		"trustedRoot": json.RawMessage(trustedRoot),
	}); err != nil {
		return err
	}
	for addresses := bufio.NewScanner(in); ; {
		if !addresses.Scan() {
			return addresses.Err()
		}
		token, err := s.Issuer.Token(addresses.Text(), time.Hour)
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintln(out, token); err != nil {
			return err
		}
	}
}
