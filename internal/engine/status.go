package engine

import (
	"context"

	"github.com/artifactctl/artifactctl/internal/artifact"
	"github.com/artifactctl/artifactctl/internal/attest"
)

// AppStatus is how one app stands in the registry.
type AppStatus struct {
	VerifiedApp
	// Created is when the artifact says that it was made, RFC 3339.
	Created string `json:"created,omitempty"`
	// Formats are those of its good signatures.
	Formats []artifact.Format `json:"formats,omitempty"`
	// Drift is how the working tree relates to what the tag names; empty when that is not known.
	Drift Change `json:"drift,omitempty" jsonschema:"enum=new,enum=changed,enum=unchanged"`
}

// FleetStatus is the outcome of Status, apps in the order of publish.yaml.
type FleetStatus struct {
	Apps    []AppStatus      `json:"apps"`
	Signed  int              `json:"signed"`
	Drifted int              `json:"drifted"` // apps whose tag names something else than the working tree, or nothing
	Failed  int              `json:"failed"`  // apps of which something could not be found out
	Batches []BatchSignature `json:"batches,omitempty"`
}

// Status tells how each app stands: what its tag names, who signed that, and whether the working tree has moved on. An
// empty tag means the app's own, as in Verify. It writes nothing. An app that is unsigned or missing is no failure here.
func (e *Engine) Status(ctx context.Context, apps []App, tag string) (*FleetStatus, error) {
	reader := *e
	reader.Registry = readOnly{e.Registry}
	p := &planner{Engine: &reader, run: e.start(len(apps))}
	out := &FleetStatus{Apps: make([]AppStatus, len(apps))}
	seen := Verification{}
	batches := make([]*attest.Batch, len(apps))
	p.run.each(ctx, len(apps), func(ctx context.Context, i int) error {
		s := &out.Apps[i]
		s.VerifiedApp = VerifiedApp{App: apps[i].Name, Repository: e.fullName(apps[i]), Tag: tag, State: StateUnknown}
		var err error
		batches[i], err = p.status(ctx, apps[i], s)
		p.run.finish()
		return err
	})
	for i, s := range out.Apps {
		count(&out.Signed, s.State == StateSigned)
		count(&out.Drifted, s.Drift == New || s.Drift == Changed)
		count(&out.Failed, s.Failure != nil)
		seen.addBatch(batches[i], s.SignedBy)
	}
	out.Batches = seen.Batches
	return out, context.Cause(ctx)
}

// status fills s. Only what could not be found out is an error.
func (p *planner) status(ctx context.Context, app App, s *AppStatus) (*attest.Batch, error) {
	var found examined
	err := p.run.stage(app.Name, StageCheck, func() (string, error) {
		var err error
		if found, err = p.verifyApp(ctx, app, &s.VerifiedApp); s.State == StateUnsigned || s.State == StateMissing {
			err = nil
		}
		return "", err
	})
	if found.manifest != nil {
		s.Created, s.Formats = found.manifest.Annotations[artifact.AnnotationCreated], found.verdict.Formats
	}
	if err == nil {
		err = p.run.stage(app.Name, StageCompare, func() (string, error) {
			s.Drift, err = p.drift(ctx, app, found)
			return string(s.Drift), err
		})
	}
	if err != nil {
		var report AppReport
		report.fail(err)
		s.Failure = report.Failure
		return nil, err
	}
	if s.State != StateSigned {
		return nil, nil
	}
	return found.verdict.Batch, nil
}

// drift renders the app and compares it with what the tag names.
func (p *planner) drift(ctx context.Context, app App, found examined) (Change, error) {
	files, _, err := p.Renderer.Render(ctx, app.Name)
	if err != nil {
		return "", err
	}
	if found.manifest == nil {
		return New, nil
	}
	var warnings AppReport
	c := &comparison{planner: p, report: &warnings, files: files, content: artifact.ContentDigest(files), work: &work{app: app},
		seen: map[string]*artifact.Manifest{}, judged: map[string]attest.Verdict{found.manifest.Digest.String(): found.verdict}}
	same, err := c.sameContent(ctx, found.manifest)
	switch {
	case err != nil:
		return "", err
	case same:
		return Unchanged, nil
	}
	return Changed, nil
}
