package ui

import (
	"fmt"
	"strings"

	"github.com/artifactctl/artifactctl/internal/engine"
)

// publish writes what was done: a line for each app with something done, the others as a number, then the failures
// and one line of sums.
func (p *page) publish(r *engine.Report) {
	p.head(r)
	p.apps(r, nothingDone, p.done)
	p.signers(r)
	p.held(r)
	p.line(0, p.publishSummary(r))
}

// outcome is the word for what a publish did to an app that did not fail.
func outcome(a engine.AppReport) string {
	switch {
	case a.Pushed:
		return "published"
	case a.Signed:
		return "healed"
	case len(tagNames(a, engine.TagMoved)) > 0:
		return "tagged"
	case len(a.Attested) > 0:
		return "attested"
	case len(tagNames(a, engine.TagSuperseded)) > 0:
		return "superseded"
	}
	return "unchanged"
}

func nothingDone(a engine.AppReport) bool {
	return outcome(a) == "unchanged" && len(a.Warnings)+len(remarks(a)) == 0
}

func (p *page) done(a engine.AppReport) {
	mark, paint := "✓", p.palette.green
	if word := outcome(a); word == "unchanged" || word == "superseded" {
		mark, paint = "=", p.palette.cyan
	}
	p.app(a, mark, outcome(a), paint, cleanLine(reached(a)), " "+strings.Join(tagNames(a, engine.TagMoved), ", "))
	p.warnings(a)
}

// reached is the artifact that an app ended with. One that was superseded was never pushed.
func reached(a engine.AppReport) string {
	if outcome(a) == "superseded" {
		return a.Repository
	}
	return a.Repository + "@" + a.Digest
}

// signers says once for all apps who signed them.
func (p *page) signers(r *engine.Report) {
	count := map[string]int{}
	var order []string
	for _, a := range r.Apps {
		if !a.Signed || a.SignedBy == "" {
			continue
		}
		if count[a.SignedBy]++; count[a.SignedBy] == 1 {
			order = append(order, a.SignedBy)
		}
	}
	for _, by := range order {
		p.line(0, fmt.Sprintf("Signed: %s by %s", plural(count[by], "artifact"), cut(cleanLine(by), maxColumns)))
	}
}

// held says why tags of apps that are fine did not move: that is so in a release only.
func (p *page) held(r *engine.Report) {
	n := 0
	for _, a := range r.Apps {
		if a.Failure == nil {
			n += len(tagNames(a, engine.TagHeld))
		}
	}
	if n > 0 {
		p.line(0, p.palette.yellow(fmt.Sprintf("Held: %s; the tags of a release move when every app is ready", plural(n, "tag"))))
	}
}

func (p *page) publishSummary(r *engine.Report) string {
	s := r.Summary
	text := fmt.Sprintf("Summary: %d published, %d unchanged, %d healed, %d failed", s.Pushed, s.Unchanged, s.Healed, s.Failed)
	if s.Tagged > 0 {
		text += "; " + plural(s.Tagged, "tag") + " moved"
	}
	return p.palette.bold(text + " in " + seconds(p.took))
}
