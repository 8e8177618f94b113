package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"
	specs "github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2/errdef"

	"github.com/artifactctl/artifactctl/internal/artifact"
)

// linkAttempts bounds how often a lost entry of a fallback index is added again.
const linkAttempts = 8

// errTooManyReferrers stops a listing.
var errTooManyReferrers = fmt.Errorf("more than %d manifests refer to it", MaxReferrers)

// fallbackTag is the tag that lists referrers where a registry does not (OCI distribution spec, "referrers tag schema").
func fallbackTag(d digest.Digest) string { return strings.Replace(d.String(), ":", "-", 1) }

// referrers lists the manifests that refer to subject.
func (r *Remote) referrers(ctx context.Context, repository string, subject artifact.Descriptor) ([]artifact.Descriptor, error) {
	list, _, err := r.list(ctx, repository, subject)
	return list, err
}

// list asks the referrers API, or reads the fallback tag where the registry has no such API, and tells which it was.
func (r *Remote) list(ctx context.Context, repository string, subject artifact.Descriptor) (list []artifact.Descriptor, byAPI bool, err error) {
	full := r.full(repository)
	if _, gone := r.unknown.get(full, r.backoff.now()); gone {
		return nil, false, nil
	}
	_, own := r.support.own(full)
	hearsay := !own && r.support.of(full) == referrersTag
	list, err = r.askAPI(ctx, repository, subject, false)
	if err == nil || !missingAPI(err) {
		return list, true, err
	}
	index, err := r.fallbackIndex(ctx, repository, subject)
	if err != nil {
		return nil, false, fmt.Errorf("list referrers: %w", err)
	}
	if len(index.Manifests) == 0 && hearsay {
		// "None" is not concluded from what another repository said of its registry.
		if list, err = r.askAPI(ctx, repository, subject, true); err == nil || !missingAPI(err) {
			return list, true, err
		}
	}
	if len(index.Manifests) > MaxReferrers {
		return nil, false, fmt.Errorf("list referrers of %s/%s@%s: %w", r.host, repository, subject.Digest, errTooManyReferrers)
	}
	return index.Manifests, false, nil
}

// askAPI asks the referrers API, unless it is known not to exist, and remembers a clear answer. While nothing is known
// only one question is under way, so that a run asks a registry without the API once. The error for which missingAPI
// holds says that there is no API to ask.
func (r *Remote) askAPI(ctx context.Context, repository string, subject artifact.Descriptor, again bool) ([]artifact.Descriptor, error) {
	full := r.full(repository)
	if r.support.of(full) == referrersUnknown {
		release, err := r.locks.acquire(ctx, "referrers API")
		if err != nil {
			return nil, err
		}
		defer release()
	}
	if !again && r.support.of(full) == referrersTag {
		return nil, errdef.ErrUnsupported
	}
	list, err := r.referrersByAPI(ctx, repository, subject)
	switch {
	case err == nil:
		r.support.learn(full, referrersAPI)
	case !missingAPI(err):
		return nil, fmt.Errorf("list referrers: %w", err)
	case !saysMissing(err) || r.there.has(full, subject.Digest.String()):
		r.support.learn(full, referrersTag)
	}
	return list, err
}

func (r *Remote) referrersByAPI(ctx context.Context, repository string, subject artifact.Descriptor) ([]artifact.Descriptor, error) {
	ctx, repo, err := r.open(ctx, repository)
	if err != nil {
		return nil, err
	}
	var list []artifact.Descriptor
	err = repo.Referrers(ctx, subject, "", func(page []ocispec.Descriptor) error {
		list = append(list, page...)
		if len(list) > MaxReferrers {
			return errTooManyReferrers
		}
		return nil
	})
	if errors.Is(err, errTooManyReferrers) {
		return nil, fmt.Errorf("%s/%s@%s: %w", r.host, repository, subject.Digest, err)
	}
	return list, err
}

// fallbackIndex reads the index at the fallback tag; without one it is empty.
func (r *Remote) fallbackIndex(ctx context.Context, repository string, subject artifact.Descriptor) (ocispec.Index, error) {
	empty := ocispec.Index{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageIndex}
	tag := fallbackTag(subject.Digest)
	mediaType, b, err := r.manifest(ctx, repository, tag)
	if errors.Is(err, artifact.ErrNotFound) {
		return empty, nil
	}
	if err != nil {
		return empty, err
	}
	if digest.FromBytes(b) == subject.Digest {
		return empty, nil // some registries take the tag for the digest
	}
	if mediaType != ocispec.MediaTypeImageIndex {
		return empty, fmt.Errorf("%s/%s:%s is no image index but %s", r.host, repository, tag, printable(mediaType))
	}
	var index ocispec.Index
	if err := json.Unmarshal(b, &index); err != nil {
		return empty, fmt.Errorf("%s/%s:%s: %w", r.host, repository, tag, err)
	}
	return index, nil
}

// link adds referrer to the fallback index where the registry does not list referrers itself. The tag is read, changed
// and written without any lock that other writers would see, so it is read again until the entry is found there. What
// was read last is the list that the next look-up of signatures uses.
func (r *Remote) link(ctx context.Context, repository string, subject, referrer artifact.Descriptor) error {
	full := r.full(repository)
	if r.support.of(full) == referrersUnknown {
		if _, err := r.askAPI(ctx, repository, subject, false); err != nil && !missingAPI(err) {
			return err
		}
	}
	if r.support.of(full) == referrersAPI {
		return nil
	}
	release, err := r.exclusive(ctx, repository, fallbackTag(subject.Digest))
	if err != nil {
		return err
	}
	defer release()
	for n := range linkAttempts {
		index, err := r.fallbackIndex(ctx, repository, subject)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(index.Manifests, func(d ocispec.Descriptor) bool { return d.Digest == referrer.Digest }) {
			r.listed.put(named(full, subject.Digest.String()), r.backoff.now(), index.Manifests)
			return nil
		}
		if n > 0 { // lost to another writer: step out of each other's way
			if err := r.backoff.sleep(ctx, firstWait/5<<min(n, 4)); err != nil {
				return err
			}
		}
		index.Manifests = append(index.Manifests, referrer)
		if err := r.putList(ctx, repository, index, fallbackTag(subject.Digest)); err != nil {
			return err
		}
	}
	return fmt.Errorf("%s/%s:%s: other writers keep replacing the list of referrers", r.host, repository, fallbackTag(subject.Digest))
}

// putList writes a fallback index. Some registries refuse one that names what is gone, which the index then does for as long
// as nobody writes it: such entries, of no use to anybody, are left out.
func (r *Remote) putList(ctx context.Context, repository string, index ocispec.Index, tag string) error {
	err := r.putIndex(ctx, repository, index, tag)
	if !namesWhatIsGone(err) {
		return err
	}
	var there []ocispec.Descriptor
	for _, d := range index.Manifests {
		_, _, lookErr := r.manifest(ctx, repository, d.Digest.String(), d.MediaType)
		switch {
		case lookErr == nil:
			there = append(there, d)
		case !errors.Is(lookErr, artifact.ErrNotFound):
			return fmt.Errorf("look which referrers are gone: %w", lookErr)
		}
	}
	if len(there) == len(index.Manifests) {
		return err
	}
	index.Manifests = there
	return r.putIndex(ctx, repository, index, tag)
}

// namesWhatIsGone reports the refusal of a manifest because of something that it names (OCI distribution spec, error
// codes). Registries differ about the status.
func namesWhatIsGone(err error) bool {
	var e *Error
	return errors.As(err, &e) && (e.Code == "MANIFEST_BLOB_UNKNOWN" || e.Code == "MANIFEST_UNKNOWN") && e.Status < http.StatusInternalServerError
}

func (r *Remote) putIndex(ctx context.Context, repository string, index ocispec.Index, tag string) error {
	b, err := json.Marshal(index)
	if err != nil {
		return err
	}
	m := artifact.Manifest{Descriptor: artifact.Describe(ocispec.MediaTypeImageIndex, b), Bytes: b}
	return r.Tag(ctx, repository, m, tag)
}

// exclusive keeps this process's writers of one tag apart.
func (r *Remote) exclusive(ctx context.Context, repository, key string) (func(), error) {
	return r.locks.acquire(ctx, repository+":"+key)
}
