package registry

import (
	"context"

	"github.com/artifactctl/artifactctl/internal/artifact"
)

// Dry returns a Copier that only reads: it counts the manifests that a copy would write, and the bytes of blobs that it
// would send if the target's registry had none of them in another repository.
func (c *Copier) Dry() *Copier {
	dry := NewCopier(c.from, unwritten{c.to})
	dry.dry = true
	return dry
}

// unwritten is a store of which every write succeeds and does nothing.
type unwritten struct{ Store }

func (unwritten) Tag(context.Context, string, artifact.Manifest, string) error { return nil }

func (unwritten) putBlobs(context.Context, string, ...artifact.Blob) (bool, error) { return true, nil }

func (unwritten) put(context.Context, string, artifact.Manifest, ...artifact.Blob) error { return nil }

func (unwritten) putManifest(context.Context, string, artifact.Manifest) error { return nil }

func (unwritten) link(context.Context, string, artifact.Descriptor, artifact.Descriptor) error {
	return nil
}

func (unwritten) exclusive(context.Context, string, string) (func(), error) { return func() {}, nil }
