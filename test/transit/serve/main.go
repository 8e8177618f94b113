// Command serve serves the transit engine to tests in other modules: it prints its address and the token that may do
// everything as a line of JSON, and ends when its standard input does.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http/httptest"
	"os"

	"github.com/artifactctl/artifactctl/test/transit"
)

func main() {
	if err := run(context.Background(), os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "serve:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, until io.Reader, out io.Writer) error {
	s, err := transit.New(ctx, "transit", "")
	if err != nil {
		return err
	}
	server := httptest.NewServer(s)
	defer server.Close()
	if err := json.NewEncoder(out).Encode(map[string]string{"url": server.URL, "token": transit.RootToken}); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, until)
	return err
}
