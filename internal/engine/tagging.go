package engine

import (
	"context"
	"errors"
	"fmt"

	"github.com/artifactctl/artifactctl/internal/artifact"
)

// tag moves the app's tags, immutable ones first and the rolling one last.
func (p *publisher) tag(ctx context.Context, i int) error {
	w, r := p.plan.work[i], &p.report.Apps[i]
	if !p.ready[i] {
		return nil
	}
	return p.run.moveTags(ctx, w.app, w.target, w.moves, r.Tags)
}

// moveTags moves tags of an app in their order, and keeps in reports what became of each.
func (r *run) moveTags(ctx context.Context, app App, target artifact.Manifest, moves []move, reports []TagReport) error {
	if len(moves) == 0 {
		return nil
	}
	return r.stage(app.Name, StageTag, func() (string, error) {
		note := ""
		for _, m := range moves {
			status, err := r.engine.moveTag(ctx, app.Repository, target, m)
			if err != nil {
				return "", err
			}
			reports[m.slot].Status = status
			note += " " + m.name
		}
		return note[1:], nil
	})
}

// moveTag looks once more where the tag stands: what moved since the plan was moved by somebody else. Registries offer
// no compare-and-swap, so a writer between this look and the PUT cannot be seen; the window is one round trip.
func (e *Engine) moveTag(ctx context.Context, repository string, target artifact.Manifest, m move) (TagStatus, error) {
	has, err := e.resolveTag(ctx, repository, m.name)
	if err != nil {
		return "", err
	}
	want := target.Digest.String()
	if has == want {
		return TagPresent, nil
	}
	if has != m.from {
		return "", &ConflictError{Tag: m.name, Kind: m.kind, Has: has, Want: want,
			Reason: fmt.Sprintf("it named %s when this run planned", orNothing(m.from)),
			Advice: "somebody else published at the same time: run again"}
	}
	return TagMoved, e.Registry.Tag(ctx, repository, target, m.name)
}

// resolveTag returns the digest that a tag names; empty when it does not exist.
func (e *Engine) resolveTag(ctx context.Context, repository, tag string) (string, error) {
	m, err := e.Registry.Resolve(ctx, repository, tag)
	switch {
	case errors.Is(err, artifact.ErrNotFound):
		return "", nil
	case err == nil || errors.Is(err, artifact.ErrFormat):
		return m.Digest.String(), nil
	}
	return "", fmt.Errorf("look at tag %q again: %w", tag, err)
}
