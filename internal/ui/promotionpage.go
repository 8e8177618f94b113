package ui

import (
	"fmt"
	"strings"

	"github.com/artifactctl/artifactctl/internal/engine"
)

// PromotionMarkdown returns a promotion for a CI job's summary page, at most limit bytes long: sums and failures, the apps
// with something done, and the pins with their diff.
func (u *UI) PromotionMarkdown(r *engine.PromotionReport, pins *PinsReport, limit int) []byte {
	m := &markdown{hide: u.hide, left: limit - 200}
	title := "promote"
	if r.DryRun {
		title = "promote (dry run)"
	}
	m.add(fmt.Sprintf("## artifactctl %s\n\nFrom %s to %s: %s.\n\n", title, code(r.From), code(r.To), promotionSums(r)))
	m.failures(asReport(r))
	m.promotedApps(r)
	m.pins(pins, r.DryRun)
	if m.dropped > 0 {
		fmt.Fprintf(&m.b, "\n_%s left out: too long for this page._\n", plural(m.dropped, "section"))
	}
	return []byte(m.b.String())
}

func (m *markdown) promotedApps(r *engine.PromotionReport) {
	begun := false
	for i, a := range asReport(r).Apps {
		status := r.Apps[i].Status
		if a.Failure != nil && interrupted(a.Failure.Err) || status == engine.PromotionPresent && len(a.Warnings) == 0 {
			continue
		}
		if !begun && !m.add("| | App | | Artifact | Tags |\n|---|---|---|---|---|\n") {
			return
		}
		begun = true
		mark := map[engine.PromotionStatus]string{engine.Promoted: "✅", engine.PromotionFailed: "❌"}[status]
		if mark == "" {
			mark = "🔹"
		}
		tags := tagNames(a, engine.TagMove, engine.TagMoved)
		for i, t := range tags {
			tags[i] = code(t)
		}
		place := a.Repository
		if a.Digest != "" {
			place += "@" + a.Digest
		}
		notes := ""
		for _, w := range a.Warnings[:min(len(a.Warnings), maxWarnings)] {
			notes += "<br>⚠️ " + cell(code(w))
		}
		m.add(fmt.Sprintf("| %s | %s%s | %s | %s | %s |\n", mark, cell(code(a.App)), notes, promotionWord(status, r.DryRun),
			cell(code(place)), cell(strings.Join(tags, " "))))
	}
	if begun {
		m.add("\n")
	}
}

func (m *markdown) pins(r *PinsReport, dryRun bool) {
	if r == nil {
		return
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s.\n\n", code(r.summary(dryRun)))
	for _, s := range r.Skipped {
		fmt.Fprintf(&b, "- ❌ %s\n", code(SkipLine(s)))
	}
	for _, repository := range r.Missing {
		fmt.Fprintf(&b, "- ❌ %s\n", code(MissingLine(r.Directory, repository)))
	}
	m.add(b.String())
	if r.Diff != "" && (r.Written || dryRun) {
		m.add("<details><summary>Pins</summary>\n\n" + fence("diff", Clean(m.hide(r.Diff))) + "\n</details>\n")
	}
}

// promotionWord is the word for what became of an app or, in a dry run, would.
func promotionWord(status engine.PromotionStatus, dryRun bool) string {
	if dryRun && status == engine.Promoted {
		return "promote"
	}
	return string(status)
}

func promotionSums(r *engine.PromotionReport) string {
	s := r.Summary
	text := fmt.Sprintf("%d promoted, %d there already, %d failed", s.Promoted, s.Present, s.Failed)
	if r.DryRun {
		text = fmt.Sprintf("%d to promote, %d there already, %d failed", s.Promoted, s.Present, s.Failed)
	}
	for _, more := range []struct {
		n    int
		word string
	}{{s.Held, "held"}, {s.Superseded, "superseded"}} {
		if more.n > 0 {
			text += fmt.Sprintf(", %d %s", more.n, more.word)
		}
	}
	switch {
	case s.Tagged > 0 && r.DryRun:
		text += "; " + plural(s.Tagged, "tag") + " to move"
	case s.Tagged > 0:
		text += "; " + plural(s.Tagged, "tag") + " moved"
	}
	return text
}
