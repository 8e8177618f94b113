package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"runtime/debug"
	"slices"
	"sync"

	"github.com/artifactctl/artifactctl/config"
	"github.com/artifactctl/artifactctl/internal/artifact"
	"github.com/artifactctl/artifactctl/internal/engine"
	"github.com/artifactctl/artifactctl/internal/finding"
	"github.com/artifactctl/artifactctl/internal/inventory"
	"github.com/artifactctl/artifactctl/internal/provenance"
	"github.com/artifactctl/artifactctl/internal/render"
	"github.com/artifactctl/artifactctl/internal/source"
)

// renders keeps how the apps were rendered, without their files, for the provenance of those that need one.
type renders struct {
	mu    sync.Mutex
	byApp map[string]render.Result
}

func (r *renders) keep(app string, result render.Result) {
	if r == nil {
		return
	}
	result.Files = nil
	r.mu.Lock()
	defer r.mu.Unlock()
	r.byApp[app] = result
}

// of returns how an app was rendered to these files.
func (r *renders) of(app string, files artifact.Files) render.Result {
	r.mu.Lock()
	defer r.mu.Unlock()
	result := r.byApp[app]
	result.Files = files
	return result
}

// states adds what publish.yaml wants attested to the engine.
func (s *session) states() error {
	if s.cfg.Provenance {
		made, err := s.provenance()
		if err != nil {
			return err
		}
		s.engine.Statements = append(s.engine.Statements, made)
	}
	if s.cfg.SBOM {
		s.engine.Statements = append(s.engine.Statements, engine.Statement{
			Name: "sbom", PredicateType: provenance.SBOMPredicateType,
			Predicate: func(_ context.Context, about engine.Subject) ([]byte, error) {
				return provenance.SBOM(about.App, artifact.ContentDigest(about.Files), versionText(), inventory.Read(about.Files))
			},
		})
	}
	return nil
}

// provenance is the statement of how this run builds its artifacts.
func (s *session) provenance() (engine.Statement, error) {
	common, err := s.build()
	if err != nil {
		return engine.Statement{}, err
	}
	apps := map[string]config.App{}
	for _, a := range s.cfg.Fleet {
		apps[a.Name] = a
	}
	s.renders = &renders{byApp: map[string]render.Result{}}
	return engine.Statement{
		Name: "provenance", PredicateType: provenance.PredicateType, OfBuild: true,
		Predicate: func(_ context.Context, about engine.Subject) ([]byte, error) {
			found, err := render.MaterialsOf(s.requests[about.App], s.renders.of(about.App, about.Files))
			if err != nil {
				return nil, fmt.Errorf("list what it was rendered from: %w", err)
			}
			b := s.buildOf(common, apps[about.App], found)
			b.Gates = s.passed(about.Gates)
			return provenance.Predicate(b)
		},
	}, nil
}

// build is what all builds of this run have in common.
func (s *session) build() (provenance.Build, error) {
	from, run := s.engine.Source, source.RunOf(s.environ)
	b := provenance.Build{
		Environment: s.cfg.Env,
		Source:      provenance.Source{Remote: from.Remote, Commit: from.Commit, Revision: from.Revision, Dirty: from.Dirty},
		Builder:     run.Builder, Run: run.Invocation, Started: run.Started,
		Versions: map[string]string{"artifactctl": versionText(), "kustomize": render.KustomizeVersion},
	}
	if given := s.flags.builder; given != "" {
		if u, err := url.Parse(given); err != nil || u.Scheme == "" {
			return b, usagef("as https://ci.example.com/fleet", "flag --builder-id: %q is not a URI", given)
		}
		b.Builder = given
	}
	if s.cfg.File == "<stdin>" {
		return b, nil
	}
	name := filepath.Base(s.cfg.File)
	content, err := os.ReadFile(filepath.Join(s.cfg.Dir, name))
	if err != nil {
		return b, fmt.Errorf("read %s for the provenance: %w", s.cfg.File, err)
	}
	sum := sha256.Sum256(content)
	b.Config = path.Join(s.inside, name)
	b.Files = []provenance.File{{Path: b.Config, SHA256: hex.EncodeToString(sum[:])}}
	return b, nil
}

// buildOf is the build of one app. Paths are relative to the root of the source.
func (s *session) buildOf(b provenance.Build, app config.App, from render.Materials) provenance.Build {
	b.App, b.Path, b.Render = app.Name, path.Join(s.inside, app.Path), string(app.Render)
	b.Helm, b.RemoteBases = app.Helm, app.RemoteBases
	b.Files = slices.Clone(b.Files)
	for _, f := range from.Files {
		b.Files = append(b.Files, provenance.File{Path: path.Join(s.inside, f.Path), SHA256: f.SHA256})
	}
	b.Remotes = from.Remotes
	for _, c := range from.Charts {
		b.Charts = append(b.Charts, provenance.Chart(c))
	}
	return b
}

// passed lists the gates that an app has passed, each with a digest of what publish.yaml says of it.
func (s *session) passed(outcomes []engine.GateOutcome) []provenance.Gate {
	var list []provenance.Gate
	for _, o := range outcomes {
		i := slices.IndexFunc(s.cfg.Gates, func(g config.Gate) bool { return g.Title() == o.Gate })
		if i < 0 || o.Status != finding.Passed && o.Status != finding.Warned {
			continue
		}
		one := provenance.Gate{Name: o.Gate, Status: string(o.Status)}
		if said, err := json.Marshal(s.cfg.Gates[i]); err == nil {
			sum := sha256.Sum256(said)
			one.Config = "sha256:" + hex.EncodeToString(sum[:])
		}
		if s.cfg.Gates[i].Kubeconform != nil {
			one.Version = moduleVersion("github.com/yannh/kubeconform")
		}
		list = append(list, one)
	}
	return list
}

// moduleVersion is the version of a module that this program was built with; empty when that was not recorded.
func moduleVersion(name string) string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, m := range info.Deps {
		if m.Path == name {
			return m.Version
		}
	}
	return ""
}
