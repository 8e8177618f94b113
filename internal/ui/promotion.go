package ui

import (
	"strings"

	"github.com/artifactctl/artifactctl/internal/engine"
)

// PromotionURL names the schema of PromotionEnvelope.
const PromotionURL = "https://artifactctl.dev/schema/promotion.v1.schema.json"

// KindPromotion is the document that promote prints.
const KindPromotion Kind = "Promotion"

// PromotionEnvelope is the outcome of promote as programs read it, apps in the order of publish.yaml.
type PromotionEnvelope struct {
	Schema     string                  `json:"$schema" jsonschema:"format=uri"`
	APIVersion string                  `json:"apiVersion" jsonschema:"enum=artifactctl.dev/v1"`
	Kind       Kind                    `json:"kind" jsonschema:"enum=Promotion"`
	Generator  Generator               `json:"generator"`
	From       string                  `json:"from"`          // the source's registry
	To         string                  `json:"to"`            // the target's registry
	Tag        string                  `json:"tag,omitempty"` // that was asked for; without it each app's own
	Release    bool                    `json:"release"`       // the tags of all apps move together, or none does
	DryRun     bool                    `json:"dryRun"`        // nothing was done: this is what would be
	Summary    engine.PromotionSummary `json:"summary"`
	Apps       []PromotionResult       `json:"apps"`
	// Pins are the refs of a GitOps directory that follow the promotion, if one was named.
	Pins *PinsReport `json:"pins,omitempty"`
}

// PromotionResult is what became of one app.
type PromotionResult struct {
	engine.PromotedApp
	// Failure is why the app failed, with advice where there is any.
	Failure *FailureResult `json:"failure,omitempty"`
}

// NewPromotionEnvelope returns the document of a promotion; pins may be nil.
func NewPromotionEnvelope(g Generator, r *engine.PromotionReport, pins *PinsReport) PromotionEnvelope {
	e := PromotionEnvelope{
		Schema: PromotionURL, APIVersion: APIVersion, Kind: KindPromotion, Generator: g,
		From: r.From, To: r.To, Tag: r.Tag, Release: r.Release, DryRun: r.DryRun, Summary: r.Summary,
		Apps: make([]PromotionResult, len(r.Apps)), Pins: pins,
	}
	for i, a := range r.Apps {
		e.Apps[i] = PromotionResult{PromotedApp: a, Failure: failureResult(a.Failure)}
	}
	return e
}

// Promotion ends the status display and prints what was promoted and, unless they are nil, which pins follow.
func (u *UI) Promotion(r *engine.PromotionReport, pins *PinsReport, o Output) error {
	u.Close()
	u.annotate(asReport(r))
	return u.document(o, NewPromotionEnvelope(o.Generator, r, pins), func(p *page) {
		p.promotion(r)
		p.pins(pins, r.DryRun)
	})
}

// asReport is what a promotion has in common with a publish: failures, warnings, tags and signers.
func asReport(r *engine.PromotionReport) *engine.Report {
	out := &engine.Report{Apps: make([]engine.AppReport, len(r.Apps))}
	for i, a := range r.Apps {
		out.Apps[i] = engine.AppReport{
			App: a.App, Repository: a.Repository, Digest: a.Digest, Revision: a.Revision, Signed: a.Signed, SignedBy: a.SignedBy,
			Tags: a.Tags, Warnings: a.Warnings, Failure: a.Failure,
		}
	}
	return out
}

// promotion writes a line for each app with something done, the others as a number, then the failures and the sums.
func (p *page) promotion(r *engine.PromotionReport) {
	report, present, stopped := asReport(r), 0, 0
	p.head(report)
	p.line(0, p.palette.dim(join("From:", cleanLine(r.From), "to", cleanLine(r.To))))
	p.line(0)
	for i, a := range report.Apps {
		switch status := r.Apps[i].Status; {
		case a.Failure != nil && interrupted(a.Failure.Err):
			stopped++
		case a.Failure != nil:
			p.failed(a)
			p.warnings(a)
		case status == engine.PromotionPresent && len(a.Warnings) == 0:
			present++
		default:
			p.promotedApp(a, status, r.DryRun)
		}
	}
	if present > 0 {
		p.line(2, p.palette.dim(plural(present, "app")+" there already"))
	}
	p.rest(0, stopped)
	p.failures(report)
	p.signers(report)
	p.held(report)
	p.line(0, p.palette.bold("Summary: "+promotionSums(r)+" in "+seconds(p.took)))
}

func (p *page) promotedApp(a engine.AppReport, status engine.PromotionStatus, dryRun bool) {
	mark, paint := "✓", p.palette.green
	if status != engine.Promoted {
		mark, paint = "=", p.palette.cyan
	}
	reached := a.Repository + "@" + a.Digest
	if status == engine.PromotionSuperseded { // it was never copied
		reached = a.Repository
	}
	p.app(a, mark, promotionWord(status, dryRun), paint, cleanLine(reached), revision(cleanLine(a.Revision)), strings.Join(tagNames(a, engine.TagMove, engine.TagMoved), ", "))
	p.warnings(a)
}
