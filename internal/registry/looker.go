package registry

import (
	"context"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/artifactctl/artifactctl/internal/artifact"
)

// Signatures returns all signatures that are stored beside subject, as a verifier would read them now. What this run
// attached a moment ago, and the registry acknowledged by digest and lists, is not read once more.
func (r *Remote) Signatures(ctx context.Context, repository string, subject artifact.Descriptor) ([]artifact.Signature, error) {
	return signatures(ctx, &looker{Remote: r}, repository, subject, r.legacy)
}

// LegacySignatures returns what is stored at the subject's `.sig` tag, which Signatures reads only where no bundle is.
func (r *Remote) LegacySignatures(ctx context.Context, repository string, subject artifact.Descriptor) ([]artifact.Signature, error) {
	return readLegacy(ctx, r, repository, subject)
}

// Known looks up signatures with the help of RemoteOptions.Cache: the registry is asked which signatures it lists, and
// what they are is remembered. That is enough to find that nothing is to be done. It is not enough to move a tag or to
// verify, for which Remote.Signatures is there: a list that others maintain (the fallback tag) may name what was deleted.
type Known struct{ remote *Remote }

// Known returns the view of r that makes use of the cache.
func (r *Remote) Known() *Known { return &Known{r} }

// Signatures returns all signatures that are listed beside subject.
func (k *Known) Signatures(ctx context.Context, repository string, subject artifact.Descriptor) ([]artifact.Signature, error) {
	return signatures(ctx, &looker{Remote: k.remote, cached: true}, repository, subject, k.remote.legacy)
}

// looker reads signatures for one look-up.
type looker struct {
	*Remote
	cached bool
	byAPI  bool // the registry itself keeps the list
}

func (l *looker) referrers(ctx context.Context, repository string, subject artifact.Descriptor) (list []artifact.Descriptor, err error) {
	if !l.cached {
		if list, ok := l.listed.take(named(l.full(repository), subject.Digest.String()), l.backoff.now()); ok && len(list) <= MaxReferrers {
			return list, nil
		}
	}
	list, l.byAPI, err = l.list(ctx, repository, subject)
	return list, err
}

// Resolve returns a manifest; one that is named by its digest may be remembered.
func (l *looker) Resolve(ctx context.Context, repository, ref string) (artifact.Manifest, error) {
	if digest.Digest(ref).Validate() != nil {
		return l.Remote.Resolve(ctx, repository, ref)
	}
	name := l.host + "/" + l.full(repository)
	if l.cached {
		if b := l.cache.manifest(name, ref, l.byAPI); b != nil {
			return artifact.ParseManifest(artifact.ManifestMediaType, b)
		}
	} else if b, ok := l.acked.take(named(name, ref), l.backoff.now()); ok {
		return artifact.ParseManifest(artifact.ManifestMediaType, b)
	}
	m, err := l.Remote.Resolve(ctx, repository, ref)
	if err == nil {
		l.cache.putManifest(name, ref, m.Bytes)
	}
	return m, err
}

// Fetch returns a blob. When many look for the same one that the cache lacks, as they do for a batch signature, one of
// them fetches it.
func (l *looker) Fetch(ctx context.Context, repository string, d artifact.Descriptor) ([]byte, error) {
	if !l.cached {
		if b, ok := l.acked.take(named(l.host+"/"+l.full(repository), d.Digest.String()), l.backoff.now()); ok {
			return b, checkContent(d, b)
		}
		return l.fetch(ctx, repository, d)
	}
	if b := l.cache.blob(d); b != nil {
		return b, nil
	}
	b, err, _ := l.flight.Do("fetch "+d.Digest.String(), func() (any, error) { return l.fetch(ctx, repository, d) })
	if err != nil { // another repository's, perhaps, or somebody else's cancellation
		return l.fetch(ctx, repository, d)
	}
	return b.([]byte), checkContent(d, b.([]byte))
}

func (l *looker) fetch(ctx context.Context, repository string, d artifact.Descriptor) ([]byte, error) {
	b, err := l.Remote.Fetch(ctx, repository, d)
	if err == nil {
		l.cache.putBlob(d.Digest.String(), b)
	}
	return b, err
}

// remember keeps what was attached for the read-back, and for later runs.
func (r *Remote) remember(repository string, subject artifact.Descriptor, s artifact.Signature) error {
	name, now := r.host+"/"+r.full(repository), r.backoff.now()
	if s.Format != artifact.FormatBundle {
		return nil
	}
	config := artifact.Describe(ocispec.MediaTypeEmptyJSON, []byte("{}"))
	m, layer, err := referrerOf(subject, config, s)
	if err != nil {
		return err
	}
	r.acked.put(named(name, m.Digest.String()), now, m.Bytes)
	r.acked.put(named(name, layer.Digest.String()), now, layer.Content)
	r.cache.putManifest(name, m.Digest.String(), m.Bytes)
	r.cache.putBlob(layer.Digest.String(), layer.Content)
	return nil
}
