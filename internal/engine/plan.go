package engine

import (
	"cmp"
	"context"
	"errors"
	"sync/atomic"

	"github.com/artifactctl/artifactctl/internal/artifact"
	"github.com/artifactctl/artifactctl/internal/attest"
	"github.com/artifactctl/artifactctl/internal/finding"
)

// Plan is what Publish would do: the report for people, and for each app the work that remains.
type Plan struct {
	Report
	// Gates holds what gates said, result by result; nil without gates.
	Gates *finding.Report
	work  []*work // by app, as in Report.Apps; nil where planning failed
}

// Empty reports whether publishing the plan would change nothing in the registry.
func (p *Plan) Empty() bool {
	for i, w := range p.work {
		if w == nil || p.Apps[i].Pushed || p.Apps[i].Signed || len(w.attest) > 0 || len(w.moves) > 0 {
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
	attest  []attestation     // attestations to make
	moves   []move            // tags to move, in order
}

// move is one tag that is to move.
type move struct {
	wantedTag
	from string // digest it names now; empty when it does not exist
	slot int    // index in AppReport.Tags
}

// Plan renders every app, has gates look at all of them, and compares each with the registry. It writes nothing. A
// failure of one app is in its report; the error is for what concerns the whole run: a source that cannot be published,
// a context that is done.
func (e *Engine) Plan(ctx context.Context, apps []App) (*Plan, error) {
	p := e.planner(ctx, apps)
	if e.Gates == nil {
		p.pass(ctx, true, func(ctx context.Context, i int) error {
			if err := p.render(ctx, i); err != nil {
				return err
			}
			return p.compare(ctx, i)
		})
	} else {
		p.pass(ctx, false, p.render)
		p.judge(ctx)
		p.pass(ctx, true, p.compare)
	}
	p.plan.Summary = summarize(p.plan.Apps)
	return p.plan, context.Cause(ctx)
}

func (e *Engine) fullName(app App) string {
	if e.Host == "" {
		return app.Repository
	}
	return e.Host + "/" + app.Repository
}

// planner plans one fleet.
type planner struct {
	*Engine
	run      *run
	apps     []App
	plan     *Plan
	begin    []int        // indices of the apps, in the order in which they are best begun
	rendered []*rendering // by app; nil before it is rendered and after it was compared
	room     atomic.Int64 // bytes that the plan may still keep
}

func (e *Engine) planner(ctx context.Context, apps []App) *planner {
	reader := *e
	reader.Registry = readOnly{e.Registry}
	p := &planner{Engine: &reader, run: e.start(len(apps)), apps: apps, rendered: make([]*rendering, len(apps)),
		plan: &Plan{Report: Report{Source: e.Source, Apps: make([]AppReport, len(apps))}, work: make([]*work, len(apps))}}
	p.room.Store(cmp.Or(e.Keep, defaultKeep))
	for i, a := range apps {
		p.plan.Apps[i] = AppReport{App: a.Name, Repository: e.fullName(a)}
	}
	p.begin = p.order(ctx, apps)
	return p
}

// pass works on every app that has not failed. Apps are through after the last pass, or when they fail.
func (p *planner) pass(ctx context.Context, last bool, work func(ctx context.Context, i int) error) {
	p.run.each(ctx, len(p.apps), func(ctx context.Context, n int) error {
		i := p.begin[n]
		if p.plan.Apps[i].Failure != nil {
			return nil
		}
		err := work(ctx, i)
		if err != nil {
			p.plan.Apps[i].fail(err)
		}
		if err != nil || last {
			p.run.finish()
		}
		return err
	})
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

// render renders one app.
func (p *planner) render(ctx context.Context, i int) error {
	app, report := p.apps[i].Name, &p.plan.Apps[i]
	return p.run.stage(app, StageRender, func() (string, error) {
		if err := ctx.Err(); err != nil {
			return "", err
		}
		files, warnings, err := p.Renderer.Render(ctx, app)
		report.Warnings = warnings
		if err != nil {
			return "", err
		}
		r := &rendering{files: files, content: artifact.ContentDigest(files)}
		report.Content = r.content
		if p.Gates != nil {
			p.hold(r)
		}
		p.rendered[i] = r
		return "", nil
	})
}

// compare compares one app with the registry.
func (p *planner) compare(ctx context.Context, i int) error {
	app, report, r := p.apps[i], &p.plan.Apps[i], p.rendered[i]
	p.rendered[i] = nil
	files := r.files
	if p.Gates != nil {
		var err error
		if files, err = p.files(ctx, app.Name, r); err != nil {
			return &StageError{App: app.Name, Stage: StageRender, Err: err}
		}
		p.room.Add(r.size)
	}
	c := &comparison{planner: p, report: report, files: files, content: r.content, work: &work{app: app},
		seen: map[string]*artifact.Manifest{}, judged: map[string]attest.Verdict{}}
	err := p.run.stage(app.Name, StageCompare, func() (string, error) {
		err := c.compare(ctx)
		return string(report.Change), err
	})
	if err != nil {
		return err
	}
	p.keep(c.work)
	p.plan.work[i] = c.work
	return nil
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
		count(&s.Attested, len(a.Attested) > 0)
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
