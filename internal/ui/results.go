package ui

import (
	"io"

	"github.com/artifactctl/artifactctl/internal/engine"
)

// defaultDiffLines is how much of its diffs an app shows unless told otherwise.
const defaultDiffLines = 400

// Output says how a result is printed.
type Output struct {
	Format    Format // Text when empty
	Generator Generator
	Shard     *Shard // of a publish: the part of the fleet that it was
	NoDiff    bool   // Text: list the objects that differ, without their diffs
	DiffLines int    // Text: lines of diff an app; 0 means 400, less than 0 means all
}

// Plan ends the status display and prints what a publish would do. On a runner of GitHub Actions the failures and
// warnings become annotations too.
func (u *UI) Plan(r *engine.Report, o Output) error {
	u.Close()
	p := u.page(o)
	return u.print(r, o, KindPlan, func() { p.plan(r) }, p)
}

// Publish is Plan for what a publish did.
func (u *UI) Publish(r *engine.Report, o Output) error {
	u.Close()
	p := u.page(o)
	return u.print(r, o, KindPublish, func() { p.publish(r) }, p)
}

func (u *UI) print(r *engine.Report, o Output, kind Kind, text func(), p *page) error {
	u.annotate(r)
	if o.Format == JSON || o.Format == YAML {
		e := NewEnvelope(kind, o.Generator, r)
		if kind == KindPublish {
			e.DurationMs, e.Shard = u.now().Sub(u.begun).Milliseconds(), o.Shard
			for i, a := range e.Apps {
				e.Apps[i].DurationMs = u.watch.of(a.App)
			}
		}
		return Encode(u.stdout, o.Format, e)
	}
	text()
	return u.write(p)
}

// document prints a result: as its envelope, or as text.
func (u *UI) document(o Output, envelope any, text func(*page)) error {
	if o.Format == JSON || o.Format == YAML {
		return Encode(u.stdout, o.Format, envelope)
	}
	p := u.page(o)
	text(p)
	return u.write(p)
}

// write puts a page out, so that no line of it is a command to the CI system.
func (u *UI) write(p *page) error {
	out := p.b.String()
	if u.github {
		out = defuse(out)
	}
	_, err := io.WriteString(u.stdout, out)
	return err
}

func (u *UI) page(o Output) *page {
	if o.DiffLines == 0 {
		o.DiffLines = defaultDiffLines
	}
	return &page{palette: u.palette, out: o, took: u.now().Sub(u.begun), hide: u.hide}
}
