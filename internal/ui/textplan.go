package ui

import (
	"fmt"
	"strings"

	"github.com/artifactctl/artifactctl/internal/changes"
	"github.com/artifactctl/artifactctl/internal/engine"
)

// plan writes what a publish would do: an entry for each app with something to do or to tell, the others as a number,
// then the failures and one line of sums.
func (p *page) plan(r *engine.Report) {
	p.head(r)
	p.apps(r, nothingToTell, p.planned)
	p.line(0, p.planSummary(r.Summary))
}

// nothingToTell reports an app that needs no entry.
func nothingToTell(a engine.AppReport) bool {
	return (a.Change == engine.Unchanged || a.Change == "") && !a.Pushed && !a.Signed && len(a.Attested)+len(a.Warnings)+len(remarks(a)) == 0 &&
		len(tagNames(a, engine.TagMove, engine.TagMoved, engine.TagSuperseded)) == 0
}

func (p *page) planned(a engine.AppReport) {
	mark, paint := "=", p.palette.cyan
	switch a.Change {
	case engine.New:
		mark, paint = "+", p.palette.green
	case engine.Changed:
		mark, paint = "~", p.palette.yellow
	}
	ref := cleanLine(a.Repository)
	if a.Baseline != "" {
		ref += ":" + cleanLine(a.Baseline)
	}
	p.app(a, mark, string(a.Change), paint, ref, " "+digests(a))
	if steps := actions(a); len(steps) > 0 {
		p.line(4, p.palette.cyan("→ "+strings.Join(steps, ", ")))
	}
	p.warnings(a)
	p.images(a)
	p.objects(a)
}

// digests shows what the baseline names now and what it will. Where it stays, the engine's warning says why.
func digests(a engine.AppReport) string {
	for _, t := range a.Tags {
		switch {
		case t.Name != a.Baseline || t.From == "" || t.From == a.Digest:
		case t.Status == engine.TagSuperseded:
			return short(t.From)
		default:
			return short(t.From) + " → " + short(a.Digest)
		}
	}
	return short(a.Digest)
}

// actions is what a publish will do for an app, in the order in which it will.
func actions(a engine.AppReport) []string {
	var steps []string
	if a.Pushed {
		steps = append(steps, "push")
	}
	switch {
	case a.Signed && a.Pushed:
		steps = append(steps, "sign")
	case a.Signed:
		steps = append(steps, "sign (signature missing)")
	}
	if len(a.Attested) > 0 {
		steps = append(steps, "attest "+strings.Join(statements(a), " and "))
	}
	for _, t := range a.Tags {
		switch {
		case t.Status == engine.TagMove && t.From == "":
			steps = append(steps, "tag "+cleanLine(t.Name))
		case t.Status == engine.TagMove:
			steps = append(steps, "move "+cleanLine(t.Name))
		}
	}
	return steps
}

func (p *page) objects(a engine.AppReport) {
	left, hidden := p.out.DiffLines, 0
	for i, o := range a.Objects {
		if i == maxObjects {
			p.line(4, fmt.Sprintf("… and %s", plural(len(a.Objects)-i, "more object")))
			break
		}
		p.line(4, p.object(o))
		if p.out.NoDiff || o.Diff == "" {
			continue
		}
		shown, total := p.diff(o.Diff, left)
		left -= shown
		hidden += total - shown
	}
	if hidden > 0 {
		p.line(4, p.palette.dim(fmt.Sprintf("… %s of diff not shown", plural(hidden, "more line"))))
	}
}

func (p *page) object(o changes.Object) string {
	switch o.Op {
	case changes.Added:
		return p.palette.green("+ " + title(o))
	case changes.Removed:
		return p.palette.red("- " + title(o))
	}
	return p.palette.yellow("~ " + title(o))
}

// title names an object as kubectl does.
func title(o changes.Object) string {
	name := cleanLine(o.Name)
	if o.Kind == "" {
		return "file " + name
	}
	if o.Namespace != "" {
		name = cleanLine(o.Namespace) + "/" + name
	}
	return cut(cleanLine(o.Kind)+" "+name, maxColumns)
}

// diff writes a diff, at most so many lines of it unless there is no limit.
func (p *page) diff(text string, most int) (shown, total int) {
	lines := strings.Split(strings.TrimSuffix(p.hide(text), "\n"), "\n")
	lines = lines[fileHeader(lines):]
	shown = len(lines)
	if p.out.DiffLines >= 0 {
		shown = min(shown, most)
	}
	for _, l := range lines[:shown] {
		p.line(8, p.diffLine(cut(Clean(strings.TrimSuffix(l, "\r")), maxColumns)))
	}
	return shown, len(lines)
}

// fileHeader counts the lines before the first hunk that only name files.
func fileHeader(lines []string) int {
	if len(lines) >= 2 && strings.HasPrefix(lines[0], "--- ") && strings.HasPrefix(lines[1], "+++ ") {
		return 2
	}
	return 0
}

func (p *page) diffLine(line string) string {
	switch {
	case strings.HasPrefix(line, "+"):
		return p.palette.green(line)
	case strings.HasPrefix(line, "-"):
		return p.palette.red(line)
	case strings.HasPrefix(line, "@@"):
		return p.palette.cyan(line)
	}
	return line
}

func (p *page) planSummary(s engine.Summary) string {
	if s.New+s.Changed+s.Pushed+s.Signed+s.Attested+s.Tagged+s.Failed == 0 {
		return p.palette.bold(fmt.Sprintf("Plan: nothing to do, %d unchanged.", s.Unchanged))
	}
	text := fmt.Sprintf("Plan: %d new, %d changed, %d unchanged, %d to sign", s.New, s.Changed, s.Unchanged, s.Signed)
	if s.Attested > s.Signed {
		text += fmt.Sprintf(", %d to attest", s.Attested)
	}
	if s.Failed > 0 {
		text += fmt.Sprintf(", %d failed", s.Failed)
	}
	return p.palette.bold(fmt.Sprintf("%s; %s to move.", text, plural(s.Tagged, "tag")))
}
