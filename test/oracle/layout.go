package oracle

import (
	"context"
	"fmt"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// refName is the annotation of an OCI layout's index that holds a tag.
const refName = "org.opencontainers.image.ref.name"

// CopyLayout copies the OCI image layout in dir into a repository ("host/path"): every image that its index names, by
// digest, and every tag. It reads the layout with go-containerregistry, which knows nothing of who wrote it.
func CopyLayout(ctx context.Context, dir, repository string) error {
	repo, err := name.NewRepository(repository)
	if err != nil {
		return fmt.Errorf("parse repository: %w", err)
	}
	index, err := layout.ImageIndexFromPath(dir)
	if err != nil {
		return fmt.Errorf("open layout: %w", err)
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		return fmt.Errorf("read the layout's index: %w", err)
	}
	for _, d := range manifest.Manifests {
		if d.MediaType.IsIndex() {
			continue // the fallback list of referrers: the registry makes its own
		}
		if err := copyImage(ctx, index, d, repo); err != nil {
			return fmt.Errorf("copy %s: %w", d.Digest, err)
		}
	}
	return nil
}

func copyImage(ctx context.Context, index v1.ImageIndex, d v1.Descriptor, repo name.Repository) error {
	image, err := index.Image(d.Digest)
	if err != nil {
		return err
	}
	if err := remote.Write(repo.Digest(d.Digest.String()), image, remote.WithContext(ctx)); err != nil {
		return err
	}
	if tag := d.Annotations[refName]; tag != "" {
		return remote.Tag(repo.Tag(tag), image, remote.WithContext(ctx))
	}
	return nil
}
