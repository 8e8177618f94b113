package engine_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/artifactctl/artifactctl/internal/artifact"
	"github.com/artifactctl/artifactctl/internal/changes"
	"github.com/artifactctl/artifactctl/internal/engine"
)

// commits holds what the apps of some commits render to.
type commits map[string]tree

func (c commits) RenderAt(ctx context.Context, commit, app string) (artifact.Files, error) {
	at, ok := c[commit]
	if !ok {
		return nil, errors.New("this clone does not have it")
	}
	files, _, err := at.Render(ctx, app)
	return files, err
}

func TestReproduce(t *testing.T) {
	tests := map[string]struct {
		change func(*fixture) // before the publish
		at     commits
		state  engine.SignatureState
		want   string
	}{
		"same":           {nil, commits{c1: {"a": content("a1")}}, engine.StateSigned, ""},
		"other bytes":    {nil, commits{c1: {"a": content("a0")}}, engine.StateDiffers, "holds other files than main@sha1:1111"},
		"more files":     {nil, commits{c1: {"a": {artifact.ManifestsFile: []byte("a1"), "x": nil}}}, engine.StateDiffers, "holds other files"},
		"no such commit": {nil, commits{}, engine.StateUnknown, "does not have it"},
		"no such app":    {nil, commits{c1: {}}, engine.StateUnknown, "kustomization.yaml"},
		"dirty tree":     {func(f *fixture) { f.Source.Revision += "-dirty"; f.Source.Dirty = true }, commits{c1: {"a": content("a1")}}, engine.StateDiffers, "changes that no commit holds"},
		"no commit":      {func(f *fixture) { f.Source.Revision = "main" }, commits{c1: {"a": content("a1")}}, engine.StateDiffers, "names no commit"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			f := setup(t)
			if tt.change != nil {
				tt.change(f)
			}
			f.must()
			f.Reproducer = tt.at
			f.Diff = func(_, _ artifact.Files) []changes.Object { return []changes.Object{{Name: "x"}} }
			v, err := f.Verify(t.Context(), apps("a"), "")
			if err != nil {
				t.Fatal(err)
			}
			a := v.Apps[0]
			if a.State != tt.state || a.Reproduced != (tt.want == "") || (v.Refused == 0) != (tt.want == "") {
				t.Errorf("%+v", v)
			}
			if reasons := strings.Join(a.Reasons, "; "); !strings.Contains(reasons, tt.want) {
				t.Errorf("reasons %q, want %q", reasons, tt.want)
			}
			if strings.Contains(tt.want, "other files") != (len(a.Objects) > 0) {
				t.Errorf("objects %v", a.Objects)
			}
		})
	}
}

// Rendering proves nothing about a signature.
func TestReproduceDoesNotExcuseASignature(t *testing.T) {
	f := setup(t)
	f.must()
	f.Reproducer, f.Policy = commits{c1: {"a": content("a1")}}, newPen(t).policy(t)
	if v, _ := f.Verify(t.Context(), apps("a"), ""); v.Apps[0].State != engine.StateUnsigned || v.Apps[0].Reproduced {
		t.Errorf("%+v", v.Apps[0])
	}
}
