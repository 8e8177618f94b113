package ui

import (
	"strings"
	"testing"

	"github.com/artifactctl/artifactctl/internal/engine"
	"github.com/artifactctl/artifactctl/internal/flux/pins"
)

func pinned() *PinsReport {
	return NewPinsReport("clusters", &pins.Result{
		Changes: []pins.Change{{File: "web.yaml", Line: 9, Object: "OCIRepository/apps/web`x", Repository: "registry.corp/web", Field: "digest", From: digest("0"), To: digest("b")}},
		Current: []pins.Found{{File: "api.yaml", Line: 3, Object: "OCIRepository/apps/api", Repository: "registry.corp/api", Tag: "stable"}},
		Skipped: []pins.Skip{}, Missing: []string{}, Diff: "--- a/web.yaml\n+++ b/web.yaml\n@@ -1 +1 @@\n-  digest: a\x1b[31m```\n+  digest: b\n",
	})
}

func TestPins(t *testing.T) {
	written, failed := pinned(), pinned()
	written.Written = true
	failed.Skipped = []pins.Skip{{File: "clusters/x.yaml", Line: 4, Object: "OCIRepository/apps/x", Reason: "its ref has an anchor (&r)"}}
	failed.Missing = []string{"registry.corp/gone"}
	dry := promotionReport()
	dry.DryRun, dry.Apps, dry.Release = true, dry.Apps[:2], false
	dry.Summary = engine.PromotionSummary{Apps: 2, Promoted: 1, Present: 1, Tagged: 2}
	all := promotionReport()
	for name, tt := range map[string]struct {
		report *engine.PromotionReport
		pins   *PinsReport
	}{"pins-written": {all, written}, "pins-failed": {all, failed}, "pins-dry": {dry, pinned()}} {
		var s streams
		o := s.options(nil)
		o.Mode, o.Color = ModeNone, ColorAuto
		u := New(o)
		if err := u.Promotion(tt.report, tt.pins, Output{}); err != nil {
			t.Fatal(err)
		}
		page := string(u.PromotionMarkdown(tt.report, tt.pins, SummaryLimit))
		golden(t, name+".txt", s.out.String())
		golden(t, name+".md", page)
		if strings.Contains(s.out.String()+page, "\x1b") {
			t.Errorf("%s: an escape sequence reached the output", name)
		}
		if short := u.PromotionMarkdown(tt.report, tt.pins, 600); len(short) > 600 || !strings.Contains(string(short), "left out") {
			t.Errorf("%s: %d bytes\n%s", name, len(short), short)
		}
	}
}
