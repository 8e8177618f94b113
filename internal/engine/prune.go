package engine

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/artifactctl/artifactctl/internal/artifact"
)

// Deleter removes artifacts. It is called concurrently.
type Deleter interface {
	// Delete removes an artifact with these tags that name it, and then all that refers to it, and returns how many
	// manifests that were. What is gone already is no error.
	Delete(ctx context.Context, repository string, subject artifact.Descriptor, tags ...string) (int, error)
}

// Pruning says what may go: artifacts that nothing but commit tags name, that are not among the newest of their app, and
// that are older.
type Pruning struct {
	KeepLast int       // artifacts with a commit tag that each app keeps, the newest; 0 keeps none for their number
	Before   time.Time // only what was created before may go; the zero time lets all go
	// Protected reports that somebody still needs a digest or a tag of a repository, which is given with the registry's
	// host and prefix; the tag may be empty, and Protected nil.
	Protected func(repository, digest, tag string) bool
	Deleter   Deleter // nil for a dry run
}

// PrunedArtifact is one that goes.
type PrunedArtifact struct {
	Digest   string   `json:"digest"`
	Tags     []string `json:"tags,omitempty"`     // that named it; none of an artifact whose deletion was interrupted
	Created  string   `json:"created,omitempty"`  // RFC 3339
	Revision string   `json:"revision,omitempty"` // recorded in the artifact
	Deleted  int      `json:"deleted"`            // manifests: the artifact and what referred to it; 0 in a dry run
}

// PrunedApp is the outcome of Prune for one app.
type PrunedApp struct {
	App        string           `json:"app"`
	Repository string           `json:"repository"`
	Kept       int              `json:"kept"` // artifacts that stay
	Artifacts  []PrunedArtifact `json:"artifacts,omitempty"`
	Warnings   []string         `json:"warnings,omitempty"`
	Failure    *Failure         `json:"failure,omitempty"`
}

// PruneReport is the outcome of Prune, apps in the order of publish.yaml.
type PruneReport struct {
	DryRun    bool        `json:"dryRun"`
	Apps      []PrunedApp `json:"apps"`
	Kept      int         `json:"kept"`      // artifacts
	Artifacts int         `json:"artifacts"` // artifacts that were deleted or, in a dry run, would be
	Deleted   int         `json:"deleted"`   // manifests
	Failed    int         `json:"failed"`    // apps
}

// Prune deletes old artifacts with all that refers to them. It never deletes what any tag names that is no commit tag: a
// release, a rolling tag, a tag that somebody made by hand. What a tag names is looked at again right before; as long as
// it is not known of every tag, nothing of that app is deleted. An app that is published at the same time is not safe.
func (e *Engine) Prune(ctx context.Context, pruning Pruning, apps []App) (*PruneReport, error) {
	p := &pruner{Engine: e, Pruning: pruning, run: e.start(len(apps))}
	out := &PruneReport{DryRun: pruning.Deleter == nil, Apps: make([]PrunedApp, len(apps))}
	p.run.each(ctx, len(apps), func(ctx context.Context, i int) error {
		r := &out.Apps[i]
		*r = PrunedApp{App: apps[i].Name, Repository: e.fullName(apps[i])}
		err := p.run.stage(apps[i].Name, StagePrune, func() (string, error) { return p.app(ctx, apps[i], r) })
		p.run.finish()
		if err != nil {
			r.Failure = failureOf(err)
		}
		return err
	})
	for _, a := range out.Apps {
		out.Kept += a.Kept
		out.Artifacts += len(a.Artifacts)
		for _, d := range a.Artifacts {
			out.Deleted += d.Deleted
		}
		count(&out.Failed, a.Failure != nil)
	}
	return out, context.Cause(ctx)
}

type pruner struct {
	*Engine
	Pruning
	run *run
}

// aged is an artifact with the commit tags that name it.
type aged struct {
	artifact.Manifest
	tags    []string
	created time.Time
}

func (p *pruner) app(ctx context.Context, app App, r *PrunedApp) (string, error) {
	found, err := p.survey(ctx, app, r)
	if err != nil {
		return "", err
	}
	r.Kept = len(found.needed)
	for i, c := range found.artifacts {
		if found.needed[c.Digest.String()] {
			continue
		}
		if i < p.KeepLast || p.young(c) || p.protected(r.Repository, c) {
			r.Kept++
			continue
		}
		r.Artifacts = append(r.Artifacts, PrunedArtifact{Digest: c.Digest.String(), Tags: c.tags,
			Created: c.Annotations[artifact.AnnotationCreated], Revision: c.Annotations[artifact.AnnotationRevision]})
	}
	left, err := p.leftovers(ctx, app, found)
	if err != nil {
		return "", err
	}
	r.Artifacts = append(r.Artifacts, left...)
	if p.Deleter == nil || len(r.Artifacts) == 0 {
		return "", nil
	}
	return p.delete(ctx, app, r)
}

// surveyed is what the tags of a repository name.
type surveyed struct {
	artifacts []aged          // that commit tags name, the newest first
	needed    map[string]bool // digests that other tags name
	subjects  []string        // digests of which tags say that something refers to them
}

func (p *pruner) survey(ctx context.Context, app App, r *PrunedApp) (surveyed, error) {
	out := surveyed{needed: map[string]bool{}}
	tags, err := p.Registry.Tags(ctx, app.Repository)
	if err != nil {
		return out, err
	}
	commitIn, byDigest := p.Tags.commits(app.Name), map[string]*aged{}
	for _, tag := range tags {
		if beside := signatureTag.FindStringSubmatch(tag); beside != nil {
			out.subjects = append(out.subjects, "sha256:"+beside[1])
			continue
		}
		m, err := p.Registry.Resolve(ctx, app.Repository, tag)
		if err != nil && !errors.Is(err, artifact.ErrFormat) {
			return out, fmt.Errorf("resolve tag %q: %w", tag, err) // gone or not, somebody is at work here
		}
		d := m.Digest.String()
		// Only what was published under this tag from the commit that it shows is known not to matter to others.
		commit := commitIn(tag)
		if err != nil || commit == "" || !strings.HasPrefix(commitOf(m.Annotations[artifact.AnnotationRevision]), commit) {
			out.needed[d] = true
			for _, part := range parts(m) {
				out.needed[part] = true
			}
			continue
		}
		if byDigest[d] == nil {
			created, err := time.Parse(time.RFC3339, m.Annotations[artifact.AnnotationCreated])
			if err != nil {
				r.Warnings = append(r.Warnings, fmt.Sprintf("%s does not say when it was created, and stays", tag))
			}
			byDigest[d] = &aged{Manifest: m, created: created}
		}
		byDigest[d].tags = append(byDigest[d].tags, tag)
	}
	for _, a := range byDigest {
		out.artifacts = append(out.artifacts, *a)
	}
	slices.SortFunc(out.artifacts, func(a, b aged) int {
		return cmp.Or(b.created.Compare(a.created), strings.Compare(a.Digest.String(), b.Digest.String()))
	})
	return out, nil
}

// young reports whether an artifact is not old enough, as far as it says.
func (p *pruner) young(a aged) bool {
	return a.created.IsZero() || (!p.Before.IsZero() && !a.created.Before(p.Before))
}

func (p *pruner) protected(repository string, a aged) bool {
	return p.Protected != nil && slices.ContainsFunc(append([]string{""}, a.tags...), func(tag string) bool {
		return p.Protected(repository, a.Digest.String(), tag)
	})
}

// leftovers are artifacts that are gone while lists of their referrers are not: their deletion was interrupted.
func (p *pruner) leftovers(ctx context.Context, app App, found surveyed) ([]PrunedArtifact, error) {
	known := maps.Clone(found.needed)
	for _, a := range found.artifacts {
		known[a.Digest.String()] = true
	}
	var left []PrunedArtifact
	for _, subject := range found.subjects {
		if known[subject] {
			continue
		}
		known[subject] = true
		_, err := p.Registry.Resolve(ctx, app.Repository, subject)
		if errors.Is(err, artifact.ErrNotFound) {
			left = append(left, PrunedArtifact{Digest: subject})
		} else if err != nil && !errors.Is(err, artifact.ErrFormat) {
			return nil, fmt.Errorf("look for %s: %w", subject, err)
		}
	}
	return left, nil
}

// delete looks once more what other tags name, and then deletes.
func (p *pruner) delete(ctx context.Context, app App, r *PrunedApp) (string, error) {
	now, err := p.survey(ctx, app, &PrunedApp{})
	if err != nil {
		return "", err
	}
	tags := map[string][]string{}
	for _, a := range now.artifacts {
		tags[a.Digest.String()] = a.tags
	}
	going, n := r.Artifacts, 0
	r.Artifacts = nil // but what is deleted
	for _, a := range going {
		if now.needed[a.Digest] || !slices.Equal(tags[a.Digest], a.Tags) {
			return "", fmt.Errorf("%w: other tags name %s than a moment ago", ErrConflict, a.Digest)
		}
		subject := artifact.Descriptor{MediaType: artifact.ManifestMediaType, Digest: digest.Digest(a.Digest)}
		if a.Deleted, err = p.Deleter.Delete(ctx, app.Repository, subject, a.Tags...); err != nil {
			return "", fmt.Errorf("delete %s: %w", a.Digest, err)
		}
		r.Artifacts = append(r.Artifacts, a)
		n += a.Deleted
	}
	return fmt.Sprintf("%d artifacts, %d manifests", len(r.Artifacts), n), nil
}

// signatureTag matches the tags under which clients keep what refers to an artifact.
var signatureTag = regexp.MustCompile(`^sha256-([0-9a-f]{64})(?:\.(?:sig|att|sbom))?$`)

// parts lists the digests of the manifests in an index.
func parts(m artifact.Manifest) []string {
	var index struct {
		Manifests []artifact.Descriptor `json:"manifests"`
	}
	if json.Unmarshal(m.Bytes, &index) != nil {
		return nil // no index
	}
	var all []string
	for _, d := range index.Manifests {
		all = append(all, d.Digest.String())
	}
	return all
}
