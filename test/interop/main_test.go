// Package interop_test holds the product's formats and adapters against the tools that read or write the same: Flux's
// libraries, cosign, kustomize, real registries, and the proto compiler.
package interop_test

import (
	"context"
	"fmt"
	"os"
	"testing"

	"github.com/artifactctl/artifactctl/internal/render/worker"
)

// workerArgument makes the test binary a render worker, as a hidden command does in artifactctl.
const workerArgument = "render-worker"

func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == workerArgument {
		if err := worker.Serve(context.Background(), os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}
