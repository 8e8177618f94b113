package registry

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	specs "github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/artifactctl/artifactctl/internal/artifact"
)

// Files of our own beside those of an image layout; no repository's name begins with a dot.
const (
	indexLock  = ".index.lock"
	attachLock = ".attach.lock"
	tempPrefix = ".tmp-"
)

// staleTemp is the age at which a temporary file can only be that of a process that was killed.
const staleTemp = time.Hour

// Push stores the blobs and then the manifest, by digest.
func (l *Layout) Push(ctx context.Context, repository string, a *artifact.Artifact) error {
	return l.put(ctx, repository, a.Manifest, a.Config, a.Layer)
}

// Attach stores a signature beside subject. Attaching the same bytes again changes nothing.
func (l *Layout) Attach(ctx context.Context, repository string, subject artifact.Descriptor, s artifact.Signature) error {
	return attach(ctx, l, repository, subject, s)
}

// Tag makes tag name m, by one replacement of index.json. What the tag named before stays, without the tag.
func (l *Layout) Tag(ctx context.Context, repository string, m artifact.Manifest, tag string) error {
	if err := checkTag(tag); err != nil {
		return err
	}
	if _, err := l.putBlobs(ctx, repository, artifact.Blob{Descriptor: m.Descriptor, Content: m.Bytes}); err != nil {
		return err
	}
	entry, err := entryOf(m)
	if err != nil {
		return err
	}
	return l.update(ctx, repository, func(index *ocispec.Index) bool { return setTag(index, entry, tag) })
}

func (l *Layout) put(ctx context.Context, repository string, m artifact.Manifest, blobs ...artifact.Blob) error {
	blobs = append(slices.Clone(blobs), artifact.Blob{Descriptor: m.Descriptor, Content: m.Bytes})
	if _, err := l.putBlobs(ctx, repository, blobs...); err != nil {
		return err
	}
	entry, err := entryOf(m)
	if err != nil {
		return err
	}
	return l.update(ctx, repository, func(index *ocispec.Index) bool {
		if slices.ContainsFunc(index.Manifests, func(d ocispec.Descriptor) bool { return d.Digest == m.Digest }) {
			return false
		}
		index.Manifests = append(index.Manifests, entry)
		return true
	})
}

// link has nothing to do: being in index.json is all that a referrer needs.
func (l *Layout) link(context.Context, string, artifact.Descriptor, artifact.Descriptor) error {
	return nil
}

// entryOf is how a list of referrers, or index.json, lists a manifest. Of a referrer it tells artifact type and
// annotations, as a registry would (OCI distribution spec, "listing referrers"). An annotation that would be a tag in
// index.json is not among them: whoever made the referrer has no say in that.
func entryOf(m artifact.Manifest) (ocispec.Descriptor, error) {
	var parsed struct {
		ArtifactType string              `json:"artifactType"`
		Config       ocispec.Descriptor  `json:"config"`
		Subject      *ocispec.Descriptor `json:"subject"`
		Annotations  map[string]string   `json:"annotations"`
	}
	if err := json.Unmarshal(m.Bytes, &parsed); err != nil {
		return ocispec.Descriptor{}, fmt.Errorf("manifest %s: %w", m.Digest, err)
	}
	entry := ocispec.Descriptor{MediaType: m.MediaType, Digest: m.Digest, Size: m.Size}
	if parsed.Subject != nil {
		delete(parsed.Annotations, ocispec.AnnotationRefName)
		entry.ArtifactType, entry.Annotations = cmp.Or(parsed.ArtifactType, parsed.Config.MediaType), parsed.Annotations
	}
	return entry, nil
}

// setTag changes index so that tag names entry. A manifest keeps an entry without a tag only while it has none with one
// (oras-go does the same), and never loses its last.
func setTag(index *ocispec.Index, entry ocispec.Descriptor, tag string) bool {
	isTag := func(d ocispec.Descriptor) bool { return d.Annotations[ocispec.AnnotationRefName] == tag }
	i := slices.IndexFunc(index.Manifests, isTag)
	if i >= 0 && index.Manifests[i].Digest == entry.Digest {
		return false
	}
	if i >= 0 {
		old := index.Manifests[i]
		index.Manifests = slices.DeleteFunc(index.Manifests, isTag)
		if !slices.ContainsFunc(index.Manifests, func(d ocispec.Descriptor) bool { return d.Digest == old.Digest }) {
			old.Annotations = maps.Clone(old.Annotations)
			delete(old.Annotations, ocispec.AnnotationRefName)
			index.Manifests = append(index.Manifests, old)
		}
	}
	index.Manifests = slices.DeleteFunc(index.Manifests, func(d ocispec.Descriptor) bool {
		return d.Digest == entry.Digest && d.Annotations[ocispec.AnnotationRefName] == ""
	})
	annotations := map[string]string{}
	maps.Copy(annotations, entry.Annotations)
	annotations[ocispec.AnnotationRefName] = tag
	entry.Annotations = annotations
	index.Manifests = append(index.Manifests, entry)
	return true
}

// lockIndex waits until nobody else changes the index.json of a repository, whose directory it returns.
func (l *Layout) lockIndex(ctx context.Context, repository string) (dir string, unlock func(), err error) {
	dir, err = l.path(repository)
	if err != nil {
		return "", nil, err
	}
	unlock, err = lockFile(ctx, filepath.Join(dir, indexLock))
	if err != nil {
		return "", nil, fmt.Errorf("lock layout %s: %w", dir, err)
	}
	return dir, unlock, nil
}

// update changes index.json, as the only one who does.
func (l *Layout) update(ctx context.Context, repository string, change func(*ocispec.Index) bool) error {
	dir, unlock, err := l.lockIndex(ctx, repository)
	if err != nil {
		return err
	}
	defer unlock()
	index, err := l.index(repository)
	if errors.Is(err, artifact.ErrNotFound) {
		index = ocispec.Index{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageIndex}
	} else if err != nil {
		return err
	}
	if !change(&index) {
		return nil
	}
	slices.SortFunc(index.Manifests, func(a, b ocispec.Descriptor) int {
		if c := strings.Compare(a.Annotations[ocispec.AnnotationRefName], b.Annotations[ocispec.AnnotationRefName]); c != 0 {
			return c
		}
		return strings.Compare(a.Digest.String(), b.Digest.String())
	})
	b, err := json.Marshal(index)
	if err != nil {
		return fmt.Errorf("write layout: %w", err)
	}
	sweep(dir)
	if err := l.write(dir, filepath.Join(dir, ocispec.ImageIndexFile), b); err != nil {
		return err
	}
	if err := syncDir(dir); err != nil {
		return fmt.Errorf("write layout: %w", err)
	}
	return nil
}

// putBlobs stores blobs. One that is there but corrupt is replaced.
func (l *Layout) putBlobs(ctx context.Context, repository string, blobs ...artifact.Blob) (bool, error) {
	dir, err := l.path(repository)
	if err != nil {
		return false, err
	}
	existed, written := true, ""
	for _, b := range blobs {
		if err := ctx.Err(); err != nil {
			return false, err
		}
		if err := checkContent(b.Descriptor, b.Content); err != nil {
			return false, err
		}
		if _, err := l.blob(repository, b.Descriptor); err == nil {
			continue
		}
		existed = false
		file := blobPath(dir, b.Digest)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return false, fmt.Errorf("write layout: %w", err)
		}
		if err := l.write(dir, file, b.Content); err != nil {
			return false, err
		}
		written = filepath.Dir(file)
	}
	if written != "" { // one for all of them, before index.json can name any
		if err := syncDir(written); err != nil {
			return false, fmt.Errorf("write layout: %w", err)
		}
	}
	return existed, l.begin(dir)
}

// begin makes dir an image layout.
func (l *Layout) begin(dir string) error {
	if _, err := os.Stat(filepath.Join(dir, ocispec.ImageLayoutFile)); err == nil {
		return nil
	} else if !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("write layout: %w", err)
	}
	b, err := json.Marshal(ocispec.ImageLayout{Version: ocispec.ImageLayoutVersion})
	if err != nil {
		return fmt.Errorf("write layout: %w", err)
	}
	return l.write(dir, filepath.Join(dir, ocispec.ImageLayoutFile), b)
}

// write makes file hold content, whole, or leaves it as it was. Its name is on disk when its directory was synced.
func (l *Layout) write(dir, file string, content []byte) error {
	if err := l.step("create " + filepath.Base(file)); err != nil {
		return err
	}
	temp := filepath.Join(dir, tempPrefix+rand.Text())
	if err := writeSynced(temp, content); err != nil {
		_ = os.Remove(temp)
		return fmt.Errorf("write layout: %w", err)
	}
	if err := l.step("rename " + filepath.Base(file)); err != nil {
		return err // as if killed: the temporary file stays
	}
	if err := os.Rename(temp, file); err != nil {
		_ = os.Remove(temp)
		return fmt.Errorf("write layout: %w", err)
	}
	return nil
}

func (l *Layout) step(name string) error {
	if l.fault == nil {
		return nil
	}
	return l.fault(name)
}

func writeSynced(file string, content []byte) error {
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	if _, err := f.Write(content); err != nil {
		return errors.Join(err, f.Close())
	}
	if err := f.Sync(); err != nil {
		return errors.Join(err, f.Close())
	}
	return f.Close()
}

// sweep removes what killed processes left. What cannot be removed does no harm.
func sweep(dir string) {
	left, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	for _, file := range left {
		info, err := file.Info()
		if err == nil && strings.HasPrefix(file.Name(), tempPrefix) && time.Since(info.ModTime()) > staleTemp {
			_ = os.Remove(filepath.Join(dir, file.Name()))
		}
	}
}

// exclusive keeps all processes' read-modify-writes of a repository apart.
func (l *Layout) exclusive(ctx context.Context, repository, _ string) (func(), error) {
	dir, err := l.path(repository)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("write layout: %w", err)
	}
	unlock, err := lockFile(ctx, filepath.Join(dir, attachLock))
	if err != nil {
		return nil, fmt.Errorf("lock layout %s: %w", dir, err)
	}
	return unlock, nil
}
