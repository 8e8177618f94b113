package ui

import (
	"testing"

	"github.com/artifactctl/artifactctl/internal/changes"
	"github.com/artifactctl/artifactctl/internal/engine"
	"github.com/artifactctl/artifactctl/internal/inventory"
)

// attestedReport has an app whose images differ in every way, one of many images, and one that gets a bill of materials
// though nothing else is to be done.
func attestedReport() *engine.Report {
	var many []inventory.ImageChange
	for range maxImages + 2 {
		many = append(many, inventory.ImageChange{Op: changes.Added, To: "registry.example.com/sidecar:v1"})
	}
	return &engine.Report{
		Source: source(),
		Apps: []engine.AppReport{
			{App: "web", Repository: "ghcr.io/org/web", Change: engine.Changed, Digest: digest("b"), Baseline: "edge", Pushed: true, Signed: true,
				Attested: []string{"https://slsa.dev/provenance/v1", "https://cyclonedx.org/bom"},
				Images: []inventory.ImageChange{
					{Op: changes.Changed, From: "ghcr.io/org/web:v1", To: "ghcr.io/org/web:v2@" + digest("c")},
					{Op: changes.Added, To: "nginx`\x1b[31m|:1"},
					{Op: changes.Removed, From: "redis"},
				}},
			{App: "many", Repository: "ghcr.io/org/many", Change: engine.New, Digest: digest("d"), Pushed: true, Signed: true, Images: many},
			{App: "old", Repository: "ghcr.io/org/old", Change: engine.Unchanged, Digest: digest("e"), Baseline: "edge",
				Attested: []string{"https://cyclonedx.org/bom", "https://example.com/other"}},
		},
		Summary: engine.Summary{Apps: 3, New: 1, Changed: 1, Unchanged: 1, Pushed: 2, Signed: 2, Attested: 3},
	}
}

func TestImagesAndAttestations(t *testing.T) {
	for name, kind := range map[string]Kind{"images-plan.txt": KindPlan, "images-publish.txt": KindPublish} {
		var s streams
		o := s.options(nil)
		o.Mode = ModeNone
		show(t, New(o), kind, attestedReport(), Output{})
		golden(t, name, s.out.String())
	}
	var s streams
	golden(t, "images-plan.md", string(New(s.options(nil)).Markdown(KindPlan, attestedReport(), CommentLimit)))
	only := attestedReport()
	only.Apps, only.Summary = only.Apps[2:], engine.Summary{Apps: 1, Unchanged: 1, Attested: 1}
	s = streams{}
	o := s.options(nil)
	o.Mode = ModeNone
	show(t, New(o), KindPlan, only, Output{})
	golden(t, "images-only.txt", s.out.String())
}

func TestAttestEvents(t *testing.T) {
	e := engine.Event{App: "web", Stage: engine.StageAttest, Status: engine.Done, Note: "provenance, sbom"}
	if got, want := eventLine(palette(false), e, false, ""), "✓ web: attested provenance, sbom"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
