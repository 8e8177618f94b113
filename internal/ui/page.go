package ui

import (
	"fmt"
	"strings"
	"time"

	"github.com/artifactctl/artifactctl/internal/engine"
	"github.com/artifactctl/artifactctl/internal/finding"
)

// Bounds of text output. Whoever wants all of it asks for JSON.
const (
	maxName         = 40   // columns of an app's name in a table
	maxColumns      = 1000 // of a line of a diff or a message
	maxMessageLines = 40
	maxWarnings     = 20  // an app
	maxObjects      = 500 // an app
)

// page is a result in text while it is written. What comes from outside goes through Clean or cleanLine on its way in.
type page struct {
	b       strings.Builder
	palette palette
	out     Output
	took    time.Duration
	hide    func(string) string
	names   int // columns of the names
}

func (p *page) line(indent int, words ...string) {
	p.b.WriteString(strings.Repeat(" ", indent))
	p.b.WriteString(strings.TrimRight(strings.Join(words, " "), " "))
	p.b.WriteByte('\n')
}

// head begins a page.
func (p *page) head(r *engine.Report) {
	for _, a := range r.Apps {
		p.names = max(p.names, min(width(cleanLine(a.App)), maxName))
	}
	if r.Source.Revision != "" {
		p.line(0, p.palette.dim(join("Source:", cleanLine(r.Source.Revision), cleanLine(r.Source.Remote))))
		p.line(0)
	}
}

// app begins the entry of an app: a mark, its name, a word for what is with it, and more.
func (p *page) app(a engine.AppReport, mark, word string, paint func(string) string, more ...string) {
	name := cut(cleanLine(a.App), p.names)
	p.line(0, append([]string{
		paint(mark), p.palette.bold(name) + strings.Repeat(" ", p.names-width(name)+1), paint(pad(word, 10)) + " ",
	}, more...)...)
}

// failed is the entry of an app that failed; the reason in full comes at the end of the page.
func (p *page) failed(a engine.AppReport) {
	p.app(a, "✗", "failed", p.palette.red, cut(staged(a.Failure.Stage, firstLine(p.hide(a.Failure.Message))), 100))
}

func (p *page) warnings(a engine.AppReport) {
	for i, w := range a.Warnings {
		if i == maxWarnings {
			p.line(4, p.palette.yellow(fmt.Sprintf("… and %s", plural(len(a.Warnings)-i, "more warning"))))
			return
		}
		p.message(4, p.palette.yellow("warning:"), w)
	}
	for i, f := range remarks(a) {
		if i == maxWarnings {
			p.line(4, p.palette.yellow("… and more that gates say; artifactctl gate shows it"))
			return
		}
		p.message(4, p.palette.yellow("gate:"), strings.TrimSpace(finding.Lines([]finding.Finding{f})))
	}
}

// remarks are what gates say about an app without refusing it. What refuses an app is in its failure.
func remarks(a engine.AppReport) []finding.Finding {
	var out []finding.Finding
	for _, g := range a.Gates {
		for _, f := range g.Findings {
			if f.Severity == finding.Warning {
				out = append(out, f)
			}
		}
	}
	return out
}

// message writes a text of perhaps many lines, bounded, later lines further in than the first.
func (p *page) message(indent int, label, text string) {
	lines := strings.Split(strings.TrimSpace(Clean(p.hide(text))), "\n")
	for i, l := range lines {
		switch i {
		case maxMessageLines:
			p.line(indent+4, fmt.Sprintf("… and %s", plural(len(lines)-i, "more line")))
			return
		case 0:
			p.line(indent, label, cut(l, maxColumns))
		default:
			p.line(indent+4, cut(l, maxColumns))
		}
	}
}

// apps writes an entry for each app that shows something, the others as a number, and then the failures in full.
func (p *page) apps(r *engine.Report, quiet func(engine.AppReport) bool, show func(engine.AppReport)) {
	unchanged, stopped := 0, 0
	for _, a := range r.Apps {
		switch {
		case a.Failure != nil && interrupted(a.Failure.Err):
			stopped++
		case a.Failure != nil:
			p.failed(a)
			p.warnings(a)
		case quiet(a):
			unchanged++
		default:
			show(a)
		}
	}
	p.rest(unchanged, stopped)
	p.failures(r)
}

// rest sums up the apps that have no entry.
func (p *page) rest(unchanged, stopped int) {
	if unchanged > 0 {
		p.line(2, p.palette.dim(plural(unchanged, "app")+" unchanged"))
	}
	if stopped > 0 {
		p.line(0, p.palette.red("✗"), plural(stopped, "app"), "not finished: the run was interrupted")
	}
	if p.b.Len() > 0 {
		p.line(0)
	}
}

// failures tells every failure in full, where nobody has to scroll for it.
func (p *page) failures(r *engine.Report) {
	any := false
	for _, a := range r.Apps {
		if a.Failure == nil || interrupted(a.Failure.Err) {
			continue
		}
		if !any {
			p.line(0, p.palette.bold("Failures:"))
			any = true
		}
		where := p.palette.red("✗") + " " + p.palette.bold(cleanLine(a.App)) + ":"
		p.message(0, where, staged(a.Failure.Stage, strings.TrimSpace(a.Failure.Message)))
		for _, h := range Hints(a.Failure.Err) {
			p.message(4, p.palette.cyan("hint:"), h)
		}
	}
	if any {
		p.line(0)
	}
}

// short is a digest as people compare it: "sha256:" and twelve digits.
func short(digest string) string {
	digest = cleanLine(digest)
	if algorithm, hex, ok := strings.Cut(digest, ":"); ok && len(hex) > 12 {
		return algorithm + ":" + hex[:12]
	}
	return digest
}

// tagNames lists the tags in one of these states.
func tagNames(a engine.AppReport, states ...engine.TagStatus) []string {
	var names []string
	for _, t := range a.Tags {
		for _, s := range states {
			if t.Status == s {
				names = append(names, cleanLine(t.Name))
			}
		}
	}
	return names
}
