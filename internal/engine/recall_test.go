package engine_test

import (
	"context"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/artifactctl/artifactctl/internal/artifact"
)

// memory remembers signatures, whatever became of them in the registry.
type memory struct {
	signatures map[string][]artifact.Signature
	asked      atomic.Int64
}

func (m *memory) Signatures(_ context.Context, repository string, d artifact.Descriptor) ([]artifact.Signature, error) {
	m.asked.Add(1)
	return slices.Clone(m.signatures[repository+"@"+d.Digest.String()]), nil
}

// TestRecallFindsNothingToDo: a run with nothing to do asks what is remembered, and the registry for the tag only.
func TestRecallFindsNothingToDo(t *testing.T) {
	f := setup(t)
	f.must()
	m := &memory{signatures: f.store.signatures}
	f.Recall, f.Source = m, at(c2)
	f.store.log = nil
	plan, err := f.Plan(t.Context(), apps("a", "b"))
	if err != nil || !plan.Empty() {
		t.Fatal(plan.Apps, err)
	}
	if n := f.store.ops("resolve"); n != 2 || len(f.store.log) != n || m.asked.Load() != 2 {
		t.Errorf("%q, and %d times asked what is remembered", f.store.log, m.asked.Load())
	}
}

// TestRecallMovesNoTag: what is remembered is never the reason to move a tag. The signatures are gone, and the release
// has them made again before it tags (the store watches that no tag names unsigned bytes).
func TestRecallMovesNoTag(t *testing.T) {
	f := setup(t)
	f.must()
	f.Recall = &memory{signatures: f.store.signatures}
	f.store.signatures = map[string][]artifact.Signature{}
	f.Source = released(c2, "1.0.0")
	report := f.must()
	for _, a := range report.Apps {
		if !a.Signed || a.Pushed {
			t.Errorf("%s: %+v", a.App, a)
		}
	}
	if f.store.snapshot()["oci-a:1.0.0"] == "" {
		t.Error("the release is not tagged")
	}
}

// TestVerifyRecallsNothing: verification reads what is stored.
func TestVerifyRecallsNothing(t *testing.T) {
	f := setup(t)
	f.must()
	f.Recall = &memory{signatures: f.store.signatures}
	f.store.signatures = map[string][]artifact.Signature{}
	if v, err := f.Verify(t.Context(), apps("a", "b"), ""); err != nil || v.Signed != 0 {
		t.Errorf("%+v %v", v, err)
	}
}
