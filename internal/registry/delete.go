package registry

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"slices"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2/registry/remote/auth"
	"oras.land/oras-go/v2/registry/remote/errcode"

	"github.com/artifactctl/artifactctl/internal/artifact"
)

// noDeletionError: this registry does not let clients delete.
type noDeletionError struct{ answer *Error }

func (e *noDeletionError) Error() string { return e.answer.Error() }

func (e *noDeletionError) Unwrap() error { return e.answer }

// Hint says what the user can do.
func (e *noDeletionError) Hint() string {
	return "the registry does not let clients delete manifests: switch that on, or use the retention rules of the registry itself"
}

// Delete removes an artifact with the tags that name it, and then all that refers to it, and returns how many manifests
// that were. Nothing is removed that a tag still needs: the artifact goes first, and its signatures only when no tag names
// it any more. What is gone already is no error: deleting again finishes what was interrupted, as far as the registry
// still tells what referred to it.
func (r *Remote) Delete(ctx context.Context, repository string, subject artifact.Descriptor, tags ...string) (int, error) {
	all, err := belongings(ctx, r, repository, subject)
	if err != nil {
		return 0, err
	}
	if r.support.of(r.full(repository)) == referrersTag {
		if all, err = r.withIndexes(ctx, repository, all); err != nil {
			return 0, err
		}
	}
	all[0].tags = tags
	n := 0
	for _, d := range all {
		there, err := r.remove(ctx, repository, d.Digest.String())
		if err != nil {
			return n, err
		}
		if there {
			n++
		}
		for _, tag := range d.tags {
			if err := r.untag(ctx, repository, d.Descriptor, tag); err != nil {
				return n, err
			}
		}
	}
	return n, nil
}

// withIndexes adds the lists of referrers that clients keep for these manifests.
func (r *Remote) withIndexes(ctx context.Context, repository string, all []belonging) ([]belonging, error) {
	for _, d := range all {
		tag := fallbackTag(d.Digest)
		mediaType, b, err := r.manifest(ctx, repository, tag)
		if errors.Is(err, artifact.ErrNotFound) || (err == nil && mediaType != ocispec.MediaTypeImageIndex) {
			continue
		}
		if err != nil {
			return nil, err
		}
		all = append(all, belonging{artifact.Describe(mediaType, b), []string{tag}})
	}
	return all, nil
}

// untag makes sure that a tag does not name a manifest that was deleted: some registries keep it.
func (r *Remote) untag(ctx context.Context, repository string, d artifact.Descriptor, tag string) error {
	m, err := r.Resolve(ctx, repository, tag)
	if errors.Is(err, artifact.ErrNotFound) || (m.Digest != "" && m.Digest != d.Digest) {
		return nil
	}
	if err != nil && !errors.Is(err, artifact.ErrFormat) {
		return err
	}
	_, err = r.remove(ctx, repository, tag)
	return err
}

// remove deletes a manifest by its digest, or a tag, and reports whether it was there.
func (r *Remote) remove(ctx context.Context, repository, ref string) (bool, error) {
	ctx, repo, err := r.open(ctx, repository)
	if err != nil {
		return false, err
	}
	r.there.remove(repo.Reference.Repository, ref)
	target := url.URL{Scheme: "https", Host: repo.Reference.Host(), Path: "/v2/" + repo.Reference.Repository + "/manifests/" + ref}
	if r.plain {
		target.Scheme = "http"
	}
	ctx = auth.AppendRepositoryScope(ctx, repo.Reference, auth.ActionPull, auth.ActionDelete)
	req, err := http.NewRequestWithContext(ctx, http.MethodDelete, target.String(), nil)
	if err != nil {
		return false, err
	}
	resp, err := r.client.Do(req)
	if err == nil {
		_ = resp.Body.Close()
		return true, nil
	}
	var e *Error
	if !errors.As(err, &e) {
		return false, err
	}
	switch {
	case e.Status == http.StatusNotFound && slices.Contains([]string{errcode.ErrorCodeManifestUnknown, errcode.ErrorCodeNameUnknown, codeNotFound}, e.Code):
		return false, nil
	case e.Status == http.StatusMethodNotAllowed, e.Status == http.StatusNotImplemented, e.Code == errcode.ErrorCodeUnsupported:
		return false, &noDeletionError{e}
	}
	return false, err
}

// belonging is a manifest that goes with an artifact, and the tags that name it.
type belonging struct {
	artifact.Descriptor
	tags []string
}

// belongings lists an artifact, then what refers to it, directly or not, and what cosign keeps under tags beside it.
func belongings(ctx context.Context, s store, repository string, subject artifact.Descriptor) ([]belonging, error) {
	if err := checkDigest(subject.Digest); err != nil {
		return nil, err
	}
	all := []belonging{{Descriptor: subject}}
	seen := map[digest.Digest]bool{subject.Digest: true}
	for i := 0; i < len(all); i++ {
		list, err := s.referrers(ctx, repository, all[i].Descriptor)
		if err != nil {
			return nil, err
		}
		for _, d := range list {
			if !seen[d.Digest] {
				seen[d.Digest] = true
				all = append(all, belonging{Descriptor: artifact.Descriptor{MediaType: d.MediaType, Digest: d.Digest, Size: d.Size}})
			}
		}
		if len(all) > maxCopied {
			return nil, fmt.Errorf("more than %d manifests belong to it", maxCopied)
		}
	}
	for _, a := range attachments() {
		tag := fallbackTag(subject.Digest) + a.suffix
		m, err := s.Resolve(ctx, repository, tag)
		switch {
		case errors.Is(err, artifact.ErrNotFound):
		case err != nil && !errors.Is(err, artifact.ErrFormat):
			return nil, err
		case !seen[m.Digest]:
			all = append(all, belonging{m.Descriptor, []string{tag}})
		}
	}
	return all, nil
}

// Delete removes an artifact and all that refers to it, by one replacement of index.json, and then the files that nothing
// else needs. It returns how many manifests that were. What is gone already is no error.
func (l *Layout) Delete(ctx context.Context, repository string, subject artifact.Descriptor, _ ...string) (int, error) {
	all, err := belongings(ctx, l, repository, subject)
	if err != nil {
		return 0, err
	}
	gone := map[digest.Digest]bool{}
	for _, d := range all {
		gone[d.Digest] = true
	}
	n := 0
	err = l.update(ctx, repository, func(index *ocispec.Index) bool {
		removed := map[digest.Digest]bool{}
		index.Manifests = slices.DeleteFunc(index.Manifests, func(d ocispec.Descriptor) bool {
			if gone[d.Digest] {
				removed[d.Digest] = true
			}
			return gone[d.Digest]
		})
		n = len(removed)
		return n > 0
	})
	if err != nil {
		return 0, err
	}
	return n, l.discard(ctx, repository, all)
}

// discard removes the files of manifests and their blobs that no manifest in index.json names.
func (l *Layout) discard(ctx context.Context, repository string, manifests []belonging) error {
	dir, unlock, err := l.lockIndex(ctx, repository)
	if err != nil {
		return err
	}
	defer unlock()
	index, err := l.index(repository)
	if err != nil {
		return err
	}
	needed := map[digest.Digest]bool{}
	for _, d := range index.Manifests {
		for _, named := range l.reach(ctx, repository, d) {
			needed[named] = true
		}
	}
	for _, d := range manifests {
		for _, named := range l.reach(ctx, repository, d.Descriptor) {
			if !needed[named] {
				if err := l.step("remove " + named.String()); err != nil {
					return err
				}
				if err := os.Remove(blobPath(dir, named)); err != nil && !errors.Is(err, fs.ErrNotExist) {
					return fmt.Errorf("write layout: %w", err)
				}
			}
		}
	}
	return nil
}

// reach lists the digests of a manifest and of all that it names, the manifest last; what cannot be read names nothing.
func (l *Layout) reach(ctx context.Context, repository string, d artifact.Descriptor) []digest.Digest {
	var all []digest.Digest
	if m, err := l.anyManifest(ctx, repository, d); err == nil {
		if named, err := namedBy(m); err == nil {
			for _, child := range named.Manifests {
				all = append(all, l.reach(ctx, repository, child)...)
			}
			for _, b := range named.blobs() {
				all = append(all, b.Digest)
			}
		}
	}
	return slices.DeleteFunc(append(all, d.Digest), func(d digest.Digest) bool { return d.Validate() != nil })
}
