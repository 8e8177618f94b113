package engine

import (
	"context"
	"fmt"

	"github.com/artifactctl/artifactctl/internal/artifact"
)

// defaultKeep is what a plan keeps unless the engine says otherwise: the artifacts of some thousand apps.
const defaultKeep = 64 << 20

// build makes the artifact of an app's files.
func (e *Engine) build(app App, files artifact.Files) (*artifact.Artifact, error) {
	return artifact.Build(files, artifact.Meta{
		Source: e.Source.Remote, Revision: e.Source.Revision, Created: e.Source.Created, Annotations: app.Annotations,
	})
}

// artifact returns what the app's files make. It is made when somebody needs it: packing and compressing what turns out
// to be unchanged would be most of the work of a run with nothing to do.
func (c *comparison) artifact() (*artifact.Artifact, error) {
	if c.work.built != nil {
		return c.work.built, nil
	}
	var err error
	c.work.built, err = c.build(c.work.app, c.files)
	return c.work.built, err
}

// keep holds on to an artifact that is to be pushed while there is room for it, so that memory is bounded however large
// the fleet is. What finds none is rendered again.
func (p *planner) keep(w *work) {
	if !w.push {
		w.built = nil
		return
	}
	if p.room.Add(-int64(len(w.built.Layer.Content))) < 0 {
		w.built = nil
	}
}

// take returns the artifact to push and lets go of it. One that is rendered again must be what was planned.
func (p *publisher) take(ctx context.Context, w *work) (*artifact.Artifact, error) {
	built := w.built
	w.built = nil
	if built != nil {
		return built, nil
	}
	err := p.run.stage(w.app.Name, StageRender, func() (string, error) {
		files, _, err := p.Renderer.Render(ctx, w.app.Name)
		if err != nil {
			return "", err
		}
		if built, err = p.build(w.app, files); err != nil {
			return "", err
		}
		if built.Manifest.Digest != w.target.Digest {
			return "", fmt.Errorf("%w: it gave %s, and %s when this run planned", ErrMoved, built.Manifest.Digest, w.target.Digest)
		}
		return "again", nil
	})
	return built, err
}
