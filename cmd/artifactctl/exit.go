package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/artifactctl/artifactctl/config"
	"github.com/artifactctl/artifactctl/internal/engine"
	"github.com/artifactctl/artifactctl/internal/ui"
)

// The exit codes. They are part of the interface.
const (
	exitDone        = 0   // done, or nothing to do
	exitFailed      = 1   // an app failed, or is not signed as it must be
	exitChanges     = 2   // plan --exit-code found changes, or audit something
	exitUsage       = 3   // usage or configuration
	exitInterrupted = 130 // by a signal
)

// Outcomes that are no errors to print, only exit codes: the report has said everything.
var (
	errSomeFailed = errors.New("some apps failed")
	errChanges    = errors.New("there are changes")
)

// usageError marks what the user typed or configured wrongly.
type usageError struct {
	err  error
	hint string
}

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }
func (e *usageError) Hint() string  { return e.hint }

func usagef(hint, format string, args ...any) error {
	return &usageError{err: fmt.Errorf(format, args...), hint: hint}
}

// exit prints what there is to say about an error and returns the exit code. It is the only place that knows them.
func exit(ctx context.Context, stderr io.Writer, err error) int {
	var invalid *config.Invalid
	var usage *usageError
	var late timeoutError
	code := exitFailed
	switch {
	case err == nil:
		return exitDone
	case errors.Is(err, errChanges):
		return exitChanges
	case errors.Is(err, errSomeFailed):
		if ctx.Err() != nil {
			return exitInterrupted
		}
		return exitFailed
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		fmt.Fprintln(stderr, "interrupted: run again to finish what is missing")
		return exitInterrupted
	case errors.As(err, &late):
		code = exitFailed // whatever it interrupted was not wrong
	case errors.As(err, &invalid), errors.As(err, &usage), errors.Is(err, engine.ErrDirty):
		code = exitUsage
	}
	if code == exitUsage {
		err = advise(err, "docs/config.md describes every field; artifactctl schema prints the schema that lets editors check as you type")
	}
	fmt.Fprintf(stderr, "error: %v\n", err)
	for _, hint := range ui.Hints(err) {
		fmt.Fprintf(stderr, "hint: %s\n", hint)
	}
	return code
}
