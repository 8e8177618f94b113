package ui

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/artifactctl/artifactctl/internal/engine"
)

// reason returns what went wrong without the app and stage that the engine names in front of it.
func reason(err error) string {
	var safe hidden
	if errors.As(err, &safe) {
		return safe.text
	}
	var at *engine.StageError
	if errors.As(err, &at) {
		err = at.Err
	}
	return err.Error()
}

// hidden is an error whose reason was already cleared of secrets; its chain still tells kind and hints.
type hidden struct {
	error
	text string
}

func (h hidden) Unwrap() error { return h.error }

// staged puts the stage in front of a reason, unless the reason itself begins with it ("push ghcr.io/…: denied").
func staged(stage engine.Stage, reason string) string {
	name := cleanLine(string(stage))
	if name == "" || strings.HasPrefix(reason, name+" ") || strings.HasPrefix(reason, name+":") {
		return reason
	}
	return name + ": " + reason
}

// interrupted reports a failure that only says that the run was stopped: it is counted, not explained.
func interrupted(err error) bool { return errors.Is(err, context.Canceled) }

// finished tells what a stage did.
func finished(e engine.Event) string {
	note := cleanLine(e.Note)
	switch e.Stage {
	case engine.StageRender:
		return join("rendered", note)
	case engine.StageCompare:
		if note == "" {
			return "compared"
		}
		return note
	case engine.StageCopy:
		return join("copied", note)
	case engine.StagePush:
		return join("pushed", note)
	case engine.StageSign:
		return join("got a", note, "signature")
	case engine.StageAttach:
		return join("attached the", note, "signature")
	case engine.StageCheck:
		if note == "" {
			return "checked"
		}
		return note
	case engine.StageAttest:
		return join("attested", note)
	case engine.StagePrune:
		return join("deleted", note)
	case engine.StageTag:
		return join("tagged", note)
	}
	return join(cleanLine(string(e.Stage)), note)
}

// quiet reports a finished stage that is not worth a line: it had nothing to do, or a later one says more.
func quiet(e engine.Event) bool {
	switch e.Stage {
	case engine.StageCompare:
		return e.Note == "" || e.Note == string(engine.Unchanged)
	case engine.StageSign, engine.StageAttach:
		return true // the check that follows says whose signature was read back
	}
	return e.Note == ""
}

func join(words ...string) string {
	var said []string
	for _, w := range words {
		if w != "" {
			said = append(said, w)
		}
	}
	return strings.Join(said, " ")
}

// seconds shows a duration for people: 0.4s, 12.3s, 3m05s.
func seconds(d time.Duration) string {
	if d = d.Round(100 * time.Millisecond); d < time.Minute {
		return fmt.Sprintf("%.1fs", d.Seconds())
	}
	d = d.Round(time.Second)
	return fmt.Sprintf("%dm%02ds", int(d.Minutes()), int(d.Seconds())%60)
}

// plural gives a noun its number: 1 tag, 2 tags.
func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
