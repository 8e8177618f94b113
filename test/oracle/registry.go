package oracle

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"github.com/artifactctl/artifactctl/test/peers"
)

// Tags returns what the content tags of a repository ("host/path") name: tag to digest. Tags that hold signatures are
// left out. A repository that does not exist has none.
func Tags(ctx context.Context, repository string) (map[string]string, error) {
	repo, err := name.NewRepository(repository)
	if err != nil {
		return nil, fmt.Errorf("parse repository: %w", err)
	}
	tags, err := remote.List(repo, remote.WithContext(ctx))
	if refused := (*transport.Error)(nil); errors.As(err, &refused) && refused.StatusCode == http.StatusNotFound {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list tags: %w", err)
	}
	digests := make(map[string]string)
	for _, tag := range tags {
		if peers.IsSignatureTag(tag) {
			continue
		}
		d, err := remote.Head(repo.Tag(tag), remote.WithContext(ctx))
		if err != nil {
			return nil, fmt.Errorf("look up %s: %w", repo.Tag(tag), err)
		}
		digests[tag] = d.Digest.String()
	}
	return digests, nil
}

// Referrers returns the manifests that refer to ref ("host/path@sha256:…"), through the referrers API or its fallback.
func Referrers(ctx context.Context, ref string) ([]v1.Descriptor, error) {
	digest, err := name.NewDigest(ref)
	if err != nil {
		return nil, fmt.Errorf("parse reference: %w", err)
	}
	index, err := remote.Referrers(digest, remote.WithContext(ctx))
	if err != nil {
		return nil, fmt.Errorf("list referrers: %w", err)
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		return nil, fmt.Errorf("read referrers: %w", err)
	}
	return manifest.Manifests, nil
}

// Layer returns the first layer of ref as it is stored: what Flux extracts.
func Layer(ctx context.Context, ref string) ([]byte, error) {
	parsed, err := name.ParseReference(ref)
	if err != nil {
		return nil, fmt.Errorf("parse reference: %w", err)
	}
	image, err := remote.Image(parsed, remote.WithContext(ctx))
	if err != nil {
		return nil, fmt.Errorf("fetch manifest: %w", err)
	}
	layers, err := image.Layers()
	if err != nil || len(layers) == 0 {
		return nil, fmt.Errorf("%s has no layer: %w", ref, err)
	}
	blob, err := layers[0].Compressed()
	if err != nil {
		return nil, fmt.Errorf("fetch layer: %w", err)
	}
	content, err := io.ReadAll(blob)
	if err != nil {
		return nil, fmt.Errorf("read layer: %w", err)
	}
	return content, blob.Close()
}
