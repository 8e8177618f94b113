package audit

import (
	"fmt"
	"strings"
)

// Text returns the report for a terminal: findings by file and line, then what was counted.
func (r *Report) Text() string {
	var b strings.Builder
	for _, f := range r.Findings {
		fmt.Fprintf(&b, "%s:%d: %s: %s: %s [%s]\n    %s\n    fix: %s\n", f.File, f.Line, f.Severity, f.Object, f.Message, f.Rule, f.Why, f.Fix)
		if f.Block != "" {
			b.WriteString(indent(f.Block, "      "))
		}
	}
	for _, a := range r.Accepted {
		fmt.Fprintf(&b, "%s:%d: accepted: %s: %s [%s]: %s\n", a.File, a.Line, a.Object, a.Message, a.Rule, a.Reason)
	}
	for _, u := range r.Unused {
		fmt.Fprintf(&b, "baseline:%d: %s\n", u.Line, u.describe())
	}
	if b.Len() > 0 {
		b.WriteByte('\n')
	}
	b.WriteString(r.summary() + "\n")
	return b.String()
}

func (u Unused) describe() string {
	if u.Expired {
		return fmt.Sprintf("the exception of %s for %s ended on %s", u.Rule, u.Object, u.Until)
	}
	return fmt.Sprintf("the exception of %s for %s accepts nothing: remove it", u.Rule, u.Object)
}

func (r *Report) summary() string {
	return fmt.Sprintf("%d sources: %d by key, %d keyless, %d misconfigured, %d not verified, %d verified elsewhere; findings: %d errors, %d warnings, %d notes, %d accepted",
		len(r.Sources), r.InState(Key), r.InState(Keyless), r.InState(Misconfigured), r.InState(None), r.InState(Delegated),
		r.Count(Error), r.Count(Warning), r.Count(Info), len(r.Accepted))
}

// Markdown returns the report for a pull request: a table of the sources, and the findings with what to paste.
func (r *Report) Markdown() string {
	var b strings.Builder
	b.WriteString("### Flux sources\n\n" + r.summary() + ".\n\n")
	if len(r.Sources) > 0 {
		b.WriteString("| source | URL | verification | by |\n|---|---|---|---|\n")
		for _, s := range r.Sources {
			fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", cell(s.ID()), cell(s.URL), cell(string(s.State)), cell(s.By))
		}
	}
	for _, f := range r.Findings {
		fmt.Fprintf(&b, "\n**%s** `%s` %s: %s (%s)  \n%s  \nFix: %s.\n", f.Severity, f.Rule, span(f.Object), plain(f.Message), span(fmt.Sprintf("%s:%d", f.File, f.Line)), f.Why, plain(f.Fix))
		if f.Block != "" {
			b.WriteString("\n```yaml\n" + f.Block + "```\n")
		}
	}
	if len(r.Accepted) > 0 {
		b.WriteString("\n#### Accepted\n\n")
		for _, a := range r.Accepted {
			fmt.Fprintf(&b, "- `%s` %s: %s\n", a.Rule, span(a.Object), plain(a.Reason))
		}
	}
	if len(r.Unused) > 0 {
		b.WriteString("\n#### Baseline\n\n")
		for _, u := range r.Unused {
			fmt.Fprintf(&b, "- line %d: %s\n", u.Line, plain(u.describe()))
		}
	}
	return b.String()
}

// span shows a text of the audited files as code, whatever it holds.
func span(text string) string {
	return "`" + strings.NewReplacer("`", "'", "\n", " ", "\r", " ").Replace(text) + "`"
}

// cell is a span inside a table.
func cell(text string) string {
	if text == "" {
		return ""
	}
	return strings.ReplaceAll(span(text), "|", `\|`)
}

// plain keeps a text from being markup.
func plain(text string) string {
	return strings.NewReplacer("\n", " ", "\r", " ", "`", "'", "<", "&lt;", "*", `\*`, "_", `\_`, "[", `\[`, "|", `\|`).Replace(text)
}

func indent(text, by string) string {
	return by + strings.ReplaceAll(strings.TrimSuffix(text, "\n"), "\n", "\n"+by) + "\n"
}
