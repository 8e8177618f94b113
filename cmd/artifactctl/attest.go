package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"sync"

	"github.com/artifactctl/artifactctl/config"
	"github.com/artifactctl/artifactctl/internal/artifact"
	"github.com/artifactctl/artifactctl/internal/engine"
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
			Predicate: func(_ context.Context, app string, files artifact.Files) ([]byte, error) {
				return provenance.SBOM(app, artifact.ContentDigest(files), versionText(), inventory.Read(files))
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
		Predicate: func(_ context.Context, app string, files artifact.Files) ([]byte, error) {
			found, err := render.MaterialsOf(s.requests[app], s.renders.of(app, files))
			if err != nil {
				return nil, fmt.Errorf("list what it was rendered from: %w", err)
			}
			return provenance.Predicate(s.buildOf(common, apps[app], found))
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
	b.Gates = s.gatesPassed(app.Name)
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

// gatesPassed lists the gates that an app has passed when its provenance is made.
func (s *session) gatesPassed(string) []provenance.Gate { return nil }
