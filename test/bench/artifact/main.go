// Command artifact stands in for the flux command in the shell loop that the benchmark measures, where flux is not
// installed: it pushes, tags and compares artifacts with Flux's own library. It links nothing else, so that it starts
// faster than flux does.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/fluxcd/pkg/oci"
	"github.com/google/go-containerregistry/pkg/crane"
)

func main() {
	if err := run(context.Background(), os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "artifact:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) != 3 {
		return fmt.Errorf("usage: artifact push|diff REF DIR, artifact tag REF TAG")
	}
	client := oci.NewClient([]crane.Option{crane.Insecure})
	var err error
	switch verb, ref, operand := args[0], args[1], args[2]; verb {
	case "push":
		_, err = client.Push(ctx, ref, operand, oci.WithPushMetadata(oci.Metadata{Source: "bench", Revision: "main"}))
	case "tag":
		_, err = client.Tag(ctx, ref, operand)
	case "diff":
		err = client.Diff(ctx, ref, operand, nil)
	default:
		err = fmt.Errorf("unknown verb %q", verb)
	}
	return err
}
