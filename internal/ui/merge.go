package ui

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/artifactctl/artifactctl/internal/engine"
)

// Shard says which part of a fleet a document tells of.
type Shard struct {
	Index int `json:"index" jsonschema:"minimum=1"` // from 1
	Count int `json:"count" jsonschema:"minimum=1"`
	Fleet int `json:"fleet"` // apps of all shards together
}

func (s Shard) String() string { return fmt.Sprintf("%d/%d", s.Index, s.Count) }

// ReadReport reads a document of publish in JSON.
func ReadReport(r io.Reader) (Envelope, error) {
	var e Envelope
	if err := json.NewDecoder(r).Decode(&e); err != nil {
		return e, fmt.Errorf("no report in JSON: %w", err)
	}
	if e.APIVersion != APIVersion || e.Kind != KindPublish {
		return e, fmt.Errorf("apiVersion %q, kind %q: this is not the report of a publish", cleanLine(e.APIVersion), cleanLine(string(e.Kind)))
	}
	return e, nil
}

// Costs are what the apps of a report took, in milliseconds.
func (e Envelope) Costs() map[string]int64 {
	costs := map[string]int64{}
	for _, a := range e.Apps {
		costs[a.App] = a.DurationMs
	}
	return costs
}

// Merge joins the reports of all shards of one run, apps by name. Every shard must be there once, of the same commit, and
// together they must hold every app of the fleet.
func Merge(reports []Envelope) (Envelope, error) {
	if len(reports) == 0 {
		return Envelope{}, errors.New("there is no report to merge")
	}
	out := reports[0]
	out.Shard, out.Apps, out.Summary, out.DurationMs = nil, nil, engine.Summary{}, 0
	if err := checkShards(reports); err != nil {
		return out, err
	}
	for _, r := range reports {
		out.Apps = append(out.Apps, r.Apps...)
		out.Summary = add(out.Summary, r.Summary)
		out.DurationMs = max(out.DurationMs, r.DurationMs) // they ran side by side
	}
	slices.SortStableFunc(out.Apps, func(a, b AppResult) int { return strings.Compare(a.App, b.App) })
	for i, a := range out.Apps {
		if i > 0 && out.Apps[i-1].App == a.App {
			return out, fmt.Errorf("app %q stands in two reports", cleanLine(a.App))
		}
	}
	if fleet := reports[0].Shard.Fleet; len(out.Apps) != fleet {
		return out, fmt.Errorf("the shards hold %d apps, and the fleet has %d: did all read the same publish.yaml and costs?", len(out.Apps), fleet)
	}
	return out, nil
}

func checkShards(reports []Envelope) error {
	first := reports[0]
	seen := map[int]bool{}
	for _, r := range reports {
		switch {
		case r.Shard == nil:
			return errors.New("a report is not of a shard")
		case r.Shard.Count != first.Shard.Count || r.Shard.Fleet != first.Shard.Fleet:
			return fmt.Errorf("shard %s of %d apps and shard %s of %d apps are not of one run", first.Shard, first.Shard.Fleet, r.Shard, r.Shard.Fleet)
		case r.Source.Commit != first.Source.Commit || r.Source.Version != first.Source.Version:
			return fmt.Errorf("shard %s is of %s, and shard %s of %s", first.Shard, cleanLine(first.Source.Revision), r.Shard, cleanLine(r.Source.Revision))
		case seen[r.Shard.Index]:
			return fmt.Errorf("shard %s is there twice", r.Shard)
		}
		seen[r.Shard.Index] = true
	}
	for i := 1; i <= first.Shard.Count; i++ {
		if !seen[i] {
			return fmt.Errorf("shard %d/%d is missing", i, first.Shard.Count)
		}
	}
	return nil
}

func add(a, b engine.Summary) engine.Summary {
	return engine.Summary{
		Apps: a.Apps + b.Apps, New: a.New + b.New, Changed: a.Changed + b.Changed, Unchanged: a.Unchanged + b.Unchanged,
		Pushed: a.Pushed + b.Pushed, Signed: a.Signed + b.Signed, Healed: a.Healed + b.Healed, Tagged: a.Tagged + b.Tagged,
		Failed: a.Failed + b.Failed, Attested: a.Attested + b.Attested,
	}
}

// Report is the engine's view of a document, to print it as text.
func (e Envelope) Report() *engine.Report {
	r := &engine.Report{Source: e.Source, Summary: e.Summary, Apps: make([]engine.AppReport, len(e.Apps))}
	for i, a := range e.Apps {
		r.Apps[i] = a.AppReport
		if f := a.Failure; f != nil {
			r.Apps[i].Failure = &engine.Failure{Stage: f.Stage, Message: f.Message, Err: told{f}}
		}
	}
	return r
}

// told is a failure that a document tells of.
type told struct{ *FailureResult }

func (t told) Error() string { return t.Message }

// Hint repeats the advice of the document.
func (t told) Hint() string { return strings.Join(t.Hints, "; ") }

// Merged prints a merged report.
func (u *UI) Merged(e Envelope, o Output) error {
	u.Close()
	if o.Format == JSON || o.Format == YAML {
		e.Generator = o.Generator
		return Encode(u.stdout, o.Format, e)
	}
	p := u.page(o)
	p.took = time.Duration(e.DurationMs) * time.Millisecond
	return u.print(e.Report(), o, KindPublish, func() { p.publish(e.Report()) }, p)
}
