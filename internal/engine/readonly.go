package engine

import (
	"context"

	"github.com/artifactctl/artifactctl/internal/artifact"
)

// readOnly is what a plan gets for a registry: it reads, and every write is ErrReadOnly.
type readOnly struct{ Registry }

func (readOnly) Push(context.Context, string, *artifact.Artifact) error { return ErrReadOnly }

func (readOnly) Attach(context.Context, string, artifact.Descriptor, artifact.Signature) error {
	return ErrReadOnly
}

func (readOnly) Tag(context.Context, string, artifact.Manifest, string) error { return ErrReadOnly }
