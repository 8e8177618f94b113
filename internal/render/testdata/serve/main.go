// Command serve is a render worker and nothing else, to be built with flags that a test chooses.
package main

import (
	"context"
	"os"

	"github.com/artifactctl/artifactctl/internal/render/worker"
)

func main() {
	if err := worker.Serve(context.Background(), os.Stdin, os.Stdout); err != nil {
		os.Exit(1)
	}
}
