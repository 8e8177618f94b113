package engine_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/artifactctl/artifactctl/internal/artifact"
	"github.com/artifactctl/artifactctl/internal/engine"
)

// shredder deletes from a store in memory.
type shredder struct{ s *store }

func (d shredder) Delete(_ context.Context, repository string, subject artifact.Descriptor, tags ...string) (int, error) {
	if err := d.s.enter("delete", repository, subject.Digest.String()); err != nil {
		return 0, err
	}
	d.s.mu.Lock()
	defer d.s.mu.Unlock()
	key, n := repository+"@"+subject.Digest.String(), 0
	if _, ok := d.s.manifests[key]; ok {
		n = 1 + len(d.s.signatures[key])
	}
	delete(d.s.manifests, key)
	delete(d.s.signatures, key)
	for _, tag := range tags {
		delete(d.s.tags, repository+":"+tag)
	}
	for tag, digest := range d.s.tags {
		if digest == subject.Digest.String() && strings.HasPrefix(tag, repository+":") {
			d.s.t.Errorf("%s loses what it names", tag)
		}
	}
	delete(d.s.tags, repository+":sha256-"+subject.Digest.Encoded())
	return n, nil
}

// aging is a fleet of which app a was published from three commits; the last is edge, the first a release, too.
func aging(t *testing.T) *fixture {
	t.Helper()
	f := setup(t)
	for _, commit := range []string{c1, c2, c3} {
		f.Source, f.files["a"] = at(commit), content("a of "+commit)
		f.must()
	}
	f.store.tags["oci-a:1.0.0"] = f.store.tags["oci-a:sha-1111111"]
	return f
}

func (f *fixture) prune(p engine.Pruning) *engine.PruneReport {
	f.t.Helper()
	r, err := f.Prune(f.t.Context(), p, apps("a", "b"))
	if err != nil {
		f.t.Fatal(err)
	}
	return r
}

func TestPruneKeepsWhatIsNeeded(t *testing.T) {
	day := func(n int) time.Time { return time.Date(2026, 11, n, 12, 0, 0, 0, time.UTC) }
	for name, c := range map[string]struct {
		change  func(f *fixture, p *engine.Pruning)
		deleted []string // commits of app a
	}{
		"all that is old":    {func(*fixture, *engine.Pruning) {}, []string{"2222222"}},
		"the newest":         {func(_ *fixture, p *engine.Pruning) { p.KeepLast = 2 }, nil},
		"only the very last": {func(_ *fixture, p *engine.Pruning) { p.KeepLast = 1 }, []string{"2222222"}},
		"older than that":    {func(_ *fixture, p *engine.Pruning) { p.Before = day(2) }, []string{"2222222"}},
		"not old enough":     {func(_ *fixture, p *engine.Pruning) { p.Before = day(1) }, nil},
		"somebody's own tag": {func(f *fixture, _ *engine.Pruning) { f.store.tags["oci-a:keep"] = f.store.tags["oci-a:sha-2222222"] }, nil},
		"without a release":  {func(f *fixture, _ *engine.Pruning) { delete(f.store.tags, "oci-a:1.0.0") }, []string{"1111111", "2222222"}},
		"pinned by its tag": {func(_ *fixture, p *engine.Pruning) {
			p.Protected = func(_, _, tag string) bool { return tag == "sha-2222222" }
		}, nil},
		"pinned by its name": {func(f *fixture, p *engine.Pruning) {
			d := f.store.tags["oci-a:sha-2222222"]
			p.Protected = func(_, digest, _ string) bool { return digest == d }
		}, nil},
		"of another template": {func(f *fixture, _ *engine.Pruning) { f.Tags.Commit = "c-{commit}" }, nil},
		"not of that commit": {func(f *fixture, _ *engine.Pruning) {
			f.store.tags["oci-a:sha-abcdef0"] = f.store.tags["oci-a:sha-2222222"]
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			f := aging(t)
			p := engine.Pruning{}
			c.change(f, &p)
			before, want := f.store.snapshot(), f.store.snapshot()
			for _, commit := range c.deleted {
				delete(want, "oci-a:sha-"+commit)
			}
			r := f.prune(p)
			if !r.DryRun || r.Artifacts != len(c.deleted) || r.Deleted != 0 || !maps.Equal(f.store.tags, before) {
				t.Errorf("a dry run: %+v", r)
			}
			p.Deleter = shredder{f.store}
			r = f.prune(p)
			if r.Failed != 0 || r.DryRun || r.Artifacts != len(c.deleted) || r.Deleted != 2*len(c.deleted) || !maps.Equal(f.store.tags, want) {
				t.Errorf("%+v\ntags %v\nwant %v", r, f.store.tags, want)
			}
			if r = f.prune(p); r.Artifacts != 0 {
				t.Errorf("again: %+v", r)
			}
		})
	}
}

// As long as one tag is unknown nothing of that app goes, and what changes meanwhile is a conflict.
func TestPruneUnknown(t *testing.T) {
	f := aging(t)
	unknown := errors.New("503 service unavailable")
	f.store.before = func(op, repository, ref string) error {
		if op == "resolve" && repository == "oci-a" && ref == "1.0.0" {
			return unknown
		}
		return nil
	}
	before := f.store.snapshot()
	r := f.prune(engine.Pruning{Deleter: shredder{f.store}})
	if r.Failed != 1 || !errors.Is(r.Apps[0].Failure.Err, unknown) || !maps.Equal(f.store.tags, before) {
		t.Errorf("%+v", r)
	}
	n := 0
	f.store.before = func(op, _, _ string) error {
		if op != "tags" {
			return nil
		}
		if n++; n == 2 {
			f.store.mu.Lock()
			f.store.tags["oci-a:edge"] = f.store.tags["oci-a:sha-2222222"] // a rollback, meanwhile
			f.store.mu.Unlock()
		}
		return nil
	}
	r, err := f.Prune(t.Context(), engine.Pruning{Deleter: shredder{f.store}}, apps("a"))
	if err != nil || r.Failed != 1 || !errors.Is(r.Apps[0].Failure.Err, engine.ErrConflict) || f.store.ops("delete") != 0 {
		t.Errorf("%+v %v", r, err)
	}
}

// What an interrupted deletion left is found by the tags beside it; what is only untagged is left alone.
func TestPruneFinishesAnInterruptedDeletion(t *testing.T) {
	f := aging(t)
	digest := f.store.tags["oci-a:sha-2222222"]
	tag := "oci-a:sha256-" + strings.TrimPrefix(digest, "sha256:")
	f.store.tags[tag] = f.store.tags["oci-a:edge"] // whatever it names
	delete(f.store.tags, "oci-a:sha-2222222")
	if r := f.prune(engine.Pruning{}); r.Artifacts != 0 {
		t.Errorf("an artifact without a tag: %+v", r.Apps[0])
	}
	delete(f.store.manifests, "oci-a@"+digest)
	r := f.prune(engine.Pruning{Deleter: shredder{f.store}})
	if r.Failed != 0 || r.Artifacts != 1 || f.store.tags[tag] != "" || !slices.Contains(f.store.log, "delete oci-a "+digest) {
		t.Errorf("%+v", r.Apps[0])
	}
}
