package ui

import (
	"fmt"
	"html"
	"strings"

	"github.com/artifactctl/artifactctl/internal/engine"
)

// Limits of what GitHub takes, in bytes.
const (
	SummaryLimit = 1 << 20 // of a step's summary
	CommentLimit = 65_536  // of a comment on a pull request
)

// Markdown returns a report for a CI job's summary page or a pull request's comment, at most limit bytes long. The
// sums and the failures come first, then the apps, then the diffs, collapsed; sections that do not fit are left out,
// and said to be. What comes from outside stands in code spans and blocks, where it cannot link or mention anybody.
// Secrets are blanked, those in texts that it cuts included.
func (u *UI) Markdown(kind Kind, r *engine.Report, limit int) []byte {
	return markdownOf(kind, r, limit, u.hide)
}

func markdownOf(kind Kind, r *engine.Report, limit int, hide func(string) string) []byte {
	m := &markdown{hide: hide, left: limit - 200} // room for the remark that something was left out
	m.add(fmt.Sprintf("## artifactctl %s\n\n%s\n\n", strings.ToLower(string(kind)), sums(kind, r.Summary)))
	m.failures(r)
	m.apps(kind, r)
	m.images(r)
	m.changes(r)
	if m.dropped > 0 {
		fmt.Fprintf(&m.b, "\n_%s left out: too long for this page._\n", plural(m.dropped, "section"))
	}
	return []byte(m.b.String())
}

type markdown struct {
	b       strings.Builder
	hide    func(string) string
	left    int
	dropped int
}

// add appends a section if there is room for all of it.
func (m *markdown) add(section string) bool {
	section = m.hide(section)
	if len(section) > m.left {
		m.dropped++
		return false
	}
	m.left -= len(section)
	m.b.WriteString(section)
	return true
}

func sums(kind Kind, s engine.Summary) string {
	if kind == KindPlan {
		return fmt.Sprintf("%d new, %d changed, %d unchanged, %d to sign, %d failed; %s to move.",
			s.New, s.Changed, s.Unchanged, s.Signed, s.Failed, plural(s.Tagged, "tag"))
	}
	return fmt.Sprintf("%d published, %d unchanged, %d healed, %d failed; %s moved.",
		s.Pushed, s.Unchanged, s.Healed, s.Failed, plural(s.Tagged, "tag"))
}

func (m *markdown) failures(r *engine.Report) {
	stopped := 0
	for _, a := range r.Apps {
		f := a.Failure
		switch {
		case f == nil:
			continue
		case interrupted(f.Err):
			stopped++
			continue
		}
		var b strings.Builder
		fmt.Fprintf(&b, "❌ **%s** failed at %s\n\n%s", code(a.App), code(string(f.Stage)), fence("", Clean(clip(m.hide(f.Message), 4000))))
		for _, h := range Hints(f.Err) {
			fmt.Fprintf(&b, "- hint: %s\n", code(h))
		}
		m.add(b.String() + "\n")
	}
	if stopped > 0 {
		m.add(fmt.Sprintf("❌ %s not finished: the run was interrupted\n\n", plural(stopped, "app")))
	}
}

// apps is the table of all apps with something done or to tell.
func (m *markdown) apps(kind Kind, r *engine.Report) {
	const head = "| | App | | Artifact | Tags |\n|---|---|---|---|---|\n"
	begun := false
	for _, a := range r.Apps {
		quiet := nothingDone
		if kind == KindPlan {
			quiet = nothingToTell
		}
		if a.Failure == nil && quiet(a) || a.Failure != nil && interrupted(a.Failure.Err) {
			continue
		}
		if !begun {
			if !m.add(head) {
				return
			}
			begun = true
		}
		m.add(tableRow(kind, a))
	}
	if begun {
		m.add("\n")
	}
}

func tableRow(kind Kind, a engine.AppReport) string {
	mark, word, detail := "✅", outcome(a), reached(a)
	if kind == KindPlan {
		mark, word, detail = "🔹", string(a.Change), a.Repository+" "+digests(a)
	}
	if a.Failure != nil {
		mark, word, detail = "❌", "failed", a.Repository
	}
	tags := tagNames(a, engine.TagMove, engine.TagMoved)
	for i, t := range tags {
		tags[i] = code(t)
	}
	notes := ""
	for i, w := range a.Warnings[:min(len(a.Warnings), maxWarnings)] {
		notes += fmt.Sprintf("<br>⚠️ %s", cell(code(w)))
		if i == maxWarnings-1 {
			notes += "<br>…"
		}
	}
	if n := len(remarks(a)); n > 0 {
		notes += fmt.Sprintf("<br>⚠️ %s of gates", plural(n, "warning"))
	}
	return fmt.Sprintf("| %s | %s%s | %s | %s | %s |\n", mark, cell(code(a.App)), notes, word, cell(code(detail)), cell(strings.Join(tags, " ")))
}

// changes adds the diffs of each app, collapsed.
func (m *markdown) changes(r *engine.Report) {
	for _, a := range r.Apps {
		if len(a.Objects) == 0 {
			continue
		}
		p := &page{out: Output{DiffLines: defaultDiffLines}, hide: m.hide}
		p.objects(a)
		m.add(fmt.Sprintf("<details><summary><code>%s</code>: %s</summary>\n\n%s\n</details>\n\n",
			html.EscapeString(cleanLine(a.App)), plural(len(a.Objects), "changed object"), fence("diff", outdent(p.b.String()))))
	}
}

// outdent puts the diff lines of a page at the beginning of the line, where a renderer colours them, and turns the
// titles of objects into comments between them.
func outdent(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if diff, ok := strings.CutPrefix(line, strings.Repeat(" ", 8)); ok {
			b.WriteString(diff)
			continue
		}
		b.WriteString("# " + strings.TrimLeft(line, " "))
	}
	return b.String()
}

// code is text in a code span, whatever it holds.
func code(text string) string {
	text = cleanLine(text)
	ticks := strings.Repeat("`", longestRun(text)+1)
	if strings.HasPrefix(text, "`") || strings.HasSuffix(text, "`") {
		text = " " + text + " "
	}
	return ticks + text + ticks
}

// fence is text in a code block, whatever it holds.
func fence(language, text string) string {
	ticks := strings.Repeat("`", max(3, longestRun(text)+1))
	return ticks + language + "\n" + strings.TrimRight(text, "\n") + "\n" + ticks + "\n"
}

func longestRun(text string) int {
	longest, run := 0, 0
	for _, r := range text {
		if run++; r != '`' {
			run = 0
		}
		longest = max(longest, run)
	}
	return longest
}

// cell makes text fit between two bars of a table: there a bar needs its backslash even in a code span.
func cell(text string) string { return strings.ReplaceAll(text, "|", `\|`) }
