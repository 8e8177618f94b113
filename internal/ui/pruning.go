package ui

import (
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/artifactctl/artifactctl/internal/engine"
)

// PruningURL names the schema of PruningEnvelope.
const PruningURL = "https://artifactctl.dev/schema/pruning.v1.schema.json"

// KindPruning is the document that prune prints.
const KindPruning Kind = "Pruning"

// PruningEnvelope is the outcome of prune as programs read it, apps in the order of publish.yaml.
type PruningEnvelope struct {
	Schema     string          `json:"$schema" jsonschema:"format=uri"`
	APIVersion string          `json:"apiVersion" jsonschema:"enum=artifactctl.dev/v1"`
	Kind       Kind            `json:"kind" jsonschema:"enum=Pruning"`
	Generator  Generator       `json:"generator"`
	DryRun     bool            `json:"dryRun"`    // nothing was deleted
	Kept       int             `json:"kept"`      // artifacts that stay
	Artifacts  int             `json:"artifacts"` // artifacts that were deleted or, in a dry run, would be
	Deleted    int             `json:"deleted"`   // manifests: those artifacts and what referred to them
	Failed     int             `json:"failed"`    // apps
	Apps       []PruningResult `json:"apps"`
}

// PruningResult is what became of one app's artifacts.
type PruningResult struct {
	engine.PrunedApp
	// Failure is why the app failed, with advice where there is any.
	Failure *FailureResult `json:"failure,omitempty"`
}

// NewPruningEnvelope returns the document of a pruning.
func NewPruningEnvelope(g Generator, r *engine.PruneReport) PruningEnvelope {
	e := PruningEnvelope{
		Schema: PruningURL, APIVersion: APIVersion, Kind: KindPruning, Generator: g, DryRun: r.DryRun,
		Kept: r.Kept, Artifacts: r.Artifacts, Deleted: r.Deleted, Failed: r.Failed, Apps: make([]PruningResult, len(r.Apps)),
	}
	for i, a := range r.Apps {
		e.Apps[i] = PruningResult{PrunedApp: a, Failure: failureResult(a.Failure)}
	}
	return e
}

// Pruning ends the status display and prints a table of the artifacts that go.
func (u *UI) Pruning(r *engine.PruneReport, o Output) error {
	u.Close()
	return u.document(o, NewPruningEnvelope(o.Generator, r), func(p *page) { p.pruning(r, u.now()) })
}

func (p *page) pruning(r *engine.PruneReport, now time.Time) {
	if r.Artifacts > 0 {
		w := tabwriter.NewWriter(&p.b, 0, 0, 2, ' ', 0)
		fleetRow(w, "APP", "TAGS", "DIGEST", "REVISION", "AGE")
		for _, a := range r.Apps {
			for _, d := range a.Artifacts {
				fleetRow(w, cut(a.App, maxName), strings.Join(d.Tags, ","), short(d.Digest), revision(d.Revision), age(d.Created, now))
			}
		}
		_ = w.Flush() // a builder takes everything
	}
	for _, a := range r.Apps {
		p.warnings(engine.AppReport{App: a.App, Warnings: a.Warnings})
		if a.Failure == nil {
			continue
		}
		p.message(0, p.palette.red("✗")+" "+p.palette.bold(cleanLine(a.App))+":", staged(a.Failure.Stage, a.Failure.Message))
		for _, h := range Hints(a.Failure.Err) {
			p.message(4, p.palette.cyan("hint:"), h)
		}
	}
	text := fmt.Sprintf("Summary: %s deleted (%s), %d kept, %d failed", plural(r.Artifacts, "artifact"), plural(r.Deleted, "manifest"), r.Kept, r.Failed)
	if r.DryRun {
		text = fmt.Sprintf("Summary: %s would be deleted, %d kept, %d failed; --delete deletes", plural(r.Artifacts, "artifact"), r.Kept, r.Failed)
	}
	p.line(0, p.palette.bold(text))
}
