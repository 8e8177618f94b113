package engine_test

import (
	"errors"
	"fmt"
	"maps"
	"sync/atomic"
	"testing"

	"github.com/artifactctl/artifactctl/internal/artifact"
	"github.com/artifactctl/artifactctl/internal/attest"
	"github.com/artifactctl/artifactctl/internal/engine"
	"github.com/artifactctl/artifactctl/plugins/signer"
)

var errKilled = errors.New("killed")

// The process is killed before and after each single write, in a publish and in a release. The store itself watches
// that no tag ever names unsigned bytes; one more run must end where an uninterrupted one ends.
func TestCrashAnywhereThenConverge(t *testing.T) {
	for _, release := range []bool{false, true} {
		for _, after := range []bool{false, true} {
			reference := setup(t)
			scenario(reference, release)
			writes := reference.store.ops("push", "attach", "tag")
			for n := 1; n <= writes; n++ {
				t.Run(fmt.Sprintf("release=%v/after=%v/write=%d", release, after, n), func(t *testing.T) {
					f := setup(t)
					f.pen = reference.pen
					f.Signer, f.Policy = reference.pen, reference.Policy
					f.store.policy = reference.Policy
					f.store.before = killer(n, after)
					scenario(f, release)
					tagsAreComplete(t, f, release)
					f.store.before = nil
					scenario(f, release)
					if !maps.Equal(f.store.tags, reference.store.tags) {
						t.Errorf("tags\n%v\nwant\n%v", f.store.tags, reference.store.tags)
					}
					if plan, _ := f.publish(); !plan.Empty() {
						t.Error("a third run has something to do")
					}
				})
			}
		}
	}
}

// scenario publishes a commit, and then the next one or its release.
func scenario(f *fixture, release bool) {
	f.Source, f.files["a"], f.files["b"] = at(c1), content("a1"), content("b1")
	f.publish()
	f.Source, f.files["a"] = at(c2), content("a2")
	if release {
		f.Source = released(c2, "1.0.0")
	}
	f.publish()
}

// killer lets writes pass up to the n-th; that one is lost (or, with after, still takes effect), and everything later
// fails, as for a process that is gone.
func killer(n int, after bool) func(op, repository, ref string) error {
	var writes atomic.Int64
	return func(op, _, _ string) error {
		seen := writes.Load()
		if op == "push" || op == "attach" || op == "tag" {
			seen = writes.Add(1)
		}
		limit := int64(n)
		if after {
			limit++
		}
		if seen >= limit {
			return errKilled
		}
		return nil
	}
}

// tagsAreComplete: a release is visible on all apps or still being tagged after all are signed; never before.
func tagsAreComplete(t *testing.T, f *fixture, release bool) {
	t.Helper()
	if !release || (f.store.tags["oci-a:1.0.0"] == "" && f.store.tags["oci-b:1.0.0"] == "") {
		return
	}
	for key := range f.store.manifests {
		if len(f.store.signatures[key]) == 0 {
			t.Errorf("a release tag moved while %s is not signed", key)
		}
	}
}

// A signer whose backend is away for a moment is asked again; a refusal is not.
func TestOnlyUnavailableSignersAreAskedAgain(t *testing.T) {
	for _, c := range []struct {
		err   error
		fails bool
	}{{signer.ErrUnavailable, false}, {signer.ErrDenied, true}, {signer.ErrInvalid, true}, {errors.New("internal"), true}} {
		f := setup(t)
		var calls atomic.Int64
		f.pen.before = func(signer.Request) error {
			if calls.Add(1) <= 2 {
				return fmt.Errorf("backend: %w", c.err)
			}
			return nil
		}
		_, r := f.publish()
		if failed := r.Summary.Failed > 0; failed != c.fails {
			t.Errorf("%v: failed %v", c.err, failed)
		}
	}
}

// liar answers with a signature of something else.
type liar struct{ *pen }

func TestAnswersAreCheckedBeforeAnythingIsAttached(t *testing.T) {
	f := setup(t)
	stranger := newPen(t)
	f.Signer = liar{stranger}
	_, r := f.publish()
	for _, a := range r.Apps {
		if a.Failure == nil || !errors.Is(a.Failure.Err, attest.ErrRejected) {
			t.Errorf("%s: %+v", a.App, a.Failure)
		}
	}
	if f.store.ops("attach", "tag") != 0 {
		t.Error("a rejected answer was attached")
	}
}

// Some registries show a referrer only after a while; a tag waits for it, and does not move if it never comes.
func TestTagWaitsForReadBack(t *testing.T) {
	f := setup(t)
	f.store.policy = f.Policy
	hidden := map[string][]artifact.Signature{}
	f.store.before = func(op, repository, ref string) error {
		if op != "signatures" {
			return nil
		}
		f.store.mu.Lock()
		defer f.store.mu.Unlock()
		key := repository + "@" + ref
		if late, ok := hidden[key]; ok {
			f.store.signatures[key] = late
			return nil
		}
		if now := f.store.signatures[key]; len(now) > 0 {
			hidden[key] = now
			f.store.signatures[key] = nil
		}
		return nil
	}
	f.must()
	f = setup(t)
	f.store.before = func(op, repository, ref string) error {
		if op == "signatures" {
			f.store.mu.Lock()
			f.store.signatures[repository+"@"+ref] = nil
			f.store.mu.Unlock()
		}
		return nil
	}
	_, r := f.publish()
	if len(f.store.tags) != 0 || !errors.Is(r.Apps[0].Failure.Err, engine.ErrUnsigned) {
		t.Errorf("tags %v, failure %+v", f.store.tags, r.Apps[0].Failure)
	}
}
