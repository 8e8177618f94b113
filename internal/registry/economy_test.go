package registry

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/artifactctl/artifactctl/internal/artifact"
	"github.com/artifactctl/artifactctl/internal/engine"
)

// economyApps is the size of the fleet whose requests are counted.
const economyApps = 4

// remoteFleet is the whole engine on a registry over HTTP, a new client for each run as for each process.
type remoteFleet struct {
	*engine.Engine
	t      *testing.T
	f      *fake
	server *httptest.Server
	cache  *Cache
	text   string
	commit int
}

func (f *remoteFleet) Render(_ context.Context, app string) (artifact.Files, []string, error) {
	return artifact.Files{artifact.ManifestsFile: []byte(app + f.text)}, nil, nil
}

func (f *remoteFleet) Compare(context.Context, string, string) (engine.Relation, error) {
	return engine.Descendant, nil
}

func newRemoteFleet(t *testing.T, f *fake, server *httptest.Server, formats ...artifact.Format) *remoteFleet {
	t.Helper()
	s := newSigner(t)
	fleet := &remoteFleet{t: t, f: f, server: server, cache: NewCache(t.TempDir())}
	fleet.Engine = &engine.Engine{
		Renderer: fleet, History: fleet, Signer: s, Policy: s.policy, Concurrency: 1, Formats: formats,
		Tags:   engine.TagRules{Commit: "sha-{commit}", Rolling: map[string]string{"main": "edge"}, Release: "{version}"},
		Pauses: []time.Duration{},
	}
	return fleet
}

func (f *remoteFleet) apps() []engine.App {
	var apps []engine.App
	for i := range economyApps {
		apps = append(apps, engine.App{Name: fmt.Sprint("app", i), Repository: fmt.Sprint("app", i)})
	}
	return apps
}

// connect begins a run: another commit, another process.
func (f *remoteFleet) connect(cached bool) {
	f.t.Helper()
	f.commit++
	commit := strings.Repeat(fmt.Sprintf("%04d", f.commit), 10)
	f.Source = engine.Source{Commit: commit, Branch: "main", Revision: "main@sha1:" + commit, Created: "2026-11-22T00:00:00Z"}
	var names []string
	for _, a := range f.apps() {
		names = append(names, a.Repository)
	}
	r := dial(f.t, f.server, login, func(o *RemoteOptions) {
		o.PushScope, o.Repositories, o.Legacy = true, names, len(f.Formats) > 1
		if cached {
			o.Cache = f.cache
		}
	})
	f.Registry, f.Recall = r, nil
	if cached {
		f.Recall = r.Known()
	}
	f.f.Requests()
}

// run publishes and counts.
func (f *remoteFleet) run(what string, cached bool) (each, extra int) {
	f.t.Helper()
	f.connect(cached)
	plan, err := f.Plan(f.t.Context(), f.apps())
	if err != nil {
		f.t.Fatal(what, err)
	}
	report, err := f.Publish(f.t.Context(), plan)
	if err != nil {
		f.t.Fatal(what, err)
	}
	for _, a := range report.Apps {
		if a.Failure != nil {
			f.t.Fatal(what, a.App, a.Failure.Err)
		}
	}
	return f.count()
}

// count returns the requests of the app that had the fewest, for another one finds out how the registry is, and how
// many the run made beyond as many for each.
func (f *remoteFleet) count() (each, extra int) {
	all := f.f.Requests()
	each = len(all)
	for _, a := range f.apps() {
		n := 0
		for _, line := range all {
			if strings.Contains(line, "/org/"+a.Repository+"/") {
				n++
			}
		}
		each = min(each, n)
	}
	return each, len(all) - economyApps*each
}

// unsign removes all signatures behind the fleet's back.
func (f *fake) unsign() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for k, s := range f.manifests {
		var m ocispec.Manifest
		if json.Unmarshal(s.content, &m) == nil && (m.Subject != nil || strings.Contains(k, ":sha256-")) {
			delete(f.manifests, k)
		}
	}
	for k, content := range f.blobs {
		if strings.Contains(string(content), "dsseEnvelope") {
			delete(f.blobs, k)
		}
	}
}

// TestEconomy pins what a run costs, by kind of registry: the requests of one app, and those of the run beyond them. A
// request more is a cost for every app of every run; the table is in docs/performance.md.
func TestEconomy(t *testing.T) {
	type cost struct {
		each  int // for an app
		extra int // at most, for the run: what it takes to find out how the registry is, and to get a token
	}
	tests := []struct {
		kind                                       string
		set                                        func(f *fake)
		new, idle, cold, changed, healed, verified cost
	}{
		{kind: "distribution, GitLab: mounts, no referrers API", set: func(f *fake) { f.Mount = true; f.Nameless = true },
			new: cost{18, 3}, idle: cost{2, 1}, cold: cost{4, 1}, changed: cost{17, 2}, healed: cost{12, 1}, verified: cost{4, 1}},
		{kind: "GHCR: the same, behind tokens", set: func(f *fake) { f.Mount = true; f.Auth = &fakeAuth{Challenges: []string{bearer}} },
			new: cost{16, 5}, idle: cost{2, 3}, cold: cost{4, 3}, changed: cost{17, 4}, healed: cost{12, 3}, verified: cost{4, 3}},
		{kind: "Gitea: one-request uploads, no referrers API", set: func(f *fake) {
			f.Mount = true
			f.Whole = true
			f.Auth = &fakeAuth{Challenges: []string{bearer + `,scope="*"`, basic}}
		},
			new: cost{14, 4}, idle: cost{2, 3}, cold: cost{4, 3}, changed: cost{15, 4}, healed: cost{11, 3}, verified: cost{4, 3}},
		{kind: "zot, Quay: one-request uploads, referrers API", set: func(f *fake) { f.API = true; f.Mount = true; f.Whole = true },
			new: cost{12, 1}, idle: cost{2, 0}, cold: cost{4, 0}, changed: cost{13, 1}, healed: cost{8, 1}, verified: cost{4, 0}},
		{kind: "Harbor, ACR, Docker Hub: referrers API, mounts", set: func(f *fake) { f.API = true; f.Mount = true },
			new: cost{14, 2}, idle: cost{2, 0}, cold: cost{4, 0}, changed: cost{15, 1}, healed: cost{9, 1}, verified: cost{4, 0}},
		{kind: "ECR: referrers API that it does not announce, no mounts", set: func(f *fake) { f.API = true; f.NoSubject = true; f.Mount = false },
			new: cost{16, 1}, idle: cost{2, 0}, cold: cost{4, 0}, changed: cost{16, 1}, healed: cost{10, 1}, verified: cost{4, 0}},
	}
	for _, tt := range tests {
		t.Run(tt.kind, func(t *testing.T) {
			f, server := newFake(t, false)
			tt.set(f)
			fleet := newRemoteFleet(t, f, server, artifact.FormatBundle)
			check := func(what string, want cost, each, extra int) {
				t.Helper()
				if each != want.each || extra > want.extra {
					t.Errorf("%s: %d requests for an app and %d for the run, want %d and at most %d", what, each, extra, want.each, want.extra)
				}
			}
			each, extra := fleet.run("new", true)
			check("new", tt.new, each, extra)
			each, extra = fleet.run("nothing to do", true)
			check("nothing to do", tt.idle, each, extra)
			each, extra = fleet.run("nothing to do, no cache", false)
			check("nothing to do, no cache", tt.cold, each, extra)
			fleet.text = "changed"
			each, extra = fleet.run("changed", true)
			check("changed", tt.changed, each, extra)
			f.unsign()
			each, extra = fleet.run("healed", true)
			check("healed", tt.healed, each, extra)
			fleet.connect(true)
			v, err := fleet.Verify(t.Context(), fleet.apps(), "")
			if err != nil || v.Signed != economyApps {
				t.Fatal(v, err)
			}
			each, extra = fleet.count()
			check("verified", tt.verified, each, extra)
		})
	}
}
