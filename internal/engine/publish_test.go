package engine_test

import (
	"context"
	"errors"
	"maps"
	"strings"
	"testing"

	"github.com/artifactctl/artifactctl/internal/artifact"
	"github.com/artifactctl/artifactctl/internal/engine"
	"github.com/artifactctl/artifactctl/plugins/signer"
)

func TestFirstRunThenNothing(t *testing.T) {
	f := setup(t)
	r := f.must()
	if s := r.Summary; s.New != 2 || s.Pushed != 2 || s.Signed != 2 || s.Tagged != 4 || s.Healed != 0 {
		t.Errorf("first run: %+v", s)
	}
	if f.store.tags["oci-a:edge"] != f.store.tags["oci-a:sha-1111111"] || f.store.tags["oci-a:edge"] == "" {
		t.Errorf("tags %v", f.store.tags)
	}
	writes := f.store.ops("push", "attach", "tag")
	plan, r := f.publish()
	if !plan.Empty() || r.Summary.Unchanged != 2 || r.Summary.Tagged != 0 {
		t.Errorf("second run: %+v", r.Summary)
	}
	if f.store.ops("push", "attach", "tag") != writes {
		t.Error("second run wrote to the registry")
	}
}

func TestOnlyChangedAppMoves(t *testing.T) {
	f := setup(t)
	f.must()
	before := f.store.snapshot()
	f.Source = at(c2)
	f.files["a"] = content("a2")
	r := f.must()
	if r.Summary.Changed != 1 || r.Summary.Unchanged != 1 || r.Summary.Pushed != 1 {
		t.Errorf("summary %+v", r.Summary)
	}
	if f.store.tags["oci-a:edge"] == before["oci-a:edge"] || f.store.tags["oci-b:edge"] != before["oci-b:edge"] {
		t.Errorf("tags %v, before %v", f.store.tags, before)
	}
	if _, tagged := f.store.tags["oci-b:sha-2222222"]; tagged {
		t.Error("an unchanged app got a commit tag")
	}
}

func TestReleaseTagsEveryAppAndKeepsDigests(t *testing.T) {
	f := setup(t)
	f.must()
	edge := f.store.tags["oci-b:edge"]
	f.Source = released(c2, "1.4.2")
	f.files["a"] = content("a2")
	r := f.must()
	if f.store.tags["oci-b:1.4.2"] != edge {
		t.Errorf("the unchanged app's release is %s, want its signed digest %s", f.store.tags["oci-b:1.4.2"], edge)
	}
	if f.store.tags["oci-a:1.4.2"] != f.store.tags["oci-a:sha-2222222"] || r.Summary.Pushed != 1 {
		t.Errorf("tags %v", f.store.tags)
	}
	if f.store.tags["oci-a:edge"] == f.store.tags["oci-a:1.4.2"] {
		t.Error("a release moved a rolling tag")
	}
	// Once more, after the branch moved on: the release stays what it is.
	f.Source, f.files["a"], f.files["b"] = at(c3), content("a3"), content("b3")
	f.must()
	before := f.store.snapshot()
	f.Source, f.files["a"], f.files["b"] = released(c2, "1.4.2"), content("a2"), content("b1")
	if plan, _ := f.publish(); !plan.Empty() || !maps.Equal(before, f.store.tags) {
		t.Errorf("releasing again changed %v to %v", before, f.store.tags)
	}
	// The next release from an old line: unchanged since the last release, though edge went on.
	f.Source = released(c2, "1.4.3")
	f.must()
	if f.store.tags["oci-b:1.4.3"] != edge {
		t.Error("a release did not keep the digest of the last release")
	}
}

func TestReleaseIsAllOrNothing(t *testing.T) {
	f := setup(t)
	f.Source = released(c1, "1.0.0")
	f.pen.before = func(r signer.Request) error {
		if strings.HasSuffix(r.Repository, "oci-b") {
			return signer.ErrDenied
		}
		return nil
	}
	_, r := f.publish()
	if len(f.store.tags) != 0 {
		t.Errorf("tags moved though an app failed: %v", f.store.tags)
	}
	if r.Apps[0].Failure != nil || r.Apps[0].Tags[0].Status != engine.TagHeld || r.Summary.Tagged != 0 {
		t.Errorf("app a: %+v", r.Apps[0])
	}
	if f := r.Apps[1].Failure; f == nil || f.Stage != engine.StageSign || !errors.Is(f.Err, signer.ErrDenied) {
		t.Errorf("app b: %+v", f)
	}
	f.pen.before = nil
	f.must()
	if f.store.tags["oci-a:1.0.0"] == "" || f.store.tags["oci-b:1.0.0"] == "" {
		t.Errorf("the next run did not finish: %v", f.store.tags)
	}
}

func TestReleaseHeldByAppThatDoesNotRender(t *testing.T) {
	f := setup(t)
	f.Source = released(c1, "1.0.0")
	delete(f.files, "b")
	_, r := f.publish()
	if len(f.store.tags) != 0 || r.Apps[1].Failure == nil || r.Apps[1].Failure.Stage != engine.StageRender {
		t.Errorf("tags %v, b %+v", f.store.tags, r.Apps[1].Failure)
	}
}

func TestOneFailureDoesNotStopOthers(t *testing.T) {
	f := setup(t)
	delete(f.files, "a")
	_, r := f.publish()
	if r.Summary.Failed != 1 || f.store.tags["oci-b:edge"] == "" || f.store.tags["oci-a:edge"] != "" {
		t.Errorf("summary %+v, tags %v", r.Summary, f.store.tags)
	}
}

func TestImmutableTagsNeverMove(t *testing.T) {
	f := setup(t)
	f.must()
	before := f.store.snapshot()
	f.files["a"] = content("same commit, other content")
	_, r := f.publish()
	if a := r.Apps[0]; a.Failure == nil || !errors.Is(a.Failure.Err, engine.ErrConflict) {
		t.Errorf("commit tag: %+v", a.Failure)
	}
	f.Source = released(c2, "1.0.0")
	f.files["a"] = content("a2")
	f.must()
	f.Source = released(c3, "1.0.0")
	f.files["a"] = content("a3")
	_, r = f.publish()
	if a := r.Apps[0]; a.Failure == nil || !errors.Is(a.Failure.Err, engine.ErrConflict) {
		t.Errorf("release tag: %+v", a.Failure)
	}
	for tag, digest := range before {
		if f.store.tags[tag] != digest {
			t.Errorf("%s moved", tag)
		}
	}
}

func TestHealsWhatIsNotSignedByTheCurrentSigner(t *testing.T) {
	f := setup(t)
	f.must()
	next := newPen(t)
	f.pen, f.Signer, f.Policy, f.store.policy = next, next, next.policy(t), next.policy(t)
	f.Source = at(c2)
	before := f.store.snapshot()
	r := f.must()
	if r.Summary.Healed != 2 || r.Summary.Pushed != 0 || !maps.Equal(before, f.store.tags) {
		t.Errorf("summary %+v, tags %v, before %v", r.Summary, f.store.tags, before)
	}
	if plan, _ := f.publish(); !plan.Empty() {
		t.Error("healed, and yet there is something to do")
	}
}

// Whoever can push can write an annotation. It must never be enough to get foreign bytes signed.
func TestLyingAnnotationIsNotSigned(t *testing.T) {
	f := setup(t)
	honest, err := artifact.Build(content("a1"), artifact.Meta{Revision: "main@sha1:" + c1, Created: at(c1).Created})
	if err != nil {
		t.Fatal(err)
	}
	evil, err := artifact.Build(content("evil"), artifact.Meta{Revision: "main@sha1:" + c1, Created: at(c1).Created})
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(string(evil.Manifest.Bytes), evil.Manifest.Annotations[artifact.AnnotationContent],
		honest.Manifest.Annotations[artifact.AnnotationContent], 1)
	if evil.Manifest, err = artifact.ParseManifest(artifact.ManifestMediaType, []byte(text)); err != nil {
		t.Fatal(err)
	}
	f.store.put("oci-a", evil)
	f.store.tags["oci-a:edge"] = evil.Manifest.Digest.String()
	r := f.must()
	if n := len(f.store.signatures["oci-a@"+evil.Manifest.Digest.String()]); n != 0 {
		t.Error("the evil artifact was signed")
	}
	if r.Apps[0].Change != engine.Changed || f.store.tags["oci-a:edge"] == evil.Manifest.Digest.String() {
		t.Errorf("the evil artifact stays: %+v", r.Apps[0])
	}
}

// An artifact that the flux CLI pushed has no content digest and no signature: same bytes keep their digest and are
// signed.
func TestForeignArtifactOfSameContentIsKeptAndSigned(t *testing.T) {
	f := setup(t)
	foreign, err := artifact.Build(content("a1"), artifact.Meta{Source: "x", Revision: "main@sha1:" + c1, Created: "1970-01-01T00:00:00Z"})
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(string(foreign.Manifest.Bytes), artifact.AnnotationContent, "other", 1)
	if foreign.Manifest, err = artifact.ParseManifest(artifact.ManifestMediaType, []byte(text)); err != nil {
		t.Fatal(err)
	}
	f.store.put("oci-a", foreign)
	f.store.tags["oci-a:edge"] = foreign.Manifest.Digest.String()
	r := f.must()
	if r.Apps[0].Change != engine.Unchanged || !r.Apps[0].Signed || f.store.tags["oci-a:edge"] != foreign.Manifest.Digest.String() {
		t.Errorf("%+v", r.Apps[0])
	}
}

func TestWhatIsNoArtifactCountsAsChanged(t *testing.T) {
	f := setup(t)
	index := artifact.Manifest{Descriptor: artifact.Describe("application/vnd.oci.image.index.v1+json", []byte(`{}`)), Bytes: []byte(`{}`)}
	f.store.manifests["oci-a@"+index.Digest.String()] = index
	f.store.tags["oci-a:edge"] = index.Digest.String()
	r := f.must()
	if r.Apps[0].Change != engine.Changed || len(r.Apps[0].Warnings) == 0 || f.store.tags["oci-a:edge"] == index.Digest.String() {
		t.Errorf("%+v", r.Apps[0])
	}
}

// A registry that fails must never look like one that has nothing.
func TestRegistryErrorIsNeverAChange(t *testing.T) {
	boom := errors.New("429 too many requests")
	for _, op := range []string{"resolve", "signatures", "fetch", "tags"} {
		f := setup(t)
		f.must()
		if op == "fetch" { // only asked when the annotation cannot be believed
			f.store.signatures = map[string][]artifact.Signature{}
			f.Source = at(c2)
		}
		if op == "tags" {
			f.Source = released(c2, "2.0.0")
			f.files["a"] = content("a2")
		}
		writes := f.store.ops("push", "attach", "tag")
		f.store.before = func(o, repository, _ string) error {
			if o == op && repository == "oci-a" {
				return boom
			}
			return nil
		}
		_, r := f.publish()
		if a := r.Apps[0]; a.Failure == nil || !errors.Is(a.Failure.Err, boom) || a.Pushed || a.Signed {
			t.Errorf("%s: %+v", op, a)
		}
		if n := f.store.ops("push", "attach", "tag"); op != "fetch" && n != writes {
			t.Errorf("%s: the registry was written to", op)
		}
	}
}

func TestPlanWritesNothing(t *testing.T) {
	f := setup(t)
	if _, err := f.Plan(t.Context(), apps("a", "b")); err != nil {
		t.Fatal(err)
	}
	if n := f.store.ops("push", "attach", "tag"); n != 0 {
		t.Errorf("a plan made %d writes", n)
	}
}

func TestDirtyTreeGetsNoImmutableTag(t *testing.T) {
	f := setup(t)
	f.Source.Dirty = true
	f.Source.Revision += "-dirty"
	f.must()
	if len(f.store.tags) != 2 || f.store.tags["oci-a:edge"] == "" {
		t.Errorf("tags %v", f.store.tags)
	}
	f.Source.Version = "1.0.0"
	plan, err := f.Plan(t.Context(), apps("a"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Publish(t.Context(), plan); !errors.Is(err, engine.ErrDirty) {
		t.Errorf("release from a dirty tree: %v", err)
	}
}

func TestBranchWithoutRuleGetsCommitTagOnly(t *testing.T) {
	f := setup(t)
	f.must()
	f.Source = at(c2)
	f.Source.Branch = "feature/x"
	f.files["a"] = content("a2")
	before := f.store.tags["oci-a:edge"]
	r := f.must()
	if r.Apps[0].Baseline != "edge" || f.store.tags["oci-a:edge"] != before || f.store.tags["oci-a:sha-2222222"] == "" {
		t.Errorf("tags %v", f.store.tags)
	}
	if plan, _ := f.publish(); !plan.Empty() {
		t.Error("the second run has something to do")
	}
	f.Tags.Commit = ""
	f.files["a"] = content("a3")
	if r := f.must(); r.Apps[0].Pushed || len(r.Apps[0].Warnings) == 0 {
		t.Errorf("pushed though no tag would name it: %+v", r.Apps[0])
	}
}

func TestCancelledRunReportsEveryApp(t *testing.T) {
	f := setup(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	plan, err := f.Plan(ctx, apps("a", "b"))
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	for _, a := range plan.Apps {
		if a.Failure == nil || !errors.Is(a.Failure.Err, context.Canceled) {
			t.Errorf("%s: %+v", a.App, a.Failure)
		}
	}
}

func TestFailFastStopsAtTheFirstFailure(t *testing.T) {
	f := setup(t)
	f.FailFast = true
	delete(f.files, "a")
	_, r := f.publish()
	if b := r.Apps[1]; b.Failure == nil || !errors.Is(b.Failure.Err, context.Canceled) || len(f.store.tags) != 0 {
		t.Errorf("b: %+v, tags %v", b.Failure, f.store.tags)
	}
}

// What a run with nothing to do asks the registry, on a later commit that left the apps alone.
func TestUnchangedAppCostsOneLookUpEach(t *testing.T) {
	f := setup(t)
	f.must()
	f.Source = at(c2)
	f.store.log = nil
	f.must()
	if got, want := strings.Join(f.store.log, "\n"), 4; len(f.store.log) != want {
		t.Errorf("%d requests for two apps, want %d:\n%s", len(f.store.log), want, got)
	}
}
