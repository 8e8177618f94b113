package engine_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/artifactctl/artifactctl/internal/artifact"
	"github.com/artifactctl/artifactctl/internal/attest"
	"github.com/artifactctl/artifactctl/internal/engine"
)

// courier copies between two stores in memory, one write at a time. One that is careless leaves signatures behind.
type courier struct {
	from, to *store
	careless bool
}

func (c courier) Copy(_ context.Context, from, to string, subject artifact.Descriptor) (int, int64, error) {
	key, target := from+"@"+subject.Digest.String(), to+"@"+subject.Digest.String()
	n := 0
	write := func(op string, need func() bool, do func()) error {
		c.to.mu.Lock()
		needed := need()
		c.to.mu.Unlock()
		if !needed {
			return nil
		}
		if err := c.to.enter(op, to, subject.Digest.String()); err != nil {
			return err
		}
		c.to.mu.Lock()
		defer c.to.mu.Unlock()
		do()
		n++
		return nil
	}
	c.from.mu.Lock()
	manifest, signatures := c.from.manifests[key], slices.Clone(c.from.signatures[key])
	c.from.mu.Unlock()
	err := write("push", func() bool { return c.to.manifests[target].Digest == "" }, func() { c.to.manifests[target] = manifest })
	for _, s := range signatures {
		if err != nil || c.careless {
			break
		}
		err = write("attach", func() bool {
			return !slices.ContainsFunc(c.to.signatures[target], func(o artifact.Signature) bool { return string(o.Content) == string(s.Content) })
		}, func() { c.to.signatures[target] = append(c.to.signatures[target], s) })
	}
	return n, 0, err
}

// promotion is a staging environment with a published fleet, and a production that is empty.
type promotion struct {
	*fixture
	production *engine.Engine
	target     *store
	tag        string
	sign       bool
	careless   bool
}

func promoting(t *testing.T) *promotion {
	t.Helper()
	f := setup(t)
	f.must()
	return production(t, f)
}

// production is an empty production beside a staging environment.
func production(t *testing.T, f *fixture) *promotion {
	t.Helper()
	p := &promotion{fixture: f, target: newStore(t, f.Policy)}
	e := *f.Engine
	e.Registry, e.Host, e.Renderer, e.Signer = p.target, "prod.example.com", nil, nil
	p.production = &e
	return p
}

// trusting makes production trust somebody else.
func (p *promotion) trusting(other *pen) {
	p.production.Policy = other.policy(p.t)
	p.target.policy = p.production.Policy
}

func (p *promotion) promote(names ...string) *engine.PromotionReport {
	p.t.Helper()
	if len(names) == 0 {
		names = []string{"a", "b"}
	}
	p.production.Source = p.Source
	r, err := p.production.Promote(p.t.Context(), engine.Promotion{
		From: p.Engine, Copier: courier{p.store, p.target, p.careless}, Tag: p.tag, Sign: p.sign,
	}, apps(names...))
	if err != nil {
		p.t.Fatal(err)
	}
	return r
}

func (p *promotion) writes() int { return p.target.ops("push", "attach", "tag") }

func (p *promotion) wantTags(want map[string]string) {
	p.t.Helper()
	if !maps.Equal(p.target.tags, want) {
		p.t.Errorf("tags %v, want %v", p.target.tags, want)
	}
}

func TestPromoteTheSameDigest(t *testing.T) {
	p := promoting(t)
	r := p.promote()
	if r.Summary.Promoted != 2 || r.Summary.Tagged != 4 || r.Release || r.From != "r.example.com" || r.To != "prod.example.com" {
		t.Errorf("%+v", r)
	}
	p.wantTags(p.store.snapshot())
	a := r.Apps[0]
	if a.Digest != p.store.tags["oci-a:edge"] || a.Tag != "edge" || a.SignedBy == "" || a.From != "r.example.com/oci-a" || a.Copied != 2 {
		t.Errorf("%+v", a)
	}
	before := p.writes()
	if r := p.promote(); r.Summary.Present != 2 || p.writes() != before {
		t.Errorf("again: %+v, %d writes", r.Summary, p.writes()-before)
	}
	if p.store.ops("push", "attach", "tag") != 8 {
		t.Error("the source was written to")
	}
}

// The process is killed before and after each write to the target, in a promotion and in that of a release.
func TestPromoteCrashAnywhereThenConverge(t *testing.T) {
	for _, release := range []bool{false, true} {
		for _, after := range []bool{false, true} {
			f := setup(t)
			if release {
				f.Source = released(c1, "1.0.0")
			}
			f.must()
			reference := production(t, f)
			reference.promote()
			writes := reference.writes()
			if writes < 8 {
				t.Fatalf("%d writes", writes)
			}
			for n := 1; n <= writes; n++ {
				t.Run(fmt.Sprintf("release=%v/after=%v/write=%d", release, after, n), func(t *testing.T) {
					p := production(t, f)
					p.t, p.target.before = t, killer(n, after)
					p.promote()
					if tags := p.target.snapshot(); release && len(tags) > 0 && len(p.target.signatures) != 2 {
						t.Errorf("a release tag moved before every app was there: %v", tags)
					}
					p.target.before = nil
					p.promote()
					p.wantTags(reference.target.tags)
					if got := p.writes(); got > writes+2 { // each app may have tried one that was refused
						t.Errorf("%d writes in all, an undisturbed run takes %d", got, writes)
					}
					if r := p.promote(); r.Summary.Present != 2 {
						t.Errorf("a third run: %+v", r.Summary)
					}
				})
			}
		}
	}
}

func TestPromoteRefusesWhatTheSourceDoesNotTrust(t *testing.T) {
	p := promoting(t)
	p.store.signatures["oci-a@"+p.store.tags["oci-a:edge"]] = nil
	delete(p.store.tags, "oci-b:edge")
	r := p.promote()
	a, b := r.Apps[0], r.Apps[1]
	if a.Failure == nil || a.Failure.Stage != engine.StageCheck || !errors.Is(a.Failure.Err, engine.ErrUnsigned) {
		t.Errorf("unsigned: %+v", a)
	}
	if b.Failure == nil || !errors.Is(b.Failure.Err, artifact.ErrNotFound) || !hinted(b.Failure.Err, "publish the app there first") {
		t.Errorf("not published: %+v", b)
	}
	if r.Summary.Failed != 2 || p.writes() != 0 {
		t.Errorf("%+v, %d writes", r.Summary, p.writes())
	}
}

// What does not arrive signed gets no tag.
func TestPromoteReadsBack(t *testing.T) {
	p := promoting(t)
	p.careless = true
	for _, a := range p.promote().Apps {
		if a.Failure == nil || a.Failure.Stage != engine.StageCheck || !errors.Is(a.Failure.Err, engine.ErrUnsigned) {
			t.Errorf("%+v", a)
		}
	}
	p.wantTags(map[string]string{})
}

// A target that trusts somebody else gets nothing, unless its signer signs or has signed.
func TestPromoteToOtherTrust(t *testing.T) {
	p, other := promoting(t), newPen(t)
	p.trusting(other)
	r := p.promote()
	for _, a := range r.Apps {
		if a.Failure == nil || a.Failure.Stage != engine.StageCompare || !errors.Is(a.Failure.Err, engine.ErrUnsigned) || !hinted(a.Failure.Err, "--sign") {
			t.Errorf("%+v", a)
		}
	}
	if p.writes() != 0 {
		t.Errorf("%d writes", p.writes())
	}
	p.sign, p.production.Signer = true, other
	if r = p.promote(); r.Summary.Signed != 2 || r.Summary.Promoted != 2 {
		t.Errorf("with --sign: %+v", r.Summary)
	}
	p.wantTags(p.store.snapshot())
	digest := p.target.tags["oci-a:edge"]
	for name, policy := range map[string]attest.Policy{"source": p.Policy, "target": p.production.Policy} {
		if !policy.Judge(digest, p.target.signatures["oci-a@"+digest], p.Formats).Good() {
			t.Errorf("the signature of the %s is missing", name)
		}
	}
	p.sign, p.production.Signer = false, nil
	before := p.writes()
	if r = p.promote(); r.Summary.Present != 2 || p.writes() != before {
		t.Errorf("once signed: %+v, %d writes", r.Summary, p.writes()-before)
	}
}

// A release is visible on all apps or on none.
func TestPromoteAReleaseIsAllOrNothing(t *testing.T) {
	f := setup(t)
	f.Source = released(c1, "1.4.2")
	f.must()
	p := production(t, f)
	p.Source, p.tag = at(c3), "1.4.2" // where the tree stands does not matter
	key := "oci-b@" + p.store.tags["oci-b:1.4.2"]
	signatures := p.store.signatures[key]
	p.store.signatures[key] = nil
	r := p.promote()
	if !r.Release || r.Summary.Held != 1 || r.Summary.Failed != 1 || len(p.target.tags) != 0 || p.target.ops("attach") != 1 {
		t.Errorf("%+v, tags %v", r.Summary, p.target.tags)
	}
	p.store.signatures[key] = signatures
	p.production.Tags.Release = "v{version}"
	if r = p.promote(); r.Summary.Promoted != 2 || r.Summary.Tagged != 4 {
		t.Errorf("%+v", r.Summary)
	}
	p.wantTags(map[string]string{
		"oci-a:v1.4.2": p.store.tags["oci-a:1.4.2"], "oci-a:sha-1111111": p.store.tags["oci-a:1.4.2"],
		"oci-b:v1.4.2": p.store.tags["oci-b:1.4.2"], "oci-b:sha-1111111": p.store.tags["oci-b:1.4.2"],
	})
}

func TestPromoteNeverMovesTagsBack(t *testing.T) {
	for name, c := range map[string]struct {
		commit   string // that is promoted when production has c2
		rollback bool
		tag      engine.TagStatus
		conflict bool
	}{
		"newer":                 {commit: c3, tag: engine.TagMoved},
		"older":                 {commit: c1, tag: engine.TagSuperseded},
		"older, on purpose":     {commit: c1, rollback: true, tag: engine.TagMoved},
		"other line of history": {commit: other, conflict: true},
	} {
		t.Run(name, func(t *testing.T) {
			f := setup(t)
			f.Source = at(c2)
			f.must()
			p := production(t, f)
			p.promote("a")
			before := p.target.tags["oci-a:edge"]
			f.Source, f.files["a"], f.Rollback, p.production.Rollback = at(c.commit), content("a of "+c.commit), true, c.rollback
			if c.commit == other {
				f.Source.Created = "2026-11-09T00:00:00Z"
			}
			f.must()
			a := p.promote("a").Apps[0]
			if c.conflict {
				if a.Failure == nil || !errors.Is(a.Failure.Err, engine.ErrConflict) || p.target.tags["oci-a:edge"] != before || a.Copied != 0 {
					t.Errorf("%+v", a)
				}
				return
			}
			if a.Failure != nil {
				t.Fatal(a.Failure.Err)
			}
			if moved := p.target.tags["oci-a:edge"] != before; a.Tags[1].Status != c.tag || moved != (c.tag == engine.TagMoved) {
				t.Errorf("%+v", a.Tags)
			}
			if p.target.tags["oci-a:sha-"+c.commit[:7]] == "" {
				t.Error("the commit tag is missing")
			}
		})
	}
}

// Where only a rolling tag would name the artifact and must not move, nothing is copied either.
func TestPromoteSuperseded(t *testing.T) {
	f := setup(t)
	f.Source = at(c2)
	f.must()
	p := production(t, f)
	p.production.Tags.Commit = ""
	p.promote("a")
	f.Source, f.files["a"], f.Rollback = at(c1), content("older"), true
	f.must()
	before := p.writes()
	if r := p.promote("a"); r.Summary.Superseded != 1 || p.writes() != before || len(r.Apps[0].Warnings) != 1 {
		t.Errorf("%+v, %d writes", r.Apps[0], p.writes()-before)
	}
}

func TestPromoteConflicts(t *testing.T) {
	p := promoting(t)
	p.target.tags["oci-a:sha-1111111"] = "sha256:somebody"
	p.target.manifests["oci-a@sha256:somebody"] = p.store.manifests["oci-b@"+p.store.tags["oci-b:edge"]]
	p.target.before = func(op, repository, ref string) error {
		if op == "attach" && repository == "oci-b" {
			p.target.mu.Lock()
			p.target.tags["oci-b:edge"] = "sha256:somebody"
			p.target.manifests["oci-b@sha256:somebody"] = p.store.manifests["oci-a@"+p.store.tags["oci-a:edge"]]
			p.target.mu.Unlock()
		}
		return nil
	}
	r := p.promote()
	for _, a := range r.Apps {
		if a.Failure == nil || !errors.Is(a.Failure.Err, engine.ErrConflict) {
			t.Errorf("%+v", a)
		}
	}
	if r.Apps[0].Copied != 0 || !hinted(r.Apps[0].Failure.Err, "published to the target directly") {
		t.Errorf("an immutable tag: %+v", r.Apps[0])
	}
	if p.target.tags["oci-b:edge"] != "sha256:somebody" || r.Apps[1].Tags[0].Status != engine.TagMoved || r.Apps[1].Tags[1].Status != engine.TagHeld {
		t.Errorf("a tag that moved meanwhile: %+v", r.Apps[1].Tags)
	}
}

// Whatever question fails, on whichever side: the app fails, and no tag moves.
func TestPromoteUnknownIsAFailure(t *testing.T) {
	unknown := errors.New("503 service unavailable")
	for _, side := range []string{"source", "target"} {
		for _, op := range []string{"resolve", "signatures"} {
			p := promoting(t)
			s := map[string]*store{"source": p.store, "target": p.target}[side]
			s.before = func(asked, _, _ string) error {
				if asked == op {
					return unknown
				}
				return nil
			}
			r := p.promote()
			if r.Summary.Failed != 2 || !errors.Is(r.Apps[0].Failure.Err, unknown) || len(p.target.tags) != 0 {
				t.Errorf("%s %s: %+v, tags %v", side, op, r.Summary, p.target.tags)
			}
		}
	}
}

// The tags of the target are made by its own rules, from what the artifact records and the channel it comes by.
func TestPromoteByTheTargetsRules(t *testing.T) {
	for name, c := range map[string]struct {
		tag   string
		rules engine.TagRules
		want  []string
	}{
		"other names":             {"", engine.TagRules{Commit: "c-{commit}", Rolling: map[string]string{"main": "stable"}}, []string{"c-1111111", "stable"}},
		"by branch":               {"", engine.TagRules{Rolling: map[string]string{"*": "from-{branch}"}}, []string{"from-main"}},
		"no rule for this branch": {"", engine.TagRules{Rolling: map[string]string{"release/*": "{branch}"}}, nil},
		"a commit's tag":          {"sha-1111111", engine.TagRules{Rolling: map[string]string{"main": "stable"}}, []string{"stable"}},
	} {
		t.Run(name, func(t *testing.T) {
			p := promoting(t)
			p.tag, p.production.Tags = c.tag, c.rules
			r := p.promote("a")
			if r.Summary.Promoted != 1 || (len(c.want) == 0) != (len(r.Apps[0].Warnings) == 1) {
				t.Errorf("%+v", r.Apps[0])
			}
			var tags []string
			for tag := range p.target.tags {
				tags = append(tags, strings.TrimPrefix(tag, "oci-a:"))
			}
			slices.Sort(tags)
			if !slices.Equal(tags, c.want) {
				t.Errorf("tags %v, want %v", tags, c.want)
			}
		})
	}
}

// What a release published and main's rolling tag names is main's in the target, too.
func TestPromoteARollingTagThatNamesARelease(t *testing.T) {
	f := setup(t)
	f.Source = released(c1, "1.0.0")
	f.must()
	f.Source = at(c1)
	f.must()
	p := production(t, f)
	if r := p.promote("a"); !strings.HasPrefix(r.Apps[0].Revision, "v1.0.0@") || p.target.tags["oci-a:edge"] != p.store.tags["oci-a:edge"] {
		t.Errorf("%+v, tags %v", r.Apps[0], p.target.tags)
	}
}

// What was published from a dirty tree gets no immutable tag here either.
func TestPromoteDirty(t *testing.T) {
	f := setup(t)
	f.Source.Dirty, f.Source.Revision = true, f.Source.Revision+"-dirty"
	f.must()
	p := production(t, f)
	p.promote("a")
	p.wantTags(map[string]string{"oci-a:edge": p.store.tags["oci-a:edge"]})
}

func hinted(err error, text string) bool {
	var h interface{ Hint() string }
	return errors.As(err, &h) && strings.Contains(h.Hint(), text)
}

// A dry run says what the promotion would do, and writes nothing. What it says then happens.
func TestPromoteDryRun(t *testing.T) {
	p := promoting(t)
	dry := func() *engine.PromotionReport {
		t.Helper()
		r, err := p.production.Promote(t.Context(), engine.Promotion{From: p.Engine, Copier: counter{}, Tag: p.tag, Sign: true, DryRun: true}, apps("a", "b"))
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	p.production.Source = p.Source
	r := dry()
	if !r.DryRun || r.Summary.Promoted != 2 || r.Summary.Tagged != 4 || r.Summary.Signed != 0 || r.Apps[0].Tags[0].Status != engine.TagMove || r.Apps[0].Copied != 2 {
		t.Errorf("%+v", r)
	}
	if p.writes() != 0 || len(p.target.tags) != 0 {
		t.Errorf("%d writes, tags %v", p.writes(), p.target.tags)
	}
	if done := p.promote(); done.Summary.Promoted != r.Summary.Promoted || done.Summary.Tagged != r.Summary.Tagged {
		t.Errorf("said %+v, did %+v", r.Summary, done.Summary)
	}
}

// counter copies nothing, and says that two manifests would be.
type counter struct{}

func (counter) Copy(context.Context, string, string, artifact.Descriptor) (int, int64, error) {
	return 2, 100, nil
}
