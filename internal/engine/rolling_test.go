package engine_test

import (
	"errors"
	"testing"

	"github.com/artifactctl/artifactctl/internal/engine"
)

func TestRollingTagNeverGoesBackwards(t *testing.T) {
	for name, c := range map[string]struct {
		commit   string
		rollback bool
		status   engine.TagStatus
		conflict bool
	}{
		"newer commit":                   {commit: c3, status: engine.TagMoved},
		"older commit":                   {commit: c1, status: engine.TagSuperseded},
		"older commit, on purpose":       {commit: c1, rollback: true, status: engine.TagMoved},
		"other line of history":          {commit: other, conflict: true},
		"other line, on purpose":         {commit: other, rollback: true, status: engine.TagMoved},
		"same commit, other environment": {commit: c2, status: engine.TagMoved},
	} {
		t.Run(name, func(t *testing.T) {
			f := setup(t)
			f.Source = at(c2)
			f.must()
			before := f.store.tags["oci-a:edge"]
			f.Source, f.Rollback = at(c.commit), c.rollback
			if c.commit == other {
				f.Source.Created = "2026-11-09T00:00:00Z"
			}
			if c.commit == c2 {
				f.Tags.Commit = "" // the commit tag would refuse
			}
			f.files["a"] = content("changed")
			_, r := f.publish()
			a := r.Apps[0]
			if c.conflict {
				if a.Failure == nil || !errors.Is(a.Failure.Err, engine.ErrConflict) || a.Pushed || f.store.tags["oci-a:edge"] != before {
					t.Errorf("got %+v", a)
				}
				return
			}
			if a.Failure != nil {
				t.Fatal(a.Failure.Err)
			}
			rolling := a.Tags[len(a.Tags)-1]
			if rolling.Kind != engine.RollingTag || rolling.Status != c.status {
				t.Errorf("got %+v, want %s", rolling, c.status)
			}
			if moved := f.store.tags["oci-a:edge"] != before; moved != (c.status == engine.TagMoved) {
				t.Errorf("moved: %v", moved)
			}
		})
	}
}

func TestShallowCloneComparesByTime(t *testing.T) {
	f := setup(t)
	f.Source = at(c2)
	f.must()
	before := f.store.tags["oci-a:edge"]
	f.History = line{}
	f.Source, f.files["a"] = at(c1), content("older")
	if r := f.must(); r.Apps[0].Tags[1].Status != engine.TagSuperseded || len(r.Apps[0].Warnings) == 0 || f.store.tags["oci-a:edge"] != before {
		t.Errorf("older: %+v", r.Apps[0])
	}
	f.Source, f.files["a"] = at(c3), content("newer")
	if r := f.must(); r.Apps[0].Tags[1].Status != engine.TagMoved || len(r.Apps[0].Warnings) == 0 {
		t.Errorf("newer: %+v", r.Apps[0])
	}
}

func TestTagThatMovedSinceThePlanIsAConflict(t *testing.T) {
	f := setup(t)
	f.must()
	f.Source, f.files["a"] = at(c2), content("a2")
	plan, err := f.Plan(t.Context(), apps("a"))
	if err != nil {
		t.Fatal(err)
	}
	f.store.tags["oci-a:edge"] = "sha256:somebody"
	r, err := f.Publish(t.Context(), plan)
	if err != nil {
		t.Fatal(err)
	}
	a := r.Apps[0]
	if a.Failure == nil || a.Failure.Stage != engine.StageTag || !errors.Is(a.Failure.Err, engine.ErrConflict) {
		t.Errorf("got %+v", a.Failure)
	}
	if f.store.tags["oci-a:edge"] != "sha256:somebody" || a.Tags[1].Status != engine.TagHeld || a.Tags[0].Status != engine.TagMoved {
		t.Errorf("tags %+v", a.Tags)
	}
}

func TestTagTemplates(t *testing.T) {
	f := setup(t)
	f.Tags = engine.TagRules{Commit: "{app}-{commit}", Rolling: map[string]string{"main": "edge", "release/*": "{branch}"}}
	f.Source.Branch = "release/1.4"
	f.must()
	for _, tag := range []string{"oci-a:a-1111111", "oci-a:release-1.4"} {
		if f.store.tags[tag] == "" {
			t.Errorf("%s is missing from %v", tag, f.store.tags)
		}
	}
	for _, template := range []string{"{nope}", "{version}", "-{commit}", "{commit}/x"} {
		f.Tags.Commit = template
		if _, r := f.publish(); r.Apps[0].Failure == nil {
			t.Errorf("template %q: no error", template)
		}
	}
}
