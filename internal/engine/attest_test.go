package engine_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/artifactctl/artifactctl/internal/artifact"
	"github.com/artifactctl/artifactctl/internal/attest"
	"github.com/artifactctl/artifactctl/internal/changes"
	"github.com/artifactctl/artifactctl/internal/engine"
	"github.com/artifactctl/artifactctl/internal/finding"
	"github.com/artifactctl/artifactctl/plugins/signer"
)

const (
	origin   = "https://example.com/origin/v1"
	contents = "https://example.com/contents/v1"
)

// attesting is a fleet with a statement of each build and one of the content. Its store refuses tags onto what lacks one
// that it must have.
func attesting(t *testing.T) *fixture {
	t.Helper()
	f := setup(t)
	f.Statements = []engine.Statement{
		{Name: "origin", PredicateType: origin, OfBuild: true, Predicate: func(_ context.Context, about engine.Subject) ([]byte, error) {
			return json.Marshal(map[string]string{"app": about.App, "commit": f.Source.Commit})
		}},
		{Name: "contents", PredicateType: contents, Predicate: func(_ context.Context, about engine.Subject) ([]byte, error) {
			return json.Marshal(map[string]string{"content": artifact.ContentDigest(about.Files)})
		}},
	}
	return f
}

// stated lists the statements beside what a tag names: their type, and what they say.
func (f *fixture) stated(repositoryTag string) []string {
	f.t.Helper()
	repository, _, _ := strings.Cut(repositoryTag, ":")
	digest := f.store.tags[repositoryTag]
	var out []string
	for _, s := range f.store.signatures[repository+"@"+digest] {
		a, err := f.Policy.Attestation(digest, s.Content)
		if err != nil {
			f.t.Fatal(err)
		}
		if a.PredicateType != attest.PredicateType {
			out = append(out, a.PredicateType+" "+string(a.Predicate))
		}
		if a.PredicateType != s.PredicateType {
			f.t.Errorf("%s is stored as %s", a.PredicateType, s.PredicateType)
		}
	}
	slices.Sort(out)
	return out
}

func TestStatementsAreAttestedOnce(t *testing.T) {
	f := attesting(t)
	r := f.must()
	if r.Summary.Attested != 2 || !slices.Equal(r.Apps[0].Attested, []string{origin, contents}) {
		t.Errorf("report %+v", r)
	}
	want := []string{contents + ` {"content":"` + r.Apps[0].Content + `"}`, origin + ` {"app":"a","commit":"` + c1 + `"}`}
	if got := f.stated("oci-a:edge"); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	// After the signature, and before the tags.
	f.store.mu.Lock()
	log := strings.Join(f.store.log, "\n")
	f.store.mu.Unlock()
	if first, last := strings.Index(log, "tag oci-a"), strings.LastIndex(log, "attach oci-a"); first < last {
		t.Error("a tag moved before all was attached")
	}
	writes := f.store.ops("push", "attach", "tag")
	if plan, r := f.publish(); !plan.Empty() || f.store.ops("push", "attach", "tag") != writes || r.Summary.Attested != 0 {
		t.Error("the second run has something to do")
	}
	if v, err := f.Verify(t.Context(), apps("a", "b"), ""); err != nil || v.Signed != 2 {
		t.Errorf("verified %+v, %v", v, err)
	}
}

// What an artifact lacks is added by a later run as far as it is true: how it came about can be told only by a run that
// builds the same bytes, and what it holds by every run.
func TestStatementsOfWhatIsThere(t *testing.T) {
	f := attesting(t)
	statements := f.Statements
	f.Statements = nil
	f.must()
	before := f.store.snapshot()
	f.Statements = statements
	f.Source = at(c2)
	f.files["b"] = content("b2")
	plan, err := f.Plan(t.Context(), apps("a", "b"))
	if err != nil || plan.Empty() || !slices.Equal(plan.Apps[0].Attested, []string{contents}) || f.store.ops("attach") != 2 {
		t.Errorf("plan %+v, %v", plan.Apps, err)
	}
	r := f.must()
	if a := f.stated("oci-a:edge"); len(a) != 1 || !strings.HasPrefix(a[0], contents) || r.Apps[0].Pushed || r.Apps[0].Signed {
		t.Errorf("what another commit built: %q", a)
	}
	if b := f.stated("oci-b:edge"); len(b) != 2 || !strings.Contains(b[1], c2) {
		t.Errorf("what this commit built: %q", b)
	}
	f.Source = at(c1)
	f.Rollback = true
	f.files["b"] = content("b1")
	f.must()
	for _, app := range []string{"a", "b"} {
		if got := f.stated("oci-" + app + ":edge"); len(got) != 2 || !strings.Contains(got[1], c1) {
			t.Errorf("%s, which this commit built before: %q", app, got)
		}
	}
	if f.store.tags["oci-b:edge"] != before["oci-b:edge"] {
		t.Error("the artifacts are not those of the first run")
	}
}

// An attestation alone is no signature to us, though Flux would take it for one: the artifact is signed nevertheless.
func TestAttestationAloneIsNoSignature(t *testing.T) {
	f := attesting(t)
	f.must()
	for key, all := range f.store.signatures {
		f.store.signatures[key] = slices.DeleteFunc(all, func(s artifact.Signature) bool { return s.PredicateType == attest.PredicateType })
	}
	if v, _ := f.Verify(t.Context(), apps("a", "b"), ""); v.Signed != 0 || v.Apps[0].State != engine.StateUnsigned {
		t.Errorf("verified %+v", v)
	}
	r := f.must()
	if r.Summary.Healed != 2 || r.Summary.Attested != 0 {
		t.Errorf("healed %+v", r.Summary)
	}
}

// Statements of strangers are not ours: they do not keep ours from being made.
func TestStatementsOfStrangers(t *testing.T) {
	f := attesting(t)
	f.must()
	stranger := newPen(t)
	f.Signer, f.Policy = stranger, stranger.policy(t)
	f.store.policy = f.Policy
	if r := f.must(); r.Summary.Healed != 2 || r.Summary.Attested != 2 {
		t.Errorf("report %+v", r.Summary)
	}
}

// Killed before and after each write, a run converges, and never has a tag named what lacks a statement.
func TestAttestCrashThenConverge(t *testing.T) {
	for _, batch := range []bool{false, true} {
		for _, release := range []bool{false, true} {
			reference := attesting(t)
			reference.Batch = batch
			scenario(reference, release)
			writes := reference.store.ops("push", "attach", "tag")
			for n := range writes {
				t.Run(fmt.Sprintf("batch=%v/release=%v/write=%d", batch, release, n), func(t *testing.T) {
					f := attesting(t)
					f.Batch = batch
					kill := killer(n+1, (n%2 == 0) != release) // before or after the write takes effect
					f.store.before = func(op, repository, ref string) error {
						if op == "tag" {
							f.tagsAreStated(repository, ref)
						}
						return kill(op, repository, ref)
					}
					scenario(f, release)
					f.store.before = nil
					scenario(f, release)
					if !maps.Equal(f.store.tags, reference.store.tags) {
						t.Errorf("tags\n%v\nwant\n%v", f.store.tags, reference.store.tags)
					}
					for tag := range f.store.tags {
						if got, want := f.stated(tag), reference.stated(tag); !slices.Equal(got, want) {
							t.Errorf("%s: stated %q, want %q", tag, got, want)
						}
					}
					if plan, _ := f.publish(); !plan.Empty() {
						t.Error("a third run has something to do")
					}
				})
			}
		}
	}
}

// tagsAreStated: whatever is in a repository whose tag is about to move has its statements, for only one artifact at a
// time is under way there.
func (f *fixture) tagsAreStated(repository, tag string) {
	f.store.mu.Lock()
	defer f.store.mu.Unlock()
	for key, signatures := range f.store.signatures {
		if strings.HasPrefix(key, repository+"@") && len(signatures) != 3 {
			f.t.Errorf("tag %s:%s moves, and %s has %d bundles", repository, tag, key, len(signatures))
		}
	}
}

// Whatever goes wrong with a statement, no tag moves, and the stage says where.
func TestTagsWaitForStatements(t *testing.T) {
	denied := func(r signer.Request) error {
		if strings.Contains(string(r.Payload), origin) {
			return fmt.Errorf("%w: no", signer.ErrDenied)
		}
		return nil
	}
	for name, c := range map[string]struct {
		prepare func(*fixture)
		stage   engine.Stage
		want    error
	}{
		"refused": {func(f *fixture) { f.pen.before = denied }, engine.StageAttest, signer.ErrDenied},
		"rejected": {func(f *fixture) {
			f.Signer = forger{f.pen, newPen(f.t)}
		}, engine.StageAttest, attest.ErrRejected},
		"lost": {func(f *fixture) {
			f.store.before = func(op, repository, ref string) error {
				f.store.mu.Lock()
				defer f.store.mu.Unlock()
				if all := f.store.signatures[repository+"@"+ref]; op == "signatures" && len(all) > 1 {
					f.store.signatures[repository+"@"+ref] = all[:1]
				}
				return nil
			}
		}, engine.StageAttest, engine.ErrUnsigned},
		"unknown": {func(f *fixture) {
			f.Statements[1].Predicate = func(context.Context, engine.Subject) ([]byte, error) { return nil, errKilled }
		}, engine.StageCompare, errKilled},
		"no predicate": {func(f *fixture) {
			f.Statements[1].Predicate = func(context.Context, engine.Subject) ([]byte, error) { return []byte("{"), nil }
		}, engine.StageAttest, nil},
	} {
		f := attesting(t)
		c.prepare(f)
		_, r := f.publish()
		for _, a := range r.Apps {
			if a.Failure == nil || a.Failure.Stage != c.stage || (c.want != nil && !errors.Is(a.Failure.Err, c.want)) {
				t.Errorf("%s: %+v", name, a.Failure)
			}
		}
		if len(f.store.tags) != 0 {
			t.Errorf("%s: tags %v", name, f.store.tags)
		}
	}
}

// forger signs signatures with one key and statements with another.
type forger struct{ right, wrong *pen }

func (f forger) Sign(ctx context.Context, r signer.Request) (signer.Signature, error) {
	if strings.Contains(string(r.Payload), attest.PredicateType) {
		return f.right.Sign(ctx, r)
	}
	return f.wrong.Sign(ctx, r)
}

func TestStatementsWaitForTheSigner(t *testing.T) {
	f := attesting(t)
	var calls atomic.Int64
	f.pen.before = func(r signer.Request) error {
		if strings.Contains(string(r.Payload), origin) && calls.Add(1) == 1 {
			return signer.ErrUnavailable
		}
		return nil
	}
	f.must()
	if len(f.stated("oci-a:edge")) != 2 {
		t.Error("a statement is missing")
	}
}

// A run that only moves tags makes no statements up for: it fails what lacks them.
func TestTagPhaseWantsStatements(t *testing.T) {
	f := attesting(t)
	statements := f.Statements
	f.Statements, f.Phase = nil, engine.PhasePush
	f.must()
	f.Statements, f.Phase, f.Signer = statements, engine.PhaseTag, nil
	_, r := f.publish()
	if r.Apps[0].Failure == nil || !strings.Contains(r.Apps[0].Failure.Message, "is not attested") || len(f.store.tags) != 0 {
		t.Errorf("report %+v", r.Apps)
	}
	f.Phase, f.Signer = engine.PhasePush, f.pen
	f.must()
	f.Phase, f.Signer = engine.PhaseTag, nil
	f.must()
	if len(f.store.tags) != 4 {
		t.Errorf("tags %v", f.store.tags)
	}
}

func TestPlanTellsOfImages(t *testing.T) {
	pod := func(image string) artifact.Files {
		return content("apiVersion: v1\nkind: Pod\nspec: {containers: [{image: " + image + "}]}")
	}
	f := setup(t)
	f.files["a"] = pod("web:1")
	f.must()
	f.Source, f.files["a"] = at(c2), pod("web:2")
	plan, err := f.Plan(t.Context(), apps("a", "b"))
	if err != nil || plan.Apps[0].Images != nil {
		t.Errorf("without a differ: %+v, %v", plan.Apps[0].Images, err)
	}
	f.Diff = changes.Comparer{}.Compare
	plan, err = f.Plan(t.Context(), apps("a", "b"))
	if err != nil || len(plan.Apps[0].Images) != 1 || plan.Apps[0].Images[0].From != "web:1" || plan.Apps[0].Images[0].To != "web:2" || plan.Apps[1].Images != nil {
		t.Errorf("images %+v, %v", plan.Apps, err)
	}
}

func TestStatementsKnowTheGates(t *testing.T) {
	f := attesting(t)
	f.Gates = &guard{refuse: "a1", warn: true}
	var got []engine.GateOutcome
	f.Statements[0].Predicate = func(_ context.Context, about engine.Subject) ([]byte, error) {
		if about.App == "a" {
			got = about.Gates
		}
		return []byte("{}"), nil
	}
	f.must()
	if len(got) != 1 || got[0].Gate != "guard" || got[0].Status != finding.Warned {
		t.Errorf("gates %+v", got)
	}
}
