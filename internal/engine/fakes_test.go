package engine_test

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
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/artifactctl/artifactctl/internal/artifact"
	"github.com/artifactctl/artifactctl/internal/attest"
	"github.com/artifactctl/artifactctl/internal/engine"
	"github.com/artifactctl/artifactctl/plugins/signer"
)

// store is a registry in memory. It calls before for each request ("push", "attach", "tag", "resolve", …), which may
// refuse it, and it watches the first invariant: a tag onto unsigned bytes ends the test.
type store struct {
	t      *testing.T
	policy attest.Policy
	mu     sync.Mutex
	before func(op, repository, ref string) error

	manifests  map[string]artifact.Manifest // by repository@digest
	blobs      map[string][]byte
	tags       map[string]string // repository:tag → digest
	signatures map[string][]artifact.Signature
	log        []string
}

func newStore(t *testing.T, p attest.Policy) *store {
	return &store{t: t, policy: p, manifests: map[string]artifact.Manifest{}, blobs: map[string][]byte{},
		tags: map[string]string{}, signatures: map[string][]artifact.Signature{}}
}

func (s *store) enter(op, repository, ref string) error {
	s.mu.Lock()
	s.log = append(s.log, op+" "+repository+" "+ref)
	before := s.before
	s.mu.Unlock()
	if before == nil {
		return nil
	}
	return before(op, repository, ref)
}

func (s *store) Resolve(_ context.Context, repository, ref string) (artifact.Manifest, error) {
	if err := s.enter("resolve", repository, ref); err != nil {
		return artifact.Manifest{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if d, ok := s.tags[repository+":"+ref]; ok {
		ref = d
	}
	m, ok := s.manifests[repository+"@"+ref]
	if !ok {
		return m, fmt.Errorf("%s %s: %w", repository, ref, artifact.ErrNotFound)
	}
	return artifact.ParseManifest(m.MediaType, m.Bytes)
}

func (s *store) Fetch(_ context.Context, repository string, d artifact.Descriptor) ([]byte, error) {
	if err := s.enter("fetch", repository, d.Digest.String()); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	b, ok := s.blobs[repository+"@"+d.Digest.String()]
	if !ok {
		return nil, artifact.ErrNotFound
	}
	return b, nil
}

func (s *store) Push(_ context.Context, repository string, a *artifact.Artifact) error {
	if err := s.enter("push", repository, a.Manifest.Digest.String()); err != nil {
		return err
	}
	s.put(repository, a)
	return nil
}

func (s *store) put(repository string, a *artifact.Artifact) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.blobs[repository+"@"+a.Layer.Digest.String()] = a.Layer.Content
	s.manifests[repository+"@"+a.Manifest.Digest.String()] = a.Manifest
}

func (s *store) Signatures(_ context.Context, repository string, d artifact.Descriptor) ([]artifact.Signature, error) {
	if err := s.enter("signatures", repository, d.Digest.String()); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.signatures[repository+"@"+d.Digest.String()]), nil
}

func (s *store) Attach(_ context.Context, repository string, d artifact.Descriptor, sig artifact.Signature) error {
	if err := s.enter("attach", repository, d.Digest.String()); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	key := repository + "@" + d.Digest.String()
	s.signatures[key] = append(s.signatures[key], sig)
	return nil
}

func (s *store) Tag(_ context.Context, repository string, m artifact.Manifest, tag string) error {
	if err := s.enter("tag", repository, tag); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	key := repository + "@" + m.Digest.String()
	if _, ok := s.manifests[key]; !ok {
		s.t.Errorf("tag %s:%s names %s, which is not there", repository, tag, m.Digest)
	}
	if v := s.policy.Judge(m.Digest.String(), s.signatures[key], []artifact.Format{artifact.FormatBundle}); !v.Good() {
		s.t.Errorf("tag %s:%s names unsigned bytes: %+v", repository, tag, v)
	}
	s.tags[repository+":"+tag] = m.Digest.String()
	return nil
}

func (s *store) Tags(_ context.Context, repository string) ([]string, error) {
	if err := s.enter("tags", repository, ""); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []string
	for k := range s.tags {
		if tag, ok := strings.CutPrefix(k, repository+":"); ok {
			out = append(out, tag)
		}
	}
	slices.Sort(out)
	return out, nil
}

func (s *store) snapshot() map[string]string { return maps.Clone(s.tags) }

// ops counts the requests of these kinds so far.
func (s *store) ops(kinds ...string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, line := range s.log {
		if op, _, _ := strings.Cut(line, " "); slices.Contains(kinds, op) {
			n++
		}
	}
	return n
}

// pen signs with a P-256 key; before may refuse.
type pen struct {
	key    *ecdsa.PrivateKey
	before func(signer.Request) error
}

func newPen(t *testing.T) *pen {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return &pen{key: k}
}

func (p *pen) policy(t *testing.T) attest.Policy {
	t.Helper()
	text, err := signer.MarshalPublicKey(p.key.Public())
	if err != nil {
		t.Fatal(err)
	}
	policy, err := attest.KeyPolicy(text)
	if err != nil {
		t.Fatal(err)
	}
	return policy
}

func (p *pen) Sign(_ context.Context, r signer.Request) (signer.Signature, error) {
	if p.before != nil {
		if err := p.before(r); err != nil {
			return signer.Signature{}, err
		}
	}
	input, err := signer.SigningInput(r)
	if err != nil {
		return signer.Signature{}, err
	}
	sum := sha256.Sum256(input)
	sig, err := p.key.Sign(nil, sum[:], crypto.SHA256)
	if err != nil {
		return signer.Signature{}, err
	}
	return signer.KeyBundle(r, p.key.Public(), sig)
}

// tree renders the files it holds, by app; a missing app fails.
type tree map[string]artifact.Files

func (tr tree) Render(_ context.Context, app string) (artifact.Files, []string, error) {
	files, ok := tr[app]
	if !ok {
		return nil, nil, errors.New("kustomization.yaml: no such file")
	}
	return files, nil, nil
}

// line is a history without branches: the commits in order. What it lacks is unknown; "x" commits have diverged.
type line []string

func (l line) Compare(_ context.Context, from, to string) (engine.Relation, error) {
	i, j := slices.Index(l, from), slices.Index(l, to)
	switch {
	case strings.HasPrefix(from, "d") || strings.HasPrefix(to, "d"):
		return engine.Diverged, nil
	case i < 0 || j < 0:
		return engine.Unknown, nil
	case i == j:
		return engine.Same, nil
	case i < j:
		return engine.Descendant, nil
	}
	return engine.Ancestor, nil
}

// Commits of the tests; the history is c1, c2, c3, and other has diverged.
var (
	c1    = strings.Repeat("1", 40)
	c2    = strings.Repeat("2", 40)
	c3    = strings.Repeat("3", 40)
	other = strings.Repeat("d", 40)
)

func at(commit string) engine.Source {
	return engine.Source{Remote: "https://git.example.com/org/fleet", Commit: commit, Branch: "main",
		Revision: "main@sha1:" + commit, Created: "2026-11-0" + commit[:1] + "T00:00:00Z"}
}

func released(commit, version string) engine.Source {
	s := at(commit)
	s.Branch, s.Version, s.Revision = "", version, "v"+version+"@sha1:"+commit
	return s
}

func content(text string) artifact.Files {
	return artifact.Files{artifact.ManifestsFile: []byte(text)}
}

func apps(names ...string) []engine.App {
	var out []engine.App
	for _, n := range names {
		out = append(out, engine.App{Name: n, Repository: "oci-" + n})
	}
	return out
}

// fixture is a fleet with a registry.
type fixture struct {
	*engine.Engine
	t     *testing.T
	store *store
	pen   *pen
	files tree
}

func setup(t *testing.T) *fixture {
	t.Helper()
	p := newPen(t)
	f := &fixture{t: t, pen: p, store: newStore(t, p.policy(t)), files: tree{"a": content("a1"), "b": content("b1")}}
	f.Engine = &engine.Engine{
		Registry: f.store, Renderer: f.files, History: line{c1, c2, c3}, Signer: p, Policy: p.policy(t), Host: "r.example.com",
		Tags:    engine.TagRules{Commit: "sha-{commit}", Rolling: map[string]string{"main": "edge"}, Release: "{version}"},
		Formats: []artifact.Format{artifact.FormatBundle}, Source: at(c1), Pauses: []time.Duration{time.Millisecond},
	}
	return f
}

// publish plans and publishes the apps a and b.
func (f *fixture) publish() (*engine.Plan, *engine.Report) {
	f.t.Helper()
	plan, err := f.Plan(f.t.Context(), apps("a", "b"))
	if err != nil {
		f.t.Fatal(err)
	}
	report, err := f.Publish(f.t.Context(), plan)
	if err != nil {
		f.t.Fatal(err)
	}
	return plan, report
}

// must publishes and wants every app to succeed.
func (f *fixture) must() *engine.Report {
	f.t.Helper()
	_, report := f.publish()
	for _, a := range report.Apps {
		if a.Failure != nil {
			f.t.Fatalf("%s failed: %v", a.App, a.Failure.Err)
		}
	}
	return report
}
