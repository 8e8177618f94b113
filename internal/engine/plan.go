package engine

import (
	"cmp"
	"context"
	"errors"
	"sync/atomic"

	"github.com/artifactctl/artifactctl/internal/artifact"
	"github.com/artifactctl/artifactctl/internal/attest"
)

// Plan is what Publish would do: the report for people, and for each app the work that remains.
type Plan struct {
	Report
	work []*work // by app, as in Report.Apps; nil where planning failed
}

// Empty reports whether publishing the plan would change nothing in the registry.
func (p *Plan) Empty() bool {
	for i, w := range p.work {
		if w == nil || p.Apps[i].Pushed || p.Apps[i].Signed || len(w.moves) > 0 {
			return false
		}
	}
	return true
}

// work is what is to be done for one app.
type work struct {
	app     App
	built   *artifact.Artifact // what this commit renders to; nil when it is not to be pushed, or must be rendered again
	target  artifact.Manifest  // what the app's tags will name: that of built, or an older artifact of the same content
	push    bool
	missing []artifact.Format // signatures to make
	moves   []move            // tags to move, in order
}

// move is one tag that is to move.
type move struct {
	wantedTag
	from string // digest it names now; empty when it does not exist
	slot int    // index in AppReport.Tags
}

// Plan renders every app and compares it with the registry. It writes nothing. A failure of one app is in its report;
// the error is for what concerns the whole run: a source that cannot be published, a context that is done.
func (e *Engine) Plan(ctx context.Context, apps []App) (*Plan, error) {
	reader := *e
	reader.Registry = readOnly{e.Registry}
	p := &planner{Engine: &reader, run: e.start(len(apps))}
	p.room.Store(cmp.Or(e.Keep, defaultKeep))
	plan := &Plan{Report: Report{Source: e.Source, Apps: make([]AppReport, len(apps))}, work: make([]*work, len(apps))}
	order := p.order(ctx, apps)
	p.run.each(ctx, len(apps), func(ctx context.Context, n int) error {
		i := order[n]
		report := &plan.Apps[i]
		*report = AppReport{App: apps[i].Name, Repository: e.fullName(apps[i])}
		w, err := p.app(ctx, apps[i], report)
		p.run.finish()
		if err != nil {
			report.fail(err)
			return err
		}
		plan.work[i] = w
		return nil
	})
	plan.Summary = summarize(plan.Apps)
	return plan, context.Cause(ctx)
}

func (e *Engine) fullName(app App) string {
	if e.Host == "" {
		return app.Repository
	}
	return e.Host + "/" + app.Repository
}

type planner struct {
	*Engine
	run  *run
	room atomic.Int64 // bytes that the plan may still keep
}

// order says which app is begun first. It changes nothing but how long the whole takes.
func (p *planner) order(ctx context.Context, apps []App) []int {
	names := make([]string, len(apps))
	given := make([]int, len(apps))
	for i, a := range apps {
		names[i], given[i] = a.Name, i
	}
	if o, ok := p.Renderer.(Orderer); ok {
		return o.Order(ctx, names)
	}
	return given
}

// app plans one app.
func (p *planner) app(ctx context.Context, app App, report *AppReport) (*work, error) {
	var files artifact.Files
	err := p.run.stage(app.Name, StageRender, func() (string, error) {
		var err error
		if err = ctx.Err(); err != nil {
			return "", err
		}
		files, report.Warnings, err = p.Renderer.Render(ctx, app.Name)
		return "", err
	})
	if err != nil {
		return nil, err
	}
	c := &comparison{planner: p, report: report, files: files, content: artifact.ContentDigest(files), work: &work{app: app},
		seen: map[string]*artifact.Manifest{}, judged: map[string]attest.Verdict{}}
	err = p.run.stage(app.Name, StageCompare, func() (string, error) {
		err := c.compare(ctx)
		return string(report.Change), err
	})
	if err != nil {
		return nil, err
	}
	p.keep(c.work)
	return c.work, nil
}

func (r *AppReport) fail(err error) { r.Failure = failureOf(err) }

func failureOf(err error) *Failure {
	f := &Failure{Message: err.Error(), Err: err}
	var at *StageError
	if errors.As(err, &at) {
		f.Stage, f.Message = at.Stage, at.Err.Error()
	}
	return f
}

func (r *AppReport) warn(text string) { r.Warnings = append(r.Warnings, text) }

// summarize counts. In a report of a publish, a tag that is to move still is one that did not.
func summarize(apps []AppReport) Summary {
	s := Summary{Apps: len(apps)}
	for _, a := range apps {
		count(&s.New, a.Change == New)
		count(&s.Changed, a.Change == Changed)
		count(&s.Unchanged, a.Change == Unchanged)
		count(&s.Pushed, a.Pushed)
		count(&s.Signed, a.Signed)
		count(&s.Healed, a.Signed && !a.Pushed)
		count(&s.Failed, a.Failure != nil)
		for _, t := range a.Tags {
			count(&s.Tagged, t.Status == TagMove || t.Status == TagMoved)
		}
	}
	return s
}

func count(n *int, yes bool) {
	if yes {
		*n++
	}
}
