package ui

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/artifactctl/artifactctl/internal/changes"
	"github.com/artifactctl/artifactctl/internal/engine"
)

// A secret that a cut would halve is blanked as a whole, wherever texts are cut.
func TestSecretsAreHiddenBeforeCutting(t *testing.T) {
	const secret = "ZQ-correct-horse-battery-staple"
	var texts []string
	for _, limit := range []int{100, maxStatusLine, maxColumns, 3000, 4000} {
		for shift := range len(secret) {
			texts = append(texts, strings.Repeat("x", limit-shift-3)+" "+secret+" "+strings.Repeat("y", 300))
		}
	}
	hide := func(text string) string { return strings.ReplaceAll(text, secret, "***") }
	for _, mode := range []Mode{ModePlain, ModeJSON} {
		var s streams
		o := s.options(map[string]string{"GITHUB_ACTIONS": "true"})
		o.Mode, o.Hide = mode, hide
		u := New(o)
		r := &engine.Report{}
		for _, text := range texts {
			err := &engine.StageError{App: "a", Stage: engine.StagePush, Err: errors.New(text)}
			u.Event(engine.Event{App: "a", Stage: engine.StagePush, Status: engine.Failed, Err: err})
			u.Event(engine.Event{App: "a", Stage: engine.StagePush, Status: engine.Done, Note: text})
			if _, err := io.WriteString(u.Log(), text); err != nil {
				t.Fatal(err)
			}
			r.Apps = append(r.Apps,
				engine.AppReport{App: "a", Failure: &engine.Failure{Stage: engine.StagePush, Message: text, Err: err}},
				engine.AppReport{App: "b", Change: engine.New, Warnings: []string{text}, Objects: []changes.Object{{Op: changes.Added, Diff: "+" + text}}})
		}
		show(t, u, KindPlan, r, Output{})
		for _, out := range []string{s.out.String(), s.err.String(), string(u.Markdown(KindPlan, r, SummaryLimit))} {
			if strings.Contains(out, secret[:2]) {
				i := strings.Index(out, secret[:2])
				t.Fatalf("%s: a piece of the secret is left: %q", mode, out[max(0, i-20):min(len(out), i+40)])
			}
			if mode == ModePlain && !strings.Contains(out, "***") {
				t.Errorf("%s: the secret was not even there to blank", mode)
			}
		}
	}
}
