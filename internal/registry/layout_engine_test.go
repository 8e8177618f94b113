package registry

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"sync/atomic"
	"testing"
	"time"

	"github.com/artifactctl/artifactctl/internal/artifact"
	"github.com/artifactctl/artifactctl/internal/attest"
	"github.com/artifactctl/artifactctl/internal/engine"
	"github.com/artifactctl/artifactctl/plugins/signer"
)

// The whole engine on a directory, dead before every single file that it would write: no tag may name unsigned bytes at
// any time, and one more run has to end where an uninterrupted one ends. The same on real registries over HTTP, with the
// real program, is in test/e2e.
func TestEngineDiesBeforeEachWriteToALayout(t *testing.T) {
	sign := newSigner(t)
	for _, release := range []bool{false, true} {
		var steps atomic.Int64
		whole := newFleet(t, sign, release)
		whole.layout.fault = func(string) error { steps.Add(1); return nil }
		whole.scenario()
		want := whole.tags()
		if len(want) == 0 {
			t.Fatal("the scenario tags nothing")
		}
		for n := int64(1); n <= steps.Load(); n++ {
			t.Run(fmt.Sprintf("release=%v/write=%d", release, n), func(t *testing.T) {
				t.Parallel()
				f := newFleet(t, sign, release)
				var seen atomic.Int64
				f.layout.fault = func(string) error {
					if seen.Add(1) >= n {
						return errors.New("dead")
					}
					return nil
				}
				f.scenario()
				f.tags()
				f.layout.fault = nil
				f.scenario()
				if got := f.tags(); !maps.Equal(got, want) {
					t.Errorf("tags\n%v\nwant\n%v", got, want)
				}
			})
		}
	}
}

// fleet is two apps on a directory.
type fleet struct {
	*engine.Engine
	t       *testing.T
	layout  *Layout
	release bool
	files   map[string]artifact.Files
}

func newFleet(t *testing.T, s *keySigner, release bool) *fleet {
	t.Helper()
	layout, err := NewLayout(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	f := &fleet{t: t, layout: layout, release: release}
	f.Engine = &engine.Engine{
		Registry: layout, Renderer: f, History: f, Signer: s, Policy: s.policy, Concurrency: 1,
		Tags:    engine.TagRules{Commit: "sha-{commit}", Rolling: map[string]string{"main": "edge"}, Release: "{version}"},
		Formats: []artifact.Format{artifact.FormatBundle, artifact.FormatLegacy}, Pauses: []time.Duration{},
	}
	return f
}

const (
	firstCommit  = "1111111111111111111111111111111111111111"
	secondCommit = "2222222222222222222222222222222222222222"
)

// scenario publishes a commit and then another one or, as a release, the other one's version.
func (f *fleet) scenario() {
	f.Source = engine.Source{Commit: firstCommit, Branch: "main", Revision: "main@sha1:" + firstCommit, Created: "2026-11-01T00:00:00Z"}
	f.publish("one")
	f.Source = engine.Source{Commit: secondCommit, Branch: "main", Revision: "main@sha1:" + secondCommit, Created: "2026-11-02T00:00:00Z"}
	if f.release {
		f.Source.Branch, f.Source.Version = "", "1.0.0"
	}
	f.publish("two")
}

func (f *fleet) publish(text string) {
	f.t.Helper()
	f.files = map[string]artifact.Files{
		"a": {artifact.ManifestsFile: []byte(text)},
		"b": {artifact.ManifestsFile: []byte("never changes")},
	}
	plan, err := f.Plan(f.t.Context(), []engine.App{{Name: "a", Repository: "org/a"}, {Name: "b", Repository: "org/b"}})
	if err != nil {
		f.t.Fatal(err)
	}
	if _, err := f.Publish(f.t.Context(), plan); err != nil {
		f.t.Fatal(err)
	}
}

func (f *fleet) Render(_ context.Context, app string) (artifact.Files, []string, error) {
	return f.files[app], nil, nil
}

func (f *fleet) Compare(_ context.Context, from, to string) (engine.Relation, error) {
	if from == to {
		return engine.Same, nil
	}
	if from == firstCommit {
		return engine.Descendant, nil
	}
	return engine.Ancestor, nil
}

// tags returns what all tags of artifacts name, and requires that each is signed in both formats.
func (f *fleet) tags() map[string]string {
	f.t.Helper()
	out := map[string]string{}
	for _, repository := range []string{"org/a", "org/b"} {
		tags, err := f.layout.Tags(f.t.Context(), repository)
		if err != nil {
			f.t.Fatal(err)
		}
		for _, tag := range tags {
			if len(tag) > 7 && tag[:7] == "sha256-" {
				continue // holds a signature
			}
			m, err := f.layout.Resolve(f.t.Context(), repository, tag)
			if err != nil {
				f.t.Fatal(err)
			}
			signatures, err := f.layout.Signatures(f.t.Context(), repository, m.Descriptor)
			if err != nil {
				f.t.Fatal(err)
			}
			if v := f.Policy.Judge(m.Digest.String(), signatures, f.Formats); !v.Good() {
				f.t.Errorf("%s:%s names unsigned bytes: %+v", repository, tag, v)
			}
			out[repository+":"+tag] = m.Digest.String()
		}
	}
	return out
}

// keySigner signs with a key of its own, always the same way.
type keySigner struct {
	key    *ecdsa.PrivateKey
	policy attest.Policy
}

func newSigner(t *testing.T) *keySigner {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	text, err := signer.MarshalPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	policy, err := attest.KeyPolicy(text)
	if err != nil {
		t.Fatal(err)
	}
	return &keySigner{key, policy}
}

func (s *keySigner) Sign(_ context.Context, r signer.Request) (signer.Signature, error) {
	input, err := signer.SigningInput(r)
	if err != nil {
		return signer.Signature{}, err
	}
	sum := sha256.Sum256(input)
	value, err := s.key.Sign(nil, sum[:], crypto.SHA256)
	if err != nil {
		return signer.Signature{}, err
	}
	return signer.KeyBundle(r, s.key.Public(), value)
}
