package ui

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/artifactctl/artifactctl/internal/engine"
)

// StatusURL names the schema of StatusEnvelope.
const StatusURL = "https://artifactctl.dev/schema/status.v1.schema.json"

// KindStatus is the document that status prints.
const KindStatus Kind = "Status"

// StatusEnvelope is how the fleet stands, as programs read it, apps in the order of publish.yaml.
type StatusEnvelope struct {
	Schema     string                  `json:"$schema" jsonschema:"format=uri"`
	APIVersion string                  `json:"apiVersion" jsonschema:"enum=artifactctl.dev/v1"`
	Kind       Kind                    `json:"kind" jsonschema:"enum=Status"`
	Generator  Generator               `json:"generator"`
	Signed     int                     `json:"signed"`  // apps with a good signature
	Drifted    int                     `json:"drifted"` // apps whose tag does not name what the working tree renders to
	Failed     int                     `json:"failed"`  // apps of which something could not be found out
	Apps       []StatusResult          `json:"apps"`
	Batches    []engine.BatchSignature `json:"batches,omitempty"`
}

// StatusResult is how one app stands.
type StatusResult struct {
	engine.AppStatus
	// Failure is why something is not known, with advice where there is any.
	Failure *FailureResult `json:"failure,omitempty"`
}

// NewStatusEnvelope returns the document of a status.
func NewStatusEnvelope(g Generator, s *engine.FleetStatus) StatusEnvelope {
	e := StatusEnvelope{
		Schema: StatusURL, APIVersion: APIVersion, Kind: KindStatus, Generator: g,
		Signed: s.Signed, Drifted: s.Drifted, Failed: s.Failed, Apps: make([]StatusResult, len(s.Apps)), Batches: s.Batches,
	}
	for i, a := range s.Apps {
		e.Apps[i] = StatusResult{AppStatus: a, Failure: failureResult(a.Failure)}
	}
	return e
}

// FleetStatus ends the status display and prints a table of the fleet.
func (u *UI) FleetStatus(s *engine.FleetStatus, o Output) error {
	u.Close()
	return u.document(o, NewStatusEnvelope(o.Generator, s), func(p *page) { p.fleet(s, u.now()) })
}

func (p *page) fleet(s *engine.FleetStatus, now time.Time) {
	w := tabwriter.NewWriter(&p.b, 0, 0, 2, ' ', 0)
	fleetRow(w, "APP", "TAG", "DIGEST", "REVISION", "AGE", "STATE", "FORMATS", "TREE", "SIGNED BY")
	for _, a := range s.Apps {
		var formats []string
		for _, f := range a.Formats {
			formats = append(formats, string(f))
		}
		fleetRow(w, cut(a.App, maxName), a.Tag, short(a.Digest), revision(a.Revision), age(a.Created, now), string(a.State),
			strings.Join(formats, "+"), tree(a.Drift), a.SignedBy)
	}
	_ = w.Flush() // a builder takes everything
	covered := &engine.Verification{Batches: s.Batches}
	for _, a := range s.Apps {
		covered.Apps = append(covered.Apps, a.VerifiedApp)
	}
	p.batches(covered)
	for _, a := range s.Apps {
		if a.Failure == nil {
			continue
		}
		p.message(0, p.palette.red("✗")+" "+p.palette.bold(cleanLine(a.App))+":", staged(a.Failure.Stage, a.Failure.Message))
		for _, h := range Hints(a.Failure.Err) {
			p.message(4, p.palette.cyan("hint:"), h)
		}
	}
	p.line(0, p.palette.bold(fmt.Sprintf("Summary: %d signed of %s, %d differ from the tree, %d failed", s.Signed, plural(len(s.Apps), "app"), s.Drifted, s.Failed)))
}

// fleetRow writes one line of the table; what is not there is a dash.
func fleetRow(w io.Writer, cells ...string) {
	for i, c := range cells {
		if c = cut(cleanLine(c), maxColumns); c == "" {
			c = "-"
		}
		cells[i] = c
	}
	_, _ = fmt.Fprintln(w, strings.Join(cells, "\t"))
}

// revision is a revision as people compare it: "main@sha1:" and twelve digits.
func revision(text string) string {
	if name, commit, ok := strings.Cut(text, "@"); ok {
		return name + "@" + short(commit)
	}
	return text
}

// age is how long ago an artifact was made, in the largest unit that says enough.
func age(created string, now time.Time) string {
	t, err := time.Parse(time.RFC3339, created)
	if err != nil {
		return ""
	}
	d := now.Sub(t)
	switch {
	case d < 0:
		return "in the future"
	case d < time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh", int(d.Hours()))
	}
	return fmt.Sprintf("%dd", int(d.Hours()/24))
}

func tree(c engine.Change) string {
	switch c {
	case engine.Unchanged:
		return "same"
	case engine.Changed, engine.New:
		return string(c)
	}
	return ""
}
