package engine_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/artifactctl/artifactctl/internal/engine"
)

// phase publishes some apps in one phase.
func (f *fixture) phase(phase engine.Phase, names ...string) *engine.Report {
	f.t.Helper()
	f.Phase = phase
	defer func() { f.Phase = engine.PhaseAll }()
	plan, err := f.Plan(f.t.Context(), apps(names...))
	if err != nil {
		f.t.Fatal(err)
	}
	r, err := f.Publish(f.t.Context(), plan)
	if err != nil {
		f.t.Fatal(err)
	}
	return r
}

// Shards that push and one run that tags end where one run for all ends, in a publish and in a release.
func TestPhases(t *testing.T) {
	for _, source := range []engine.Source{at(c1), released(c1, "1.0.0")} {
		reference := setup(t)
		reference.Source = source
		reference.must()

		f := setup(t)
		f.Source = source
		if r := f.phase(engine.PhasePush, "a"); r.Summary.Pushed != 1 || r.Summary.Signed != 1 || r.Summary.Failed != 0 {
			t.Errorf("first shard: %+v", r.Summary)
		}
		r := f.phase(engine.PhaseTag, "a", "b")
		b := r.Apps[1].Failure
		if b == nil || b.Stage != engine.StageTag || !strings.Contains(b.Message, "is not pushed") {
			t.Errorf("b, whose shard did not run: %+v", b)
		}
		if release := source.Version != ""; release && len(f.store.tags) != 0 {
			t.Errorf("tags moved before every shard was complete: %v", f.store.tags)
		}
		if f.store.ops("push") != 1 || f.store.ops("attach") != 1 {
			t.Error("the tag phase pushed or signed")
		}
		f.phase(engine.PhasePush, "b")
		if r := f.phase(engine.PhaseTag, "a", "b"); r.Summary.Failed != 0 {
			t.Errorf("tag phase: %+v", r.Summary)
		}
		if !maps.Equal(f.store.tags, reference.store.tags) {
			t.Errorf("tags %v, want %v", f.store.tags, reference.store.tags)
		}
		if plan, _ := f.publish(); !plan.Empty() {
			t.Error("one more run has something to do")
		}
	}
}

// A shard that was killed is finished by running it again; the tag phase finds what lacks its signature.
func TestPhaseFindsUnsigned(t *testing.T) {
	f := setup(t)
	f.store.before = killer(2, false) // push a, and then nothing more
	f.phase(engine.PhasePush, "a")
	f.store.before = nil
	if r := f.phase(engine.PhaseTag, "a"); r.Apps[0].Failure == nil || !strings.Contains(r.Apps[0].Failure.Message, "is not signed") {
		t.Errorf("a: %+v", r.Apps[0].Failure)
	}
	f.phase(engine.PhasePush, "a")
	if r := f.phase(engine.PhaseTag, "a"); r.Summary.Failed != 0 || r.Summary.Tagged != 2 {
		t.Errorf("%+v", r.Summary)
	}
}

func TestPartition(t *testing.T) {
	costs := []int64{5, 1, 1, 9, 3, 3, 1, 1}
	for n := 1; n <= 10; n++ {
		shards := engine.Partition(costs, n)
		seen := map[int]int{}
		for _, s := range shards {
			if !slices.IsSorted(s) {
				t.Errorf("%d shards: %v is not in order", n, s)
			}
			for _, i := range s {
				seen[i]++
			}
		}
		if len(shards) != n || len(seen) != len(costs) {
			t.Errorf("%d shards: %v", n, shards)
		}
		for i, times := range seen {
			if times != 1 {
				t.Errorf("%d shards: %d is in %d of them", n, i, times)
			}
		}
	}
	if got := engine.Partition(costs, 3); !slices.Equal(got[0], []int{3}) {
		t.Errorf("the costliest is not alone: %v", got)
	}
	// Without known costs apps are spread evenly.
	for _, s := range engine.Partition(make([]int64, 9), 3) {
		if len(s) != 3 {
			t.Errorf("a shard of %d of 9 apps", len(s))
		}
	}
}
