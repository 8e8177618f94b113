package ui

import (
	"github.com/artifactctl/artifactctl/internal/engine"
)

// Identifiers of the report's format. They change only together with what they name.
const (
	APIVersion = "artifactctl.dev/v1"
	ReportURL  = "https://artifactctl.dev/schema/report.v1.schema.json"
)

// Kind is what a document is.
type Kind string

// The kinds of documents.
const (
	KindPlan    Kind = "Plan"
	KindPublish Kind = "Publish"
)

// Generator is the program that wrote a document.
type Generator struct {
	Name    string `json:"name"`
	Version string `json:"version"`
}

// Header opens every document.
type Header struct {
	Schema     string    `json:"$schema" jsonschema:"format=uri"`                 // the schema of this document
	APIVersion string    `json:"apiVersion" jsonschema:"enum=artifactctl.dev/v1"` // grows only by new optional fields
	Kind       Kind      `json:"kind" jsonschema:"enum=Plan,enum=Publish"`        // what the document tells of
	Generator  Generator `json:"generator"`                                       // the program that wrote it
	// DurationMs is how long a publish took, in milliseconds. A plan has none: the same plan is the same document.
	DurationMs int64 `json:"durationMs,omitempty"`
}

// Envelope is the outcome of plan and publish as programs read it. Apps stand in the order of publish.yaml, and every
// count of the summary is always there.
type Envelope struct {
	Header
	// Shard is the part of the fleet that this document tells of; without it, it is the whole fleet.
	Shard   *Shard         `json:"shard,omitempty"`
	Source  engine.Source  `json:"source"`
	Summary engine.Summary `json:"summary"`
	Apps    []AppResult    `json:"apps"`
}

// AppResult is the outcome for one app.
type AppResult struct {
	engine.AppReport
	// Failure is why the app failed; it takes the place of the engine's, with advice that only errors have.
	Failure *FailureResult `json:"failure,omitempty"`
	// DurationMs is how long the stages of the app took together, in milliseconds; of a publish only.
	DurationMs int64 `json:"durationMs,omitempty"`
}

// FailureResult is why an app failed, and what to do.
type FailureResult struct {
	Stage   engine.Stage `json:"stage" jsonschema:"enum=render,enum=gate,enum=compare,enum=copy,enum=push,enum=sign,enum=attach,enum=check,enum=tag,enum=prune"`
	Message string       `json:"message"`
	Hints   []string     `json:"hints,omitempty"`
	// Interrupted is true when the app has no failure of its own: the run was stopped before it was through.
	Interrupted bool `json:"interrupted,omitempty"`
}

// NewEnvelope returns the document of a report.
func NewEnvelope(kind Kind, g Generator, r *engine.Report) Envelope {
	e := Envelope{
		Header: Header{Schema: ReportURL, APIVersion: APIVersion, Kind: kind, Generator: g},
		Source: r.Source, Summary: r.Summary, Apps: make([]AppResult, len(r.Apps)),
	}
	for i, a := range r.Apps {
		e.Apps[i] = AppResult{AppReport: a, Failure: failureResult(a.Failure)}
	}
	return e
}

func failureResult(f *engine.Failure) *FailureResult {
	if f == nil {
		return nil
	}
	return &FailureResult{Stage: f.Stage, Message: f.Message, Hints: Hints(f.Err), Interrupted: interrupted(f.Err)}
}
