package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/opencontainers/go-digest"
	specs "github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/artifactctl/artifactctl/internal/artifact"
)

// Layout is a directory as a registry: one OCI image layout for each repository, at the repository's path below the
// directory, so that other tools (oras, skopeo, crane) read it too. Tags are ref.name annotations of index.json,
// referrers the manifests there that have a subject.
//
// It is safe for concurrent use, by several processes too. Files appear whole or not at all, and a manifest is in
// index.json only after all that it names is on disk: killed anywhere, it holds what was stored before.
type Layout struct {
	dir      string
	subjects sync.Map                // digest of a manifest → digest of its subject; both never change
	fault    func(step string) error // stops before a write; for tests
}

// NewLayout opens a directory as a registry. It need not exist: the first write makes it.
func NewLayout(dir string) (*Layout, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("open layout %s: %w", dir, err)
	}
	info, err := os.Stat(abs)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, fmt.Errorf("open layout: %w", err)
	case !info.IsDir():
		return nil, fmt.Errorf("open layout: %s is not a directory", dir)
	}
	return &Layout{dir: abs}, nil
}

// path returns the directory of a repository.
func (l *Layout) path(repository string) (string, error) {
	if err := checkRepository(repository); err != nil {
		return "", err
	}
	for _, element := range strings.Split(repository, "/") {
		switch element {
		case ocispec.ImageBlobsDir, ocispec.ImageIndexFile, ocispec.ImageLayoutFile:
			return "", fmt.Errorf("repository %q is not usable in a directory: %s has a meaning there", repository, element)
		}
	}
	return filepath.Join(l.dir, filepath.FromSlash(repository)), nil
}

// Resolve returns the manifest that a tag or a digest names, verified. What is there but is no image manifest is
// artifact.ErrFormat, with a Manifest that still has descriptor and bytes.
func (l *Layout) Resolve(ctx context.Context, repository, ref string) (artifact.Manifest, error) {
	if err := ctx.Err(); err != nil {
		return artifact.Manifest{}, err
	}
	if err := checkTag(ref); err != nil && digest.Digest(ref).Validate() != nil {
		return artifact.Manifest{}, fmt.Errorf("%q is neither a tag nor a digest", ref)
	}
	index, err := l.index(repository)
	if err != nil {
		return artifact.Manifest{}, err
	}
	i := slices.IndexFunc(index.Manifests, func(d ocispec.Descriptor) bool {
		return d.Digest.String() == ref || d.Annotations[ocispec.AnnotationRefName] == ref
	})
	if i < 0 {
		return artifact.Manifest{}, fmt.Errorf("%s in layout %s: %w", named(repository, ref), l.dir, artifact.ErrNotFound)
	}
	d := index.Manifests[i]
	if d.Size > MaxManifest {
		return artifact.Manifest{}, fmt.Errorf("%s has %d bytes, more than the limit of %d", named(repository, ref), d.Size, MaxManifest)
	}
	b, err := l.blob(repository, d)
	if errors.Is(err, artifact.ErrNotFound) {
		return artifact.Manifest{}, fmt.Errorf("%s: the blob of %s is missing: %w", named(repository, ref), d.Digest, artifact.ErrMismatch)
	}
	if err != nil {
		return artifact.Manifest{}, err
	}
	m, err := artifact.ParseManifest(d.MediaType, b)
	if err != nil {
		return m, fmt.Errorf("%s: %w", repository, err)
	}
	return m, nil
}

// Fetch returns the bytes that d names, verified against its digest and size.
func (l *Layout) Fetch(ctx context.Context, repository string, d artifact.Descriptor) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if d.Size < 0 || d.Size > MaxBlob {
		return nil, fmt.Errorf("%s@%s has %d bytes, more than the limit of %d", repository, d.Digest, d.Size, MaxBlob)
	}
	return l.blob(repository, d)
}

// Tags lists the tags of a repository, sorted; a repository that does not exist has none.
func (l *Layout) Tags(ctx context.Context, repository string) ([]string, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	index, err := l.index(repository)
	if errors.Is(err, artifact.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var tags []string
	for _, d := range index.Manifests {
		if tag := d.Annotations[ocispec.AnnotationRefName]; tag != "" {
			tags = append(tags, tag)
		}
	}
	slices.Sort(tags)
	return slices.Compact(tags), nil
}

// Signatures returns all signatures that are stored beside subject.
func (l *Layout) Signatures(ctx context.Context, repository string, subject artifact.Descriptor) ([]artifact.Signature, error) {
	return signatures(ctx, l, repository, subject, true)
}

// referrers lists the manifests of index.json whose subject is subject. A layout has no other list of referrers.
func (l *Layout) referrers(ctx context.Context, repository string, subject artifact.Descriptor) ([]artifact.Descriptor, error) {
	index, err := l.index(repository)
	if errors.Is(err, artifact.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var list []artifact.Descriptor
	for _, d := range index.Manifests {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		of, err := l.subject(repository, d)
		if err != nil {
			return nil, fmt.Errorf("list referrers: %w", err)
		}
		if of != subject.Digest || slices.ContainsFunc(list, func(o ocispec.Descriptor) bool { return o.Digest == d.Digest }) {
			continue
		}
		if list = append(list, d); len(list) > MaxReferrers {
			return nil, fmt.Errorf("list referrers of %s@%s: %w", repository, subject.Digest, errTooManyReferrers)
		}
	}
	return list, nil
}

// subject returns the digest of a manifest's subject; empty when it has none, or is gone.
func (l *Layout) subject(repository string, d artifact.Descriptor) (digest.Digest, error) {
	if known, ok := l.subjects.Load(d.Digest); ok {
		return known.(digest.Digest), nil
	}
	if d.Size > MaxManifest {
		return "", fmt.Errorf("%s@%s has %d bytes, more than the limit of %d", repository, d.Digest, d.Size, MaxManifest)
	}
	b, err := l.blob(repository, d)
	if errors.Is(err, artifact.ErrNotFound) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	var parsed struct {
		Subject ocispec.Descriptor `json:"subject"`
	}
	if err := json.Unmarshal(b, &parsed); err != nil {
		return "", nil //nolint:nilerr // whatever it is, it refers to nothing
	}
	l.subjects.Store(d.Digest, parsed.Subject.Digest)
	return parsed.Subject.Digest, nil
}

// index reads index.json. A repository that was never written is artifact.ErrNotFound.
func (l *Layout) index(repository string) (ocispec.Index, error) {
	dir, err := l.path(repository)
	if err != nil {
		return ocispec.Index{}, err
	}
	b, err := os.ReadFile(filepath.Join(dir, ocispec.ImageIndexFile))
	if errors.Is(err, fs.ErrNotExist) {
		return ocispec.Index{}, fmt.Errorf("repository %s in layout %s: %w", repository, l.dir, artifact.ErrNotFound)
	}
	if err != nil {
		return ocispec.Index{}, fmt.Errorf("read layout: %w", err)
	}
	index := ocispec.Index{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageIndex}
	if err := json.Unmarshal(b, &index); err != nil {
		return ocispec.Index{}, fmt.Errorf("read layout: %s: %w", filepath.Join(dir, ocispec.ImageIndexFile), err)
	}
	return index, checkLayout(dir)
}

// checkLayout refuses a directory whose layout version is another.
func checkLayout(dir string) error {
	file := filepath.Join(dir, ocispec.ImageLayoutFile)
	b, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("read layout: %w", err)
	}
	var layout ocispec.ImageLayout
	if err := json.Unmarshal(b, &layout); err != nil {
		return fmt.Errorf("read layout: %s: %w", file, err)
	}
	if layout.Version != ocispec.ImageLayoutVersion {
		return fmt.Errorf("read layout: %s has version %q, want %q", file, layout.Version, ocispec.ImageLayoutVersion)
	}
	return nil
}

// blob reads and verifies a blob.
func (l *Layout) blob(repository string, d artifact.Descriptor) ([]byte, error) {
	dir, err := l.path(repository)
	if err != nil {
		return nil, err
	}
	if err := checkDigest(d.Digest); err != nil {
		return nil, err
	}
	file := blobPath(dir, d.Digest)
	info, err := os.Stat(file)
	if err == nil && info.Size() != d.Size {
		return nil, fmt.Errorf("%s has %d bytes, not %d: %w", file, info.Size(), d.Size, artifact.ErrMismatch)
	}
	b, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s@%s in layout %s: %w", repository, d.Digest, l.dir, artifact.ErrNotFound)
	}
	if err != nil {
		return nil, fmt.Errorf("read layout: %w", err)
	}
	if err := checkContent(d, b); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return b, nil
}

func blobPath(dir string, d digest.Digest) string {
	return filepath.Join(dir, ocispec.ImageBlobsDir, d.Algorithm().String(), d.Encoded())
}

// named is a repository with a tag or digest, as people write it.
func named(repository, ref string) string {
	if strings.Contains(ref, ":") {
		return repository + "@" + ref
	}
	return repository + ":" + ref
}
