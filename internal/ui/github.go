package ui

import (
	"fmt"
	"io"
	"strings"

	"github.com/artifactctl/artifactctl/internal/engine"
	"github.com/artifactctl/artifactctl/internal/finding"
)

// maxAnnotations is how many of each level a runner shows for a step.
const maxAnnotations = 10

// annotate writes failures and warnings as workflow commands, so that they stand on the page of the run. They go to
// stderr, which runners read as well; stdout stays the result alone.
func (u *UI) annotate(r *engine.Report) {
	if !u.github || u.mode == ModeJSON {
		return
	}
	var errors, warnings []string
	for _, a := range r.Apps {
		refusals, notes := gateCommands(a, u.hide)
		errors, warnings = append(errors, refusals...), append(warnings, notes...)
		if f := a.Failure; f != nil && !interrupted(f.Err) && len(refusals) == 0 {
			text := clip(u.hide(f.Message), 3000)
			for _, h := range Hints(f.Err) {
				text += "\nhint: " + h
			}
			errors = append(errors, command("error", a.App+": "+string(f.Stage), text))
		}
		for _, w := range a.Warnings {
			warnings = append(warnings, command("warning", a.App, u.hide(w)))
		}
	}
	for _, c := range append(bounded(errors, "error"), bounded(warnings, "warning")...) {
		_, _ = io.WriteString(u.stderr, c)
	}
}

// gateCommands are the findings of gates about an app.
func gateCommands(a engine.AppReport, hide func(string) string) (errors, warnings []string) {
	for _, g := range a.Gates {
		for _, f := range g.Findings {
			if f.Severity == finding.Error {
				errors = append(errors, gateCommand(f, hide))
			} else {
				warnings = append(warnings, gateCommand(f, hide))
			}
		}
	}
	return errors, warnings
}

// gateCommand is a finding, at its place in the repository.
func gateCommand(f finding.Finding, hide func(string) string) string {
	level := "warning"
	if f.Severity == finding.Error {
		level = "error"
	}
	title := f.Title(": ")
	if f.App != "" {
		title = f.App + ": " + title
	}
	var place []string
	if f.Source != "" {
		place = append(place, "file="+property(f.Source))
		if f.SourceLine > 0 {
			place = append(place, fmt.Sprintf("line=%d", f.SourceLine))
		}
	}
	return command(level, title, hide(f.Summary()), place...)
}

// bounded keeps what a runner would show, and says how much there is besides.
func bounded(commands []string, level string) []string {
	if len(commands) <= maxAnnotations {
		return commands
	}
	rest := len(commands) - maxAnnotations + 1
	return append(commands[:maxAnnotations-1], command(level, "artifactctl", fmt.Sprintf("… and %d more", rest)))
}

// command is a workflow command, escaped as the runner's own toolkit does (actions/toolkit, core/src/command.ts). Properties
// besides the title are escaped already.
func command(level, title, text string, properties ...string) string {
	data := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	properties = append(properties, "title="+property(title))
	return fmt.Sprintf("::%s %s::%s\n", level, strings.Join(properties, ","), data.Replace(Clean(clip(text, 4000))))
}

func property(text string) string {
	return strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C").Replace(cleanLine(text))
}

// clip shortens text to at most n bytes and an ellipsis, between words where it has any: half a word may be half a
// secret, which nothing would blank any more.
func clip(text string, n int) string {
	if len(text) <= n {
		return text
	}
	text = text[:n]
	if i := strings.LastIndexAny(text, " \n\t"); i > 0 {
		text = text[:i]
	}
	return strings.ToValidUTF8(text, "") + " …"
}
