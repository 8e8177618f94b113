package engine

import (
	"context"
	"fmt"
	"strings"

	"github.com/artifactctl/artifactctl/internal/artifact"
	"github.com/artifactctl/artifactctl/internal/finding"
)

// Gates looks at rendered apps before anything else is done with them.
type Gates interface {
	// Check has every gate look at all of its apps, and calls tell with each result as it comes, one at a time. What a
	// gate refuses, or cannot judge, is a finding; the error is for what concerns the whole run.
	Check(ctx context.Context, apps []Rendered, tell func(finding.Result)) (*finding.Report, error)
}

// Rendered is an app as gates get to see it.
type Rendered struct {
	App     string
	Content string // artifact.ContentDigest of its files: what is judged, and all that may be published afterwards
	// Files returns the files. It may be called several times, concurrently.
	Files func(ctx context.Context) (artifact.Files, error)
}

// GateOutcome is what one gate said about one app.
type GateOutcome struct {
	Gate     string            `json:"gate"`
	Status   finding.Status    `json:"status" jsonschema:"enum=passed,enum=warned,enum=refused,enum=broken"`
	Cached   bool              `json:"cached,omitempty"` // nothing was run: an earlier result for the same content still holds
	Findings []finding.Finding `json:"findings,omitempty"`
}

// Gated is the outcome of Gate, apps in the order of publish.yaml.
type Gated struct {
	Apps    []GatedApp `json:"apps"`
	Passed  int        `json:"passed"`  // apps that may be published
	Refused int        `json:"refused"` // apps that a gate refuses or could not judge
	Failed  int        `json:"failed"`  // apps that were not judged, as they could not be rendered
	// Report holds the results gate by gate.
	Report *finding.Report `json:"-"`
}

// GatedApp is what gates said about one app.
type GatedApp struct {
	App      string        `json:"app"`
	Content  string        `json:"content,omitempty"` // digest of the files that were judged
	Gates    []GateOutcome `json:"gates,omitempty"`
	Warnings []string      `json:"warnings,omitempty"`
	Failure  *Failure      `json:"failure,omitempty"`
}

// RefusedError says why gates keep an app from being published.
type RefusedError struct{ Findings []finding.Finding }

func (e *RefusedError) Error() string {
	var gates []string
	for _, f := range e.Findings {
		if len(gates) == 0 || gates[len(gates)-1] != f.Gate {
			gates = append(gates, f.Gate)
		}
	}
	return fmt.Sprintf("refused by %s\n%s", strings.Join(gates, ", "), strings.TrimSpace(finding.Lines(e.Findings)))
}

// Hint says what the user can do.
func (e *RefusedError) Hint() string {
	return "artifactctl gate runs the gates alone, without a registry"
}

// Gate renders apps and has the gates look at them. It needs no registry and no signer.
func (e *Engine) Gate(ctx context.Context, apps []App) (*Gated, error) {
	p := e.planner(ctx, apps)
	p.pass(ctx, false, p.render)
	p.judge(ctx)
	out := &Gated{Apps: make([]GatedApp, len(apps)), Report: p.plan.Gates}
	for i, a := range p.plan.Apps {
		p.run.finish()
		out.Apps[i] = GatedApp{App: a.App, Content: a.Content, Gates: a.Gates, Warnings: a.Warnings, Failure: a.Failure}
		refused := a.Failure != nil && a.Failure.Stage == StageGate
		count(&out.Passed, a.Failure == nil)
		count(&out.Refused, refused)
		count(&out.Failed, a.Failure != nil && !refused)
	}
	return out, context.Cause(ctx)
}

// rendering is an app between its render and the comparison with the registry.
type rendering struct {
	files   artifact.Files // nil when there was no room for them: they are rendered again
	size    int64          // of what is kept
	content string
}

// hold keeps files while gates look at others, as far as there is room for them.
func (p *planner) hold(r *rendering) {
	for _, content := range r.files {
		r.size += int64(len(content))
	}
	if p.room.Add(-r.size) < 0 {
		p.room.Add(r.size)
		r.files, r.size = nil, 0
	}
}

// files returns an app's files once more. They must be what gates have judged.
func (p *planner) files(ctx context.Context, app string, r *rendering) (artifact.Files, error) {
	files := r.files
	if files == nil {
		var err error
		if files, _, err = p.Renderer.Render(ctx, app); err != nil {
			return nil, err
		}
	}
	if got := artifact.ContentDigest(files); got != r.content {
		return nil, fmt.Errorf("%w: gates judged %s, and now there is %s", ErrMoved, r.content, got)
	}
	return files, nil
}

// judge has the gates look at everything that was rendered, all apps together: a gate may want to see the whole fleet.
func (p *planner) judge(ctx context.Context) {
	var all []Rendered
	for i, r := range p.rendered {
		if r != nil {
			app := p.apps[i].Name
			all = append(all, Rendered{App: app, Content: r.content, Files: func(ctx context.Context) (artifact.Files, error) {
				return p.files(ctx, app, r)
			}})
		}
	}
	report, err := p.Gates.Check(ctx, all, p.gated)
	p.plan.Gates = report
	said := resultsByApp(report)
	for i, r := range p.rendered {
		if r == nil {
			continue
		}
		a := &p.plan.Apps[i]
		if stageErr := p.run.stage(a.App, StageGate, func() (string, error) { return "", verdict(a, said[a.App], err) }); stageErr != nil {
			a.fail(stageErr)
		}
	}
}

// gated shows which app is being looked at.
func (p *planner) gated(r finding.Result) {
	if r.App != "" {
		p.run.tell(Event{App: r.App, Stage: StageGate, Status: Started, Note: r.Gate})
	}
}

// resultsByApp sorts results by the apps that they cover, so that a fleet is gone through once and not once for each app.
func resultsByApp(report *finding.Report) map[string][]finding.Result {
	by := map[string][]finding.Result{}
	if report == nil {
		return by
	}
	for _, r := range report.Results {
		if r.App != "" {
			by[r.App] = append(by[r.App], r)
			continue
		}
		for _, app := range r.Apps {
			by[app] = append(by[app], r)
		}
	}
	return by
}

// verdict takes over what gates said about an app.
func verdict(a *AppReport, said []finding.Result, err error) error {
	if err != nil {
		return err
	}
	var blocking []finding.Finding
	for _, r := range said {
		findings := r.About(a.App)
		a.Gates = append(a.Gates, GateOutcome{Gate: r.Gate, Status: finding.StatusOf(findings), Cached: r.Cached, Findings: findings})
		for _, f := range findings {
			if f.Severity == finding.Error {
				blocking = append(blocking, f)
			}
		}
	}
	if len(blocking) > 0 {
		return &RefusedError{Findings: blocking}
	}
	return nil
}
