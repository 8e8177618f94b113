package engine

import (
	"context"
	"errors"
	"fmt"

	"github.com/Masterminds/semver/v3"

	"github.com/artifactctl/artifactctl/internal/artifact"
	"github.com/artifactctl/artifactctl/internal/attest"
)

// comparison finds out how one app's content relates to what the registry has, and what is left to do.
type comparison struct {
	*planner
	work    *work
	report  *AppReport
	files   artifact.Files
	content string                        // digest of files
	seen    map[string]*artifact.Manifest // by tag or digest; nil for one that does not exist
	judged  map[string]attest.Verdict     // by digest
	kept    bool                          // work.target is an artifact that the registry has under one of the app's tags
	same    bool                          // the baseline has our content
}

func (c *comparison) compare(ctx context.Context) error {
	baseTag, err := c.Tags.baseline(c.work.app.Name, c.Source)
	if err != nil {
		return err
	}
	base, err := c.baseline(ctx, &baseTag)
	if err != nil {
		return err
	}
	c.report.Baseline = baseTag
	if c.same, err = c.sameContent(ctx, base); err != nil {
		return err
	}
	switch {
	case base == nil:
		c.report.Change = New
	case c.same:
		c.report.Change = Unchanged
	default:
		c.report.Change = Changed
	}
	fresh, err := c.settle(ctx, base)
	if err != nil {
		return err
	}
	if !c.kept {
		built, err := c.artifact()
		if err != nil {
			return err
		}
		c.work.target = built.Manifest
	}
	if err := c.planTags(ctx, fresh); err != nil {
		return err
	}
	if err := c.planPush(ctx); err != nil {
		return err
	}
	return c.explain(ctx, base)
}

// lookup resolves a tag or digest once; nil says that it does not exist.
func (c *comparison) lookup(ctx context.Context, ref string) (*artifact.Manifest, error) {
	if m, ok := c.seen[ref]; ok {
		return m, nil
	}
	m, err := c.Registry.Resolve(ctx, c.work.app.Repository, ref)
	switch {
	case errors.Is(err, artifact.ErrNotFound):
		c.seen[ref] = nil
	case err == nil || errors.Is(err, artifact.ErrFormat):
		// What is no Flux artifact still has a digest: it is something else that the tag names, and so a change.
		c.seen[ref] = &m
	default:
		return nil, err
	}
	return c.seen[ref], nil
}

// baseline is the rolling tag's manifest or, without one, that of the last release.
func (c *comparison) baseline(ctx context.Context, tag *string) (*artifact.Manifest, error) {
	if *tag == "" {
		last, err := c.lastRelease(ctx)
		if err != nil || last == "" {
			return nil, err
		}
		*tag = last
	}
	return c.lookup(ctx, *tag)
}

// settle chooses what the app's tags are to name. An artifact that the registry has and that holds our content is kept,
// so that an unchanged app keeps its digest: first what this release's tag names, then the baseline, then what this
// commit's tag names, and in a release the last release. Otherwise it is what was built. fresh says that the target is
// of this very commit. An immutable tag that names other content is a conflict.
func (c *comparison) settle(ctx context.Context, base *artifact.Manifest) (fresh bool, err error) {
	immutable, err := c.Tags.wanted(c.work.app.Name, c.Source, true)
	if err != nil {
		return false, err
	}
	if err := c.keepTagged(ctx, immutable, ReleaseTag); err != nil {
		return false, err
	}
	if !c.kept && c.same {
		c.keep(base)
	}
	if c.kept {
		return false, nil
	}
	if err := c.keepTagged(ctx, immutable, CommitTag); err != nil {
		return false, err
	}
	if c.kept || c.Source.Version == "" {
		return true, nil
	}
	last, err := c.lastRelease(ctx)
	if err != nil || last == "" {
		return true, err
	}
	m, err := c.lookup(ctx, last)
	if err != nil {
		return false, err
	}
	same, err := c.sameContent(ctx, m)
	if same {
		c.keep(m)
	}
	return !same, err
}

// keepTagged keeps what the tags of a kind name already.
func (c *comparison) keepTagged(ctx context.Context, tags []wantedTag, kind TagKind) error {
	for _, t := range tags {
		if t.kind != kind {
			continue
		}
		m, err := c.lookup(ctx, t.name)
		if err != nil {
			return err
		}
		if m == nil {
			continue
		}
		same, err := c.sameContent(ctx, m)
		if err != nil {
			return err
		}
		if !same {
			built, err := c.artifact()
			if err != nil {
				return err
			}
			return immutableConflict(t, m.Digest.String(), built.Manifest.Digest.String())
		}
		c.keep(m)
	}
	return nil
}

func (c *comparison) keep(m *artifact.Manifest) {
	c.work.target, c.kept = *m, true
}

func immutableConflict(t wantedTag, has, want string) error {
	advice := "a release is published once: tag a new version"
	if t.kind == CommitTag {
		advice = "the same commit gave other content before: pin what changed (a remote base, a tool), or publish a new commit"
	}
	return &ConflictError{Tag: t.name, Kind: t.kind, Has: has, Want: want, Reason: "it is immutable and its content differs", Advice: advice}
}

// lastRelease returns the release tag with the highest version below this run's; empty when there is none.
func (c *comparison) lastRelease(ctx context.Context) (string, error) {
	if c.Tags.Release == "" {
		return "", nil
	}
	tags, err := c.Registry.Tags(ctx, c.work.app.Repository)
	if err != nil {
		return "", err
	}
	current, _ := semver.StrictNewVersion(c.Source.Version)
	versionOf := c.Tags.versions(c.work.app.Name)
	var best string
	var highest *semver.Version
	for _, tag := range tags {
		v, ok := versionOf(tag)
		if !ok || (current != nil && !v.LessThan(current)) || (highest != nil && !v.GreaterThan(highest)) {
			continue
		}
		best, highest = tag, v
	}
	return best, nil
}

// judge decides once about the signatures beside a manifest that the registry has. What Recall remembers is as good as
// what it read: a signature that covers a digest covers it wherever it is stored.
func (c *comparison) judge(ctx context.Context, m *artifact.Manifest) (attest.Verdict, error) {
	digest := m.Digest.String()
	if v, ok := c.judged[digest]; ok {
		return v, nil
	}
	var from Recall = c.Registry
	if c.Recall != nil {
		from = c.Recall
	}
	return c.judgeFrom(ctx, from, m)
}

// judgeStored decides about signatures as a verifier would read them now, for m is what tags are going to name.
func (c *comparison) judgeStored(ctx context.Context, m *artifact.Manifest) (attest.Verdict, error) {
	if v, ok := c.judged[m.Digest.String()]; ok && c.Recall == nil {
		return v, nil
	}
	return c.judgeFrom(ctx, c.Registry, m)
}

func (c *comparison) judgeFrom(ctx context.Context, from Recall, m *artifact.Manifest) (attest.Verdict, error) {
	digest := m.Digest.String()
	signatures, err := from.Signatures(ctx, c.work.app.Repository, m.Descriptor)
	if err != nil {
		return attest.Verdict{}, fmt.Errorf("look up the signatures of %s: %w", digest, err)
	}
	c.judged[digest] = c.Policy.Judge(digest, signatures, c.Formats)
	return c.judged[digest], nil
}
