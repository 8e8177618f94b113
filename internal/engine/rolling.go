package engine

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/artifactctl/artifactctl/internal/artifact"
)

// planTags decides for each wanted tag whether it moves.
func (c *comparison) planTags(ctx context.Context, fresh bool) error {
	tags, err := c.Tags.wanted(c.work.app.Name, c.Source, fresh)
	if err != nil {
		return err
	}
	for _, t := range tags {
		m, err := c.lookup(ctx, t.name)
		if err != nil {
			return err
		}
		status, err := c.planTag(ctx, t, m)
		if err != nil {
			return err
		}
		r := TagReport{Name: t.name, Kind: t.kind, Status: status}
		if m != nil {
			r.From = m.Digest.String()
		}
		if status == TagMove {
			c.work.moves = append(c.work.moves, move{wantedTag: t, from: r.From, slot: len(c.report.Tags)})
		}
		c.report.Tags = append(c.report.Tags, r)
	}
	return nil
}

func (c *comparison) planTag(ctx context.Context, t wantedTag, has *artifact.Manifest) (TagStatus, error) {
	if has != nil && t.kind == RollingTag && c.same && t.name == c.report.Baseline {
		return TagPresent, nil // same content, perhaps under another digest: consumers would gain nothing
	}
	to := candidate{digest: c.work.target.Digest.String(), commit: c.Source.Commit, created: c.Source.Created}
	return c.mayMove(ctx, t, has, to, c.report.warn)
}

// candidate is what a tag may come to name.
type candidate struct{ digest, commit, created string }

// mayMove decides whether a tag, which names what has is, comes to name a candidate.
func (e *Engine) mayMove(ctx context.Context, t wantedTag, has *artifact.Manifest, to candidate, warn func(string)) (TagStatus, error) {
	switch {
	case has == nil:
		return TagMove, nil
	case has.Digest.String() == to.digest:
		return TagPresent, nil
	case t.kind != RollingTag:
		return "", immutableConflict(t, has.Digest.String(), to.digest)
	case e.Rollback:
		return TagMove, nil
	}
	return e.forward(ctx, t, has, to, warn)
}

// forward lets a rolling tag move only to a descendant of the commit that it names. Runs that finish out of order are
// daily bread in CI, so an older commit's run leaves the tag alone and succeeds; a commit of another line of history is
// a conflict.
func (e *Engine) forward(ctx context.Context, t wantedTag, has *artifact.Manifest, to candidate, warn func(string)) (TagStatus, error) {
	recorded := has.Annotations[artifact.AnnotationRevision]
	relation := Unknown
	if commit := commitOf(recorded); commit != "" && to.commit != "" {
		var err error
		if relation, err = e.History.Compare(ctx, commit, to.commit); err != nil {
			return "", fmt.Errorf("compare with the commit that tag %q names: %w", t.name, err)
		}
	}
	switch relation {
	case Same, Descendant:
		return TagMove, nil
	case Ancestor:
		warn(fmt.Sprintf("tag %q stays: it names %s, which is newer (--allow-rollback moves it back)", t.name, recorded))
		return TagSuperseded, nil
	case Diverged:
		return "", &ConflictError{Tag: t.name, Kind: t.kind, Has: has.Digest.String(), Want: to.digest,
			Reason: fmt.Sprintf("it is of %s, which is not in the history of this commit", recorded),
			Advice: "rolling tags only move forward; --allow-rollback moves it all the same"}
	}
	return forwardByTime(t, has, recorded, to, warn), nil
}

// forwardByTime decides when history cannot: a shallow clone, or an artifact of a tool that records no commit.
func forwardByTime(t wantedTag, has *artifact.Manifest, recorded string, to candidate, warn func(string)) TagStatus {
	if recorded == "" {
		recorded = "no revision"
	}
	theirs, err1 := time.Parse(time.RFC3339, has.Annotations[artifact.AnnotationCreated])
	ours, err2 := time.Parse(time.RFC3339, to.created)
	if err1 == nil && err2 == nil && ours.Before(theirs) {
		warn(fmt.Sprintf("tag %q stays: this clone does not know its commit (%s), and it was created later; fetch the history to compare commits", t.name, recorded))
		return TagSuperseded
	}
	warn(fmt.Sprintf("this clone does not know the commit that tag %q names (%s): compared by time; fetch the history to compare commits", t.name, recorded))
	return TagMove
}

// commitOf reads the commit out of a revision: "main@sha1:<hex>"; empty when there is none. "-dirty" is dropped: such
// bytes came after their commit.
func commitOf(revision string) string {
	_, id, ok := strings.Cut(revision[strings.LastIndex(revision, "@")+1:], ":")
	if !ok {
		return ""
	}
	id = strings.TrimSuffix(id, "-dirty")
	if len(id) < shortCommit || strings.Trim(id, "0123456789abcdef") != "" {
		return ""
	}
	return id
}
