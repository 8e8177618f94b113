package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/Masterminds/semver/v3"

	"github.com/artifactctl/artifactctl/internal/artifact"
)

// planTags decides for each tag that the target's rules give the artifact whether it moves.
func (p *promoter) planTags(ctx context.Context, w *promoted, r *PromotedApp) error {
	recorded := p.recorded(w, r.Tag)
	tags, err := p.Tags.wanted(w.app.Name, recorded, recorded.Commit != "")
	if err != nil {
		return err
	}
	if len(tags) == 0 {
		r.warn("no tag of the target's rules applies to " + r.Revision + ": it can be used by its digest only")
	}
	for _, t := range tags {
		m, err := p.Registry.Resolve(ctx, w.app.Repository, t.name)
		has := &m
		if errors.Is(err, artifact.ErrNotFound) {
			has = nil
		} else if err != nil && !errors.Is(err, artifact.ErrFormat) {
			return fmt.Errorf("resolve the target's tag %q: %w", t.name, err)
		}
		to := candidate{digest: r.Digest, commit: recorded.Commit, created: recorded.Created}
		status, err := p.mayMove(ctx, t, has, to, r.warn)
		if conflict := (*ConflictError)(nil); errors.As(err, &conflict) && t.kind != RollingTag {
			conflict.Reason = "it is immutable, and what it names was not promoted from this source"
			conflict.Advice = "promote another commit or version, or find out who published to the target directly"
		}
		if err != nil {
			return err
		}
		report := TagReport{Name: t.name, Kind: t.kind, Status: status}
		if has != nil {
			report.From = has.Digest.String()
		}
		if status == TagMove {
			report.Status = TagHeld // until it did
			w.moves = append(w.moves, move{wantedTag: t, from: report.From, slot: len(r.Tags)})
		}
		r.Tags = append(r.Tags, report)
	}
	return nil
}

// recorded is what the artifact says of its origin, as a run that publishes it would have known it. The branch is that of
// the rolling tag by which it is promoted; otherwise the one that it was published from.
func (p *promoter) recorded(w *promoted, tag string) Source {
	revision := w.target.Annotations[artifact.AnnotationRevision]
	s := Source{
		Commit: commitOf(revision), Version: w.version, Revision: revision,
		Created: w.target.Annotations[artifact.AnnotationCreated], Dirty: strings.HasSuffix(revision, "-dirty"),
	}
	if s.Branch = p.From.Tags.branchOf(w.app.Name, tag, p.From.Source.Branch); s.Branch == "" {
		s.Branch = branchIn(revision)
	}
	return s
}

// branchIn reads the branch out of a revision, "<branch or tag>@<commit>"; empty when it names a release or nothing.
func branchIn(revision string) string {
	at := strings.LastIndex(revision, "@")
	if at < 0 {
		return ""
	}
	name := strings.TrimPrefix(revision[:at], "refs/heads/")
	if _, err := semver.StrictNewVersion(strings.TrimPrefix(name, "v")); err == nil || name == "HEAD" || strings.HasPrefix(name, "refs/") {
		return ""
	}
	return name
}

// tag moves the app's tags in the target, immutable ones first and the rolling one last.
func (p *promoter) tag(ctx context.Context, w *promoted, r *PromotedApp) error {
	if p.DryRun {
		for _, m := range w.moves {
			r.Tags[m.slot].Status = TagMove
		}
		return nil
	}
	return p.run.moveTags(ctx, w.app, w.target, w.moves, r.Tags)
}
