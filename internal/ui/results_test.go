package ui

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/artifactctl/artifactctl/internal/changes"
	"github.com/artifactctl/artifactctl/internal/engine"
)

func TestResults(t *testing.T) {
	idle := &engine.Report{Source: source(), Apps: planReport().Apps[2:3], Summary: engine.Summary{Apps: 1, Unchanged: 1}}
	tests := []struct {
		golden string
		kind   Kind
		report *engine.Report
		out    Output
		color  Color
	}{
		{"plan.txt", KindPlan, planReport(), Output{}, ColorAuto},
		{"plan-color.txt", KindPlan, planReport(), Output{}, ColorAlways},
		{"plan-nodiff.txt", KindPlan, planReport(), Output{NoDiff: true}, ColorAuto},
		{"plan-cut.txt", KindPlan, planReport(), Output{DiffLines: 4}, ColorAuto},
		{"plan-idle.txt", KindPlan, idle, Output{}, ColorAuto},
		{"plan.json", KindPlan, planReport(), Output{Format: JSON, Generator: generator()}, ColorAlways},
		{"plan.yaml", KindPlan, planReport(), Output{Format: YAML, Generator: generator()}, ColorAlways},
		{"publish.txt", KindPublish, publishReport(), Output{}, ColorAuto},
		{"publish-color.txt", KindPublish, publishReport(), Output{}, ColorAlways},
		{"publish-idle.txt", KindPublish, idle, Output{}, ColorAuto},
		{"publish.json", KindPublish, publishReport(), Output{Format: JSON, Generator: generator()}, ColorAuto},
		{"publish.yaml", KindPublish, publishReport(), Output{Format: YAML, Generator: generator()}, ColorAuto},
	}
	for _, tt := range tests {
		t.Run(tt.golden, func(t *testing.T) {
			var s streams
			o := s.options(nil)
			o.Mode, o.Color = ModeNone, tt.color
			show(t, New(o), tt.kind, tt.report, tt.out)
			golden(t, tt.golden, s.out.String())
			if s.err.Len() > 0 {
				t.Errorf("stderr has %q: results belong to stdout", s.err.String())
			}
		})
	}
}

func show(t *testing.T, u *UI, kind Kind, r *engine.Report, o Output) {
	t.Helper()
	print := u.Plan
	if kind == KindPublish {
		print = u.Publish
	}
	if err := print(r, o); err != nil {
		t.Fatal(err)
	}
}

func TestMarkdown(t *testing.T) {
	golden(t, "plan.md", string(unhidden(KindPlan, planReport(), SummaryLimit)))
	golden(t, "publish.md", string(unhidden(KindPublish, publishReport(), SummaryLimit)))
}

// Where there is no room for all of it, the page says so, and no code block stays open.
func TestMarkdownKeepsItsLimit(t *testing.T) {
	r := planReport()
	for i := range 120 {
		r.Apps = append(r.Apps, engine.AppReport{App: fmt.Sprintf("app-%d", i), Change: engine.New, Pushed: true,
			Objects: []changes.Object{{Op: changes.Added, Kind: "ConfigMap", Name: "x", Diff: strings.Repeat("+ ``` @somebody\n", 50)}}})
	}
	whole := unhidden(KindPlan, r, SummaryLimit)
	for _, limit := range []int{500, 3000, CommentLimit, len(whole) - 1} {
		got := string(unhidden(KindPlan, r, limit))
		if len(got) > limit {
			t.Errorf("limit %d: %d bytes", limit, len(got))
		}
		if !strings.Contains(got, "left out") {
			t.Errorf("limit %d: nothing says that something is missing", limit)
		}
		if open, closed := strings.Count(got, "<details>"), strings.Count(got, "</details>"); open != closed {
			t.Errorf("limit %d: %d details opened, %d closed", limit, open, closed)
		}
	}
	if strings.Contains(string(whole), "left out") {
		t.Error("the whole page says that something is missing")
	}
	if !strings.Contains(string(whole), "````diff\n") {
		t.Error("a diff that holds a fence needs a longer one")
	}
}

func TestGitHub(t *testing.T) {
	r := planReport()
	r.Apps[0].Objects[0].Diff = "@@ -1 +1 @@\n ::set-env name=PATH::/evil\n+##[add-path]/evil\n"
	r.Apps[0].Warnings = []string{"50% off, a\nsecond line ::error::"}
	var s streams
	show(t, New(s.options(map[string]string{"GITHUB_ACTIONS": "true", "CI": "true"})), KindPlan, r, Output{})
	golden(t, "github-stdout.txt", s.out.String())
	golden(t, "github-stderr.txt", s.err.String())
}

func TestGitHubAnnotationsAreBounded(t *testing.T) {
	r := &engine.Report{}
	for i := range 100 {
		r.Apps = append(r.Apps, engine.AppReport{App: fmt.Sprint("app-", i), Warnings: []string{"w"},
			Failure: &engine.Failure{Stage: engine.StagePush, Message: strings.Repeat("x", 1<<16)}})
	}
	var s streams
	show(t, New(s.options(map[string]string{"GITHUB_ACTIONS": "true"})), KindPlan, r, Output{Format: JSON})
	if n := strings.Count(s.err.String(), "::error "); n != maxAnnotations {
		t.Errorf("%d errors, want %d", n, maxAnnotations)
	}
	if !strings.Contains(s.err.String(), "… and 91 more") || s.err.Len() > 100_000 {
		t.Errorf("%d bytes, or no word of what is missing", s.err.Len())
	}
}

// Text output is bounded however much a report holds; the machine formats have everything.
func TestTextIsBounded(t *testing.T) {
	a := engine.AppReport{App: strings.Repeat("n", 5000), Repository: "r", Change: engine.Changed, Pushed: true}
	for range 600 {
		a.Warnings = append(a.Warnings, strings.Repeat("w", 5000))
		a.Objects = append(a.Objects, changes.Object{Op: changes.Changed, Kind: "K", Name: strings.Repeat("o", 5000),
			Diff: strings.Repeat("+"+strings.Repeat("d", 5000)+"\n", 10)})
	}
	b := engine.AppReport{App: "b", Failure: &engine.Failure{Stage: "push", Message: strings.Repeat(strings.Repeat("m", 5000)+"\n", 100)}}
	r := &engine.Report{Apps: []engine.AppReport{a, b}}
	for _, kind := range []Kind{KindPlan, KindPublish} {
		var s streams
		show(t, New(s.options(nil)), kind, r, Output{})
		if s.out.Len() > 2<<20 {
			t.Errorf("%s: %d bytes", kind, s.out.Len())
		}
		if !strings.Contains(s.out.String(), "more warnings") || !strings.Contains(s.out.String(), "more lines") {
			t.Errorf("%s: nothing says what is missing", kind)
		}
	}
}

func TestYAMLIsTheSameData(t *testing.T) {
	texts := []string{"true", "null", "~", "1.5", "2026-11-20", "a: b", "- x", "", " lead", "trail ", "two\nlines\n", "\n\n",
		"tab\there", "  indented\nblock", "x\n  \ny", "#", "::error::x\ny", "\u202eevil", "\u009b31m", "\x1b[31m", "\x7f", "\U000e0041", "ü✓😀", "\u2028", "\ufeffbom"}
	r := &engine.Report{Apps: []engine.AppReport{{App: "a", Warnings: texts}}}
	var asJSON, asYAML bytes.Buffer
	e := NewEnvelope(KindPlan, generator(), r)
	if err := errors.Join(Encode(&asJSON, JSON, e), Encode(&asYAML, YAML, e)); err != nil {
		t.Fatal(err)
	}
	var fromJSON, fromYAML any
	if err := errors.Join(json.Unmarshal(asJSON.Bytes(), &fromJSON), yaml.Unmarshal(asYAML.Bytes(), &fromYAML)); err != nil {
		t.Fatal(err)
	}
	normal, err := json.Marshal(fromYAML)
	if err != nil {
		t.Fatal(err)
	}
	var again any
	if err := json.Unmarshal(normal, &again); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(fromJSON, again) {
		t.Errorf("JSON %v\nYAML %v\n%s", fromJSON, again, asYAML.String())
	}
}

func TestEncodeReportsErrors(t *testing.T) {
	if err := Encode(&bytes.Buffer{}, YAML, func() {}); err == nil {
		t.Error("no error for what cannot be encoded")
	}
	if _, err := ParseFormat("xml"); err == nil {
		t.Error("no error for an unknown format")
	}
	for _, f := range []Format{Text, JSON, YAML} {
		if got, err := ParseFormat(string(f)); got != f || err != nil {
			t.Errorf("ParseFormat(%q) = %q, %v", f, got, err)
		}
	}
}

type full struct{}

var errFull = errors.New("no space left on device")

func (full) Write([]byte) (int, error) { return 0, errFull }

func TestAResultThatCannotBeWrittenIsAnError(t *testing.T) {
	for _, f := range []Format{Text, JSON, YAML} {
		var s streams
		o := s.options(nil)
		o.Stdout = full{}
		if err := New(o).Plan(planReport(), Output{Format: f}); !errors.Is(err, errFull) {
			t.Errorf("%s: got %v", f, err)
		}
	}
}
