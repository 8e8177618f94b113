package engine_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/artifactctl/artifactctl/internal/artifact"
	"github.com/artifactctl/artifactctl/internal/attest"
	"github.com/artifactctl/artifactctl/internal/engine"
	"github.com/artifactctl/artifactctl/plugins/signer"
)

// batching is a fleet that is signed in batches, and the requests that its signer got.
func batching(t *testing.T) (*fixture, func() []signer.Request) {
	t.Helper()
	f := setup(t)
	f.Batch = true
	var mu sync.Mutex
	var requests []signer.Request
	f.pen.before = func(r signer.Request) error {
		mu.Lock()
		defer mu.Unlock()
		requests = append(requests, r)
		return nil
	}
	return f, func() []signer.Request {
		mu.Lock()
		defer mu.Unlock()
		defer func() { requests = nil }()
		return requests
	}
}

func TestOneSignatureForAll(t *testing.T) {
	f, requests := batching(t)
	r := f.must()
	if s := r.Summary; s.Pushed != 2 || s.Signed != 2 || s.Tagged != 4 {
		t.Errorf("first run: %+v", s)
	}
	want := []string{f.store.tags["oci-a:edge"], f.store.tags["oci-b:edge"]}
	slices.Sort(want)
	if got := requests(); len(got) != 1 || !slices.Equal(got[0].Digests, want) || got[0].Repository != "r.example.com" {
		t.Fatalf("the signer was asked for %+v", got)
	}
	plan, _ := f.publish()
	if !plan.Empty() || len(requests()) != 0 {
		t.Error("the second run has something to do")
	}
	v, err := f.Verify(t.Context(), apps("a", "b"), "")
	if err != nil || v.Signed != 2 || len(v.Batches) != 1 || !slices.Equal(v.Batches[0].Subjects, want) {
		t.Fatalf("verified %+v, %v", v, err)
	}
	if v.Apps[0].Batch != v.Batches[0].Digest || v.Apps[1].Batch != v.Batches[0].Digest || v.Batches[0].SignedBy == "" {
		t.Errorf("verified %+v", v)
	}
	// A batch of one is an ordinary signature.
	f.Source, f.files["a"] = at(c2), content("a2")
	f.must()
	if got := requests(); len(got) != 1 || len(got[0].Digests) != 1 || got[0].Repository != "r.example.com/oci-a" {
		t.Errorf("the signer was asked for %+v", got)
	}
	if v, _ := f.Verify(t.Context(), apps("a"), ""); v.Signed != 1 || v.Apps[0].Batch != "" || len(v.Batches) != 0 {
		t.Errorf("verified %+v", v)
	}
}

func TestBatchFormats(t *testing.T) {
	f, requests := batching(t)
	f.Formats = []artifact.Format{artifact.FormatBundle, artifact.FormatLegacy}
	f.must()
	sizes := map[string][]int{}
	for _, r := range requests() {
		sizes[r.PayloadType] = append(sizes[r.PayloadType], len(r.Digests))
	}
	if !slices.Equal(sizes[signer.PayloadInToto], []int{2}) || !slices.Equal(sizes[signer.PayloadSimpleSigning], []int{1, 1}) {
		t.Errorf("digests in each request: %v", sizes)
	}
}

func TestBatchLeavesFailedAppsOut(t *testing.T) {
	f, requests := batching(t)
	f.store.before = func(op, repository, _ string) error {
		if op == "push" && repository == "oci-a" {
			return errors.New("disk full")
		}
		return nil
	}
	_, r := f.publish()
	if r.Apps[0].Failure == nil || r.Apps[1].Failure != nil || f.store.tags["oci-b:edge"] == "" {
		t.Errorf("report %+v", r.Apps)
	}
	if got := requests(); len(got) != 1 || !slices.Equal(got[0].Digests, []string{r.Apps[1].Digest}) {
		t.Errorf("the signer was asked for %+v", got)
	}
}

func TestBatchThatIsRefused(t *testing.T) {
	f, _ := batching(t)
	f.pen.before = func(signer.Request) error { return fmt.Errorf("%w: no", signer.ErrDenied) }
	_, r := f.publish()
	for _, a := range r.Apps {
		if a.Failure == nil || a.Failure.Stage != engine.StageSign || !errors.Is(a.Failure.Err, signer.ErrDenied) {
			t.Errorf("%s: %+v", a.App, a.Failure)
		}
	}
	if len(f.store.tags) != 0 || f.store.ops("attach") != 0 {
		t.Errorf("tags %v", f.store.tags)
	}
}

// Killed before and after each write, a run converges: what lacks its signature gets a new one.
func TestBatchCrashThenConverge(t *testing.T) {
	for _, release := range []bool{false, true} {
		reference, _ := batching(t)
		scenario(reference, release)
		for n := range reference.store.ops("push", "attach", "tag") {
			f, _ := batching(t)
			f.store.before = killer(n+1, n%2 == 0)
			scenario(f, release)
			tagsAreComplete(t, f, release)
			f.store.before = nil
			scenario(f, release)
			if !maps.Equal(f.store.tags, reference.store.tags) {
				t.Errorf("write %d: tags\n%v\nwant\n%v", n+1, f.store.tags, reference.store.tags)
			}
			if plan, _ := f.publish(); !plan.Empty() {
				t.Errorf("write %d: a third run has something to do", n+1)
			}
		}
	}
}

// A fleet that is larger than a batch takes several. Apps of equal content are one subject.
func TestManyBatches(t *testing.T) {
	f, requests := batching(t)
	n := 2*attest.MaxSubjects + 2
	var names []string
	for i := range n {
		name := fmt.Sprintf("app%d", i)
		names = append(names, name)
		f.files[name] = content(name)
	}
	f.files["app1"] = f.files["app0"]
	plan, err := f.Plan(t.Context(), apps(names...))
	if err != nil {
		t.Fatal(err)
	}
	r, err := f.Publish(t.Context(), plan)
	if err != nil || r.Summary.Signed != n || r.Summary.Failed != 0 || r.Summary.Tagged != 2*n {
		t.Fatalf("%+v, %v", r.Summary, err)
	}
	var sizes []int
	for _, r := range requests() {
		sizes = append(sizes, len(r.Digests))
	}
	slices.Sort(sizes)
	if want := []int{2, attest.MaxSubjects - 1, attest.MaxSubjects}; !slices.Equal(sizes, want) {
		t.Errorf("batches of %v, want %v", sizes, want)
	}
}

// With fail-fast nothing is signed once an app failed.
func TestBatchFailFast(t *testing.T) {
	f, requests := batching(t)
	f.FailFast = true
	f.store.before = func(op, repository, _ string) error {
		if op == "push" && repository == "oci-a" {
			return errors.New("disk full")
		}
		return nil
	}
	_, r := f.publish()
	if len(requests()) != 0 || len(f.store.tags) != 0 {
		t.Errorf("tags %v", f.store.tags)
	}
	if b := r.Apps[1].Failure; b == nil || !strings.Contains(b.Message, "canceled") {
		t.Errorf("b: %+v", b)
	}
}
