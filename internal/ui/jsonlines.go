package ui

import (
	"io"
	"sync"

	"github.com/artifactctl/artifactctl/internal/engine"
)

// EventLine is one line of ModeJSON: what happened to an app.
type EventLine struct {
	Kind   string        `json:"kind" jsonschema:"enum=Event"`
	App    string        `json:"app"`
	Stage  engine.Stage  `json:"stage" jsonschema:"enum=render,enum=compare,enum=push,enum=sign,enum=attach,enum=check,enum=tag"`
	Status engine.Status `json:"status" jsonschema:"enum=started,enum=done,enum=failed"`
	Done   int64         `json:"done"`  // apps through their last stage
	Total  int64         `json:"total"` // apps of the run
	Note   string        `json:"note,omitempty"`
	Error  string        `json:"error,omitempty"`
	Hints  []string      `json:"hints,omitempty"`
}

// LogLine is one line of ModeJSON: a log line or a warning.
type LogLine struct {
	Kind    string `json:"kind" jsonschema:"enum=Log"`
	Message string `json:"message"`
}

// jsonLines writes every event as a line of JSON.
type jsonLines struct {
	mu sync.Mutex
	w  io.Writer
}

func newJSONLines(w io.Writer) *jsonLines { return &jsonLines{w: w} }

func (j *jsonLines) event(e engine.Event) {
	line := EventLine{Kind: "Event", App: e.App, Stage: e.Stage, Status: e.Status, Done: e.Done, Total: e.Total, Note: e.Note}
	if e.Err != nil {
		line.Error, line.Hints = reason(e.Err), Hints(e.Err)
	}
	j.write(line)
}

func (j *jsonLines) log(line string) { j.write(LogLine{Kind: "Log", Message: line}) }

func (j *jsonLines) write(line any) {
	text, err := encodeJSON(line, "")
	if err != nil {
		return // cannot be: the lines are plain strings and numbers
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	_, _ = j.w.Write(text) // status is a courtesy: a stream that is gone does not stop the run
}

func (j *jsonLines) close() {}
