package engine_test

import (
	"context"
	"errors"
	"maps"
	"sync/atomic"
	"testing"

	"github.com/artifactctl/artifactctl/internal/artifact"
	"github.com/artifactctl/artifactctl/internal/engine"
)

// counted counts renders, and can change what they give.
type counted struct {
	tree
	renders atomic.Int64
	changed artifact.Files // what every render after the second gives; nil for the same
}

func (c *counted) Render(ctx context.Context, app string) (artifact.Files, []string, error) {
	if n := c.renders.Add(1); n > 2 && c.changed != nil {
		return c.changed, nil, nil
	}
	return c.tree.Render(ctx, app)
}

// What a plan has no room to keep is rendered again, with the same result.
func TestPlanKeepsNoMoreThanItMay(t *testing.T) {
	reference := setup(t)
	reference.must()
	for _, tt := range []struct{ keep, renders int64 }{{0, 2}, {1, 4}} {
		f := setup(t)
		r := &counted{tree: f.files}
		f.Renderer, f.Keep = r, tt.keep
		f.must()
		if got := r.renders.Load(); got != tt.renders {
			t.Errorf("room for %d bytes: %d renders, want %d", tt.keep, got, tt.renders)
		}
		if !maps.Equal(f.store.tags, reference.store.tags) {
			t.Errorf("room for %d bytes: tags %v, want %v", tt.keep, f.store.tags, reference.store.tags)
		}
	}
}

// Files that change between plan and publish are not published as if they had not.
func TestRenderedAgainMustBeTheSame(t *testing.T) {
	f := setup(t)
	f.Renderer, f.Keep = &counted{tree: f.files, changed: content("other")}, 1
	_, r := f.publish()
	for _, a := range r.Apps {
		if a.Failure == nil || !errors.Is(a.Failure.Err, engine.ErrMoved) || a.Failure.Stage != engine.StageRender {
			t.Errorf("%s: %+v", a.App, a.Failure)
		}
	}
	if len(f.store.tags) != 0 || f.store.ops("push") != 0 {
		t.Errorf("tags %v", f.store.tags)
	}
}
