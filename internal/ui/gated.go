package ui

import (
	"fmt"
	"strings"

	"github.com/artifactctl/artifactctl/internal/engine"
	"github.com/artifactctl/artifactctl/internal/finding"
)

// GatesURL names the schema of GatesEnvelope.
const GatesURL = "https://artifactctl.dev/schema/gates.v1.schema.json"

// KindGates is the document that gate prints.
const KindGates Kind = "Gates"

// GatesEnvelope is what gates said about the fleet, as programs read it, apps in the order of publish.yaml.
type GatesEnvelope struct {
	Schema     string       `json:"$schema" jsonschema:"format=uri"`
	APIVersion string       `json:"apiVersion" jsonschema:"enum=artifactctl.dev/v1"`
	Kind       Kind         `json:"kind" jsonschema:"enum=Gates"`
	Generator  Generator    `json:"generator"`
	Passed     int          `json:"passed"`  // apps that may be published
	Refused    int          `json:"refused"` // apps that a gate refuses, or could not judge
	Failed     int          `json:"failed"`  // apps that could not be rendered
	Apps       []GateResult `json:"apps"`
}

// GateResult is what gates said about one app.
type GateResult struct {
	engine.GatedApp
	// Failure is why the app may not be published, with advice where there is any.
	Failure *FailureResult `json:"failure,omitempty"`
}

// NewGatesEnvelope returns the document of what gates said.
func NewGatesEnvelope(g Generator, r *engine.Gated) GatesEnvelope {
	e := GatesEnvelope{
		Schema: GatesURL, APIVersion: APIVersion, Kind: KindGates, Generator: g,
		Passed: r.Passed, Refused: r.Refused, Failed: r.Failed, Apps: make([]GateResult, len(r.Apps)),
	}
	for i, a := range r.Apps {
		e.Apps[i] = GateResult{GatedApp: a, Failure: failureResult(a.Failure)}
	}
	return e
}

// Gates ends the status display and prints what gates said.
func (u *UI) Gates(r *engine.Gated, o Output) error {
	u.Close()
	switch o.Format {
	case JUnit, SARIF, GitHub:
		content, err := Findings(r.Report, o.Format, o.Generator, u.hide)
		if err == nil {
			_, err = u.stdout.Write(content)
		}
		return err
	}
	u.annotate(&engine.Report{Apps: gatedApps(r)})
	return u.document(o, NewGatesEnvelope(o.Generator, r), func(p *page) { p.gates(r) })
}

// Findings writes down what gates said in one of the formats JUnit, SARIF and GitHub, with secrets blanked by hide.
func Findings(r *finding.Report, f Format, g Generator, hide func(string) string) ([]byte, error) {
	if r == nil {
		r = &finding.Report{}
	}
	var content []byte
	var err error
	switch f {
	case JUnit:
		content, err = finding.JUnit(r)
	case SARIF:
		content, err = finding.SARIF(r, g.Version)
	case GitHub:
		var b strings.Builder
		for _, f := range r.Findings() {
			b.WriteString(gateCommand(f, hide))
		}
		return []byte(b.String()), nil
	default:
		err = fmt.Errorf("findings cannot be written as %q", f)
	}
	return []byte(hide(string(content))), err
}

func gatedApps(r *engine.Gated) []engine.AppReport {
	apps := make([]engine.AppReport, len(r.Apps))
	for i, a := range r.Apps {
		apps[i] = engine.AppReport{App: a.App, Gates: a.Gates, Warnings: a.Warnings, Failure: a.Failure}
	}
	return apps
}

func (p *page) gates(r *engine.Gated) {
	apps := gatedApps(r)
	for _, a := range apps {
		p.names = max(p.names, min(width(cleanLine(a.App)), maxName))
	}
	for _, a := range apps {
		if a.Failure != nil {
			if !interrupted(a.Failure.Err) {
				p.failed(a)
				p.warnings(a)
			}
			continue
		}
		p.app(a, "✓", "passed", p.palette.green, gateNames(a.Gates))
		p.warnings(a)
	}
	if len(apps) > 0 {
		p.line(0)
	}
	p.failures(&engine.Report{Apps: apps})
	p.line(0, p.palette.bold(fmt.Sprintf("Gates: %d passed, %d refused, %d failed", r.Passed, r.Refused, r.Failed)))
}

// gateNames lists gates, and how many of them did not have to be run.
func gateNames(gates []engine.GateOutcome) string {
	var names []string
	cached := 0
	for _, g := range gates {
		names = append(names, cleanLine(g.Gate))
		if g.Cached {
			cached++
		}
	}
	text := strings.Join(names, ", ")
	if cached > 0 {
		text += fmt.Sprintf(" (%d of %d known)", cached, len(gates))
	}
	return text
}
