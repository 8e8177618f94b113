package ui

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/artifactctl/artifactctl/internal/engine"
)

// shardOf is the report of one shard with these apps, as it is written and read again.
func shardOf(t *testing.T, index, count, fleet int, change func(*Envelope), apps ...string) Envelope {
	t.Helper()
	r := &engine.Report{Source: engine.Source{Commit: strings.Repeat("c", 40), Revision: "main@sha1:c"}}
	for _, a := range apps {
		app := engine.AppReport{App: a, Change: engine.New, Pushed: true}
		if a == "bad" {
			app.Failure = &engine.Failure{Stage: engine.StagePush, Message: "no room", Err: advice{errText("no room"), "make room"}}
			r.Summary.Failed++
		}
		r.Apps = append(r.Apps, app)
		r.Summary.Apps++
	}
	e := NewEnvelope(KindPublish, generator(), r)
	e.Shard, e.DurationMs = &Shard{Index: index, Count: count, Fleet: fleet}, int64(100*index)
	if change != nil {
		change(&e)
	}
	var b bytes.Buffer
	if err := Encode(&b, JSON, e); err != nil {
		t.Fatal(err)
	}
	got, err := ReadReport(&b)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

type errText string

func (e errText) Error() string { return string(e) }

func TestMerge(t *testing.T) {
	got, err := Merge([]Envelope{shardOf(t, 2, 2, 3, nil, "b", "bad"), shardOf(t, 1, 2, 3, nil, "a")})
	if err != nil {
		t.Fatal(err)
	}
	if s := got.Summary; s.Apps != 3 || s.Failed != 1 || got.Shard != nil || got.DurationMs != 200 {
		t.Errorf("%+v", got)
	}
	var names []string
	for _, a := range got.Apps {
		names = append(names, a.App)
	}
	if strings.Join(names, " ") != "a b bad" {
		t.Errorf("apps %v", names)
	}
	var s streams
	o := s.options(nil)
	o.Mode = ModeNone
	if err := New(o).Merged(got, Output{}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"no room", "make room"} {
		if !strings.Contains(s.out.String(), want) {
			t.Errorf("the text does not say %q:\n%s", want, s.out.String())
		}
	}
}

func TestMergeRefuses(t *testing.T) {
	other := func(e *Envelope) { e.Source.Commit, e.Source.Revision = strings.Repeat("d", 40), "main@sha1:d" }
	whole := func(e *Envelope) { e.Shard = nil }
	for name, tt := range map[string]struct {
		reports []Envelope
		want    string
	}{
		"none":           {nil, "no report"},
		"no shard":       {[]Envelope{shardOf(t, 1, 1, 1, whole, "a")}, "not of a shard"},
		"missing":        {[]Envelope{shardOf(t, 1, 3, 3, nil, "a"), shardOf(t, 3, 3, 3, nil, "c")}, "shard 2/3 is missing"},
		"twice":          {[]Envelope{shardOf(t, 1, 2, 2, nil, "a"), shardOf(t, 1, 2, 2, nil, "b")}, "there twice"},
		"another commit": {[]Envelope{shardOf(t, 1, 2, 2, nil, "a"), shardOf(t, 2, 2, 2, other, "b")}, "main@sha1:d"},
		"another count":  {[]Envelope{shardOf(t, 1, 2, 2, nil, "a"), shardOf(t, 2, 3, 2, nil, "b")}, "not of one run"},
		"app twice":      {[]Envelope{shardOf(t, 1, 2, 2, nil, "a"), shardOf(t, 2, 2, 2, nil, "a")}, "two reports"},
		"app missing":    {[]Envelope{shardOf(t, 1, 2, 3, nil, "a"), shardOf(t, 2, 2, 3, nil, "b")}, "hold 2 apps, and the fleet has 3"},
	} {
		if _, err := Merge(tt.reports); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %q", name, err, tt.want)
		}
	}
	for _, text := range []string{"", "[]", `{"kind":"Plan","apiVersion":"artifactctl.dev/v1"}`} {
		if _, err := ReadReport(strings.NewReader(text)); err == nil {
			t.Errorf("%q is taken for a report", text)
		}
	}
}

// What an app costs is the time of its stages, without the waiting between them.
func TestCost(t *testing.T) {
	now := time.Unix(0, 0)
	w := newStopwatch(func() time.Time { return now })
	for _, step := range []struct {
		after  time.Duration
		stage  engine.Stage
		status engine.Status
	}{{0, engine.StageRender, engine.Started}, {20 * time.Millisecond, engine.StageRender, engine.Done},
		{time.Hour, engine.StagePush, engine.Started}, {5 * time.Millisecond, engine.StagePush, engine.Failed}} {
		now = now.Add(step.after)
		w.event(engine.Event{App: "a", Stage: step.stage, Status: step.status})
	}
	if got := w.of("a"); got != 25 {
		t.Errorf("%d ms", got)
	}
}
