package engine_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/artifactctl/artifactctl/internal/artifact"
	"github.com/artifactctl/artifactctl/internal/attest"
	"github.com/artifactctl/artifactctl/internal/engine"
)

// reader is a store of which some signatures cannot be read, and others lie at the `.sig` tag.
type reader struct {
	*store
	failure error                // with what Signatures returns
	legacy  []artifact.Signature // nil: they cannot be read
}

func (r reader) Signatures(ctx context.Context, repository string, d artifact.Descriptor) ([]artifact.Signature, error) {
	found, err := r.store.Signatures(ctx, repository, d)
	return found, errors.Join(err, r.failure)
}

func (r reader) LegacySignatures(context.Context, string, artifact.Descriptor) ([]artifact.Signature, error) {
	if r.legacy == nil {
		return nil, errors.New("503 at the .sig tag")
	}
	return r.legacy, nil
}

// Targets may lie in different registries, under different policies, by tag and by digest; each is judged by its own.
func TestVerifyTargets(t *testing.T) {
	near, far := setup(t), setup(t)
	near.must()
	far.must()
	stranger := *far.Engine
	stranger.Policy, stranger.Formats = near.Policy, nil
	app := apps("a")[0]
	m, err := far.store.Resolve(t.Context(), app.Repository, "edge")
	if err != nil {
		t.Fatal(err)
	}
	v, err := near.VerifyTargets(t.Context(), []engine.Target{
		{By: near.Engine, App: app}, {By: far.Engine, App: app, Ref: m.Digest.String()}, {By: &stranger, App: app, Ref: "edge"}, {By: near.Engine, App: app, Ref: "none"},
	})
	if err != nil {
		t.Fatal(err)
	}
	var states []engine.SignatureState
	for _, a := range v.Apps {
		states = append(states, a.State)
	}
	if want := []engine.SignatureState{engine.StateSigned, engine.StateSigned, engine.StateUnsigned, engine.StateMissing}; !slices.Equal(states, want) || v.Signed != 2 || v.Refused != 2 {
		t.Errorf("%v, want %v", states, want)
	}
	if a := v.Apps[1]; a.Tag != "" || a.Digest != m.Digest.String() {
		t.Errorf("by digest: %+v", a)
	}
	if a := v.Apps[2]; len(a.Signatures) != 1 || a.Signatures[0].Trusted || a.Signatures[0].Problem == "" || len(a.Reasons) != 1 {
		t.Errorf("by a stranger: %+v", a)
	}
}

// What could be read decides only if it is good: everything else stays unknown.
func TestVerifyWithPartOfTheSignatures(t *testing.T) {
	rubbish := artifact.Signature{Format: artifact.FormatBundle, Content: []byte("{}"), Digest: "sha256:" + strings.Repeat("0", 64)}
	legacy := func(f *fixture, digest string) artifact.Signature {
		request, err := attest.Request(artifact.FormatLegacy, "r.example.com/oci-a", digest)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := f.pen.Sign(t.Context(), request)
		if err != nil {
			t.Fatal(err)
		}
		stored, err := f.Policy.Accept(request, answer)
		if err != nil {
			t.Fatal(err)
		}
		return stored
	}
	broken := errors.New("429 for one of them")
	for name, c := range map[string]struct {
		prepare func(f *fixture, r *reader, digest string)
		want    engine.SignatureState
		reason  string
	}{
		"a good one beside one that fails": {func(_ *fixture, r *reader, _ string) { r.failure = broken }, engine.StateSigned, ""},
		"a bad one beside one that fails": {func(f *fixture, r *reader, digest string) {
			f.store.signatures["oci-a@"+digest], r.failure = []artifact.Signature{rubbish}, broken
		}, engine.StateUnknown, "429"},
		"none but one that fails": {func(f *fixture, r *reader, digest string) {
			f.store.signatures["oci-a@"+digest], r.failure = nil, broken
		}, engine.StateUnknown, "429"},
		"no bundle that counts, and a legacy one": {func(f *fixture, r *reader, digest string) {
			r.legacy = []artifact.Signature{legacy(f, digest)}
			f.store.signatures["oci-a@"+digest] = []artifact.Signature{rubbish}
		}, engine.StateSigned, ""},
		"no bundle that counts, and no answer": {func(f *fixture, _ *reader, digest string) {
			f.store.signatures["oci-a@"+digest] = []artifact.Signature{rubbish}
		}, engine.StateUnknown, "503"},
		"a foreign bundle, and a legacy one": {func(f *fixture, r *reader, digest string) {
			r.legacy = []artifact.Signature{legacy(f, digest)}
			other := setup(t)
			other.must()
			f.store.signatures["oci-a@"+digest] = other.store.signatures["oci-a@"+digest]
		}, engine.StateUnsigned, "bundles hide"},
		"a foreign bundle, and no answer": {func(f *fixture, _ *reader, digest string) {
			other := setup(t)
			other.must()
			f.store.signatures["oci-a@"+digest] = other.store.signatures["oci-a@"+digest]
		}, engine.StateUnsigned, "another key"},
	} {
		f := setup(t)
		f.must()
		m, err := f.store.Resolve(t.Context(), "oci-a", "edge")
		if err != nil {
			t.Fatal(err)
		}
		r := &reader{store: f.store}
		c.prepare(f, r, m.Digest.String())
		f.Registry, f.Formats = r, nil
		v, err := f.Verify(t.Context(), apps("a"), "")
		if err != nil {
			t.Fatal(err)
		}
		if a := v.Apps[0]; a.State != c.want || !strings.Contains(strings.Join(a.Reasons, "; "), c.reason) || (a.Failure == nil) != (c.want == engine.StateSigned) {
			t.Errorf("%s: %s: %q", name, a.State, a.Reasons)
		}
	}
}
