package changes

import (
	"fmt"
	"strings"
	"unicode"

	"github.com/aymanbagabas/go-udiff"
)

// Bounds of what is written. They keep a report readable, and the time for huge objects within a second.
const (
	maxNormalised = 2 << 20 // bytes of YAML written anew in one comparison; further objects are compared as they are
	maxDiffLines  = 400     // lines of one diff
	maxDiffInput  = 4000    // lines, of either text, that go into a diff once equal beginnings and ends are cut off
	maxLineLength = 400     // bytes of one line
	contextLines  = 3
)

// writer makes the diffs of one comparison.
type writer struct {
	comparer Comparer
	budget   int // bytes that may still be normalised
}

// object describes one change.
func (w *writer) object(c change) Object {
	e := c.any()
	return Object{
		Op: c.op(), APIVersion: e.apiVersion, Kind: e.kind, Namespace: e.namespace, Name: e.name,
		Diff: w.diff(c),
	}
}

// diff returns the diff of an object, or the reason why there is none.
func (w *writer) diff(c change) string {
	cost, rawShown, large := 0, true, false
	for _, e := range []*entry{c.before, c.after} {
		switch {
		case e == nil:
			continue
		case e.hide != "":
			return remark("not shown: " + e.hide)
		case e.node == nil:
			large = true
			continue
		}
		size := weight(e.node)
		cost += size
		large = large || size > largeObject
		rawShown = rawShown && e.raw != "" && !holdsSecret(e.node) && !secretText.MatchString(e.raw)
	}
	if large || cost > w.budget {
		if !rawShown {
			return remark("not shown: too large")
		}
		return unified(rawText(c.before), rawText(c.after))
	}
	w.budget -= cost
	before, err1 := w.normalise(c.before)
	after, err2 := w.normalise(c.after)
	if err1 != nil || err2 != nil {
		return remark("not shown: cannot be written as YAML")
	}
	if before == after {
		return remark("not shown: the difference is in what is masked, or in how it is encoded")
	}
	return unified(before, after)
}

// normalise writes an object in one style, without comments, with its secrets masked. It changes e's node.
func (w *writer) normalise(e *entry) (string, error) {
	if e == nil {
		return "", nil
	}
	w.comparer.maskObject(e.node)
	plain(e.node)
	return encode(e.node)
}

func rawText(e *entry) string {
	if e == nil {
		return ""
	}
	return e.raw
}

// remark is a line about a diff.
func remark(text string) string { return "… " + text + "\n" }

// unified returns the unified diff of two texts, bounded in input and output.
func unified(before, after string) string {
	b, a := lines(before), lines(after)
	skip, end := 0, 0
	for skip < min(len(b), len(a)) && b[skip] == a[skip] {
		skip++
	}
	for end < min(len(b), len(a))-skip && b[len(b)-1-end] == a[len(a)-1-end] {
		end++
	}
	skip, end = max(skip-contextLines, 0), max(end-contextLines, 0)
	b, a = b[skip:len(b)-end], a[skip:len(a)-end]
	more := max(len(b)-maxDiffInput, 0) + max(len(a)-maxDiffInput, 0)
	old := strings.Join(b[:min(len(b), maxDiffInput)], "")
	d, err := udiff.ToUnifiedDiff("", "", old, udiff.Lines(old, strings.Join(a[:min(len(a), maxDiffInput)], "")), contextLines)
	if err != nil {
		return remark("not shown: " + err.Error())
	}
	if len(d.Hunks) == 0 {
		return remark("not shown: only the line ends differ")
	}
	return printHunks(d, skip, more)
}

// lines cuts a text into lines that all end with a line feed.
func lines(text string) []string {
	if text == "" {
		return nil
	}
	if !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	all := strings.SplitAfter(text, "\n")
	return all[:len(all)-1]
}

// printHunks writes a diff whose first skip lines were cut off, and which lacks more lines at its end.
func printHunks(d udiff.UnifiedDiff, skip, more int) string {
	var out strings.Builder
	printed := 0
	for _, h := range d.Hunks {
		if printed >= maxDiffLines {
			more += len(h.Lines)
			continue
		}
		out.WriteString(hunkHeader(h, skip))
		for _, l := range h.Lines {
			if printed >= maxDiffLines {
				more++
				continue
			}
			out.WriteByte(prefix(l.Kind))
			out.WriteString(printable(strings.TrimSuffix(l.Content, "\n")))
			out.WriteByte('\n')
			printed++
		}
	}
	if more > 0 {
		out.WriteString(remark(fmt.Sprintf("%d more lines", more)))
	}
	return out.String()
}

// hunkHeader writes the "@@ -1,2 +1,3 @@" line of a hunk.
func hunkHeader(h *udiff.Hunk, skip int) string {
	from, to := 0, 0
	for _, l := range h.Lines {
		if l.Kind != udiff.Insert {
			from++
		}
		if l.Kind != udiff.Delete {
			to++
		}
	}
	return fmt.Sprintf("@@ -%s +%s @@\n", span(h.FromLine+skip, from), span(h.ToLine+skip, to))
}

// span writes a range of lines as diff does: an empty one is named by the line before it.
func span(start, count int) string {
	switch count {
	case 0:
		return fmt.Sprintf("%d,0", start-1)
	case 1:
		return fmt.Sprint(start)
	default:
		return fmt.Sprintf("%d,%d", start, count)
	}
}

func prefix(kind udiff.OpKind) byte {
	switch kind {
	case udiff.Delete:
		return '-'
	case udiff.Insert:
		return '+'
	default:
		return ' '
	}
}

// printable bounds a line and escapes what could command a terminal or turn the direction of text.
func printable(line string) string {
	var out strings.Builder
	for i, r := range line {
		if i >= maxLineLength {
			fmt.Fprintf(&out, "… (%d more bytes)", len(line)-i)
			break
		}
		if r == '\t' || unicode.IsPrint(r) {
			out.WriteRune(r)
		} else {
			fmt.Fprintf(&out, `\u%04x`, r)
		}
	}
	return out.String()
}
