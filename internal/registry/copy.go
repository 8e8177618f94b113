package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"

	"github.com/artifactctl/artifactctl/internal/artifact"
)

// Bounds of a copy.
const (
	// maxCopied bounds how many manifests are copied for one artifact: its referrers, those of the referrers, and so on.
	maxCopied = 1000
	// copyRoom bounds the bytes of blobs that are on their way at a time. One that is larger travels alone.
	copyRoom = 128 << 20
)

// Store is a registry that artifacts are copied from and to: a *Remote or a *Layout.
type Store interface {
	store
	// anyManifest returns the manifest that d names, whatever its media type, verified by its digest.
	anyManifest(ctx context.Context, repository string, d artifact.Descriptor) (artifact.Manifest, error)
	// hasManifest reports whether the manifest is there, with what it names.
	hasManifest(ctx context.Context, repository string, d artifact.Descriptor) (bool, error)
	// hasBlob reports whether the blob is there. certain does not believe what this run concluded before.
	hasBlob(ctx context.Context, repository string, d artifact.Descriptor, certain bool) (bool, error)
	// putManifest stores a manifest by digest. All that it names is there.
	putManifest(ctx context.Context, repository string, m artifact.Manifest) error
	// borrow makes a blob be there without sending it, from a repository of another store; false when that cannot be.
	borrow(ctx context.Context, repository string, d artifact.Descriptor, from Store, source string) bool
}

// Copier copies artifacts from one store to another, byte for byte. It is safe for concurrent use.
type Copier struct {
	from, to Store
	room     *semaphore.Weighted
	noBorrow atomic.Bool
	dry      bool
}

// NewCopier returns a Copier between two stores.
func NewCopier(from, to Store) *Copier {
	return &Copier{from: from, to: to, room: semaphore.NewWeighted(copyRoom)}
}

// Copy makes the artifact that subject names, and all that refers to it, be in the repository to: first blobs, then the
// manifest by its digest, then whatever has it for a subject, whatever has that, and what cosign keeps under tags beside
// it. Signatures that the target has stay. No tag of content is touched. What is there is not sent again, so that a copy
// that was interrupted is finished by another one. It returns how many manifests this one wrote (lists of referrers
// aside), and the bytes of blobs that it sent.
func (c *Copier) Copy(ctx context.Context, from, to string, subject artifact.Descriptor) (manifests int, written int64, err error) {
	if err := checkDigest(subject.Digest); err != nil {
		return 0, 0, err
	}
	w := &copying{Copier: c, source: from, target: to, seen: map[digest.Digest]bool{subject.Digest: true}}
	if err = w.manifest(ctx, subject); err == nil {
		err = w.referrers(ctx, subject)
	}
	for _, attachment := range attachments() {
		if err == nil {
			err = w.attachment(ctx, subject, attachment)
		}
	}
	return w.manifests, w.written.Load(), err
}

// copying is one copy.
type copying struct {
	*Copier
	source, target string // repositories
	seen           map[digest.Digest]bool
	manifests      int
	written        atomic.Int64
}

// see reports whether a manifest comes up for the first time.
func (w *copying) see(d digest.Digest) (bool, error) {
	if w.seen[d] {
		return false, nil
	}
	if w.seen[d] = true; len(w.seen) > maxCopied {
		return false, fmt.Errorf("more than %d manifests belong to it", maxCopied)
	}
	return true, checkDigest(d)
}

// manifest makes a manifest be there, after what it names.
func (w *copying) manifest(ctx context.Context, d artifact.Descriptor) error {
	there, err := w.to.hasManifest(ctx, w.target, d)
	if err != nil || there {
		return err
	}
	m, err := w.from.anyManifest(ctx, w.source, d)
	if err != nil {
		return err
	}
	return w.put(ctx, m)
}

func (w *copying) put(ctx context.Context, m artifact.Manifest) error {
	named, err := namedBy(m)
	if err != nil {
		return err
	}
	for _, child := range named.Manifests {
		if fresh, err := w.see(child.Digest); err != nil || !fresh {
			if err != nil {
				return err
			}
			continue
		}
		if err := w.manifest(ctx, child); err != nil {
			return err
		}
	}
	if err := w.blobs(ctx, named.blobs(), false); err != nil {
		return err
	}
	err = w.to.putManifest(ctx, w.target, m)
	if err != nil && refusedContent(err) { // perhaps a blob was only believed to be there
		if berr := w.blobs(ctx, named.blobs(), true); berr != nil {
			return berr
		}
		err = w.to.putManifest(ctx, w.target, m)
	}
	if err == nil {
		w.manifests++
	}
	return err
}

// blobs makes blobs be there, some side by side.
func (w *copying) blobs(ctx context.Context, blobs []artifact.Descriptor, certain bool) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(lookups)
	for _, d := range blobs {
		group.Go(func() error { return w.blob(ctx, d, certain) })
	}
	return group.Wait()
}

// blob makes a blob be there. Its bytes are verified before the first of them is sent on.
func (w *copying) blob(ctx context.Context, d artifact.Descriptor, certain bool) error {
	if err := checkDigest(d.Digest); err != nil {
		return err
	}
	there, err := w.to.hasBlob(ctx, w.target, d, certain)
	if err != nil || there {
		return err
	}
	if w.dry {
		w.written.Add(d.Size)
		return nil
	}
	if !w.noBorrow.Load() {
		if w.to.borrow(ctx, w.target, d, w.from, w.source) {
			return nil
		}
		w.noBorrow.Store(true)
	}
	weight := max(0, min(d.Size, copyRoom))
	if err := w.room.Acquire(ctx, weight); err != nil {
		return err
	}
	defer w.room.Release(weight)
	content, err := w.from.Fetch(ctx, w.source, d)
	if errors.Is(err, artifact.ErrNotFound) {
		return fmt.Errorf("the source is damaged: a manifest names a blob that is not there: %w", opaque{err})
	}
	if err != nil {
		return err
	}
	if _, err := w.to.putBlobs(ctx, w.target, artifact.Blob{Descriptor: d, Content: content}); err != nil {
		return err
	}
	w.written.Add(d.Size)
	return nil
}

// opaque is an error whose kind is of no further meaning: that a part is missing is not that the whole is.
type opaque struct{ error }

// referrers makes what refers to subject be there and be listed there, and what refers to that.
func (w *copying) referrers(ctx context.Context, subject artifact.Descriptor) error {
	list, err := w.from.referrers(ctx, w.source, subject)
	if err != nil {
		return fmt.Errorf("in the source: %w", err)
	}
	if len(list) == 0 {
		return nil
	}
	there, err := w.to.referrers(ctx, w.target, subject)
	if err != nil {
		return fmt.Errorf("in the target: %w", err)
	}
	listed := map[digest.Digest]bool{}
	for _, d := range there {
		listed[d.Digest] = true
	}
	for _, d := range list {
		if fresh, err := w.see(d.Digest); err != nil || !fresh {
			if err != nil {
				return err
			}
			continue
		}
		if err := w.referrer(ctx, subject, d, listed[d.Digest]); err != nil {
			return fmt.Errorf("referrer %s: %w", d.Digest, err)
		}
	}
	return nil
}

// referrer copies one. A list that clients keep may name what was deleted: that is none.
func (w *copying) referrer(ctx context.Context, subject, d artifact.Descriptor, listed bool) error {
	there, err := w.to.hasManifest(ctx, w.target, d)
	if err != nil {
		return err
	}
	if !there || !listed {
		m, err := w.from.anyManifest(ctx, w.source, d)
		if errors.Is(err, artifact.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		if !there {
			if err := w.put(ctx, m); err != nil {
				return err
			}
		}
		entry, err := entryOf(m)
		if err != nil {
			return err
		}
		if err := w.to.link(ctx, w.target, subject, entry); err != nil {
			return err
		}
	}
	return w.referrers(ctx, d)
}

// names are what a manifest names, of whatever kind it is: an image, an index, or an artifact of early OCI 1.1.
type names struct {
	Config    *artifact.Descriptor  `json:"config"`
	Layers    []artifact.Descriptor `json:"layers"`
	Blobs     []artifact.Descriptor `json:"blobs"`
	Manifests []artifact.Descriptor `json:"manifests"`
}

func namedBy(m artifact.Manifest) (names, error) {
	var n names
	if err := json.Unmarshal(m.Bytes, &n); err != nil {
		return n, fmt.Errorf("manifest %s: %w", m.Digest, err)
	}
	return n, nil
}

// blobs lists each blob once.
func (n names) blobs() []artifact.Descriptor {
	var all []artifact.Descriptor
	seen := map[digest.Digest]bool{}
	add := func(d artifact.Descriptor) {
		if !seen[d.Digest] {
			seen[d.Digest] = true
			all = append(all, d)
		}
	}
	if n.Config != nil {
		add(*n.Config)
	}
	for _, d := range n.Layers {
		add(d)
	}
	for _, d := range n.Blobs {
		add(d)
	}
	return all
}
