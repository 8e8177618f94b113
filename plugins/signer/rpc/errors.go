package rpc

import (
	"errors"
	"fmt"
	"strings"

	"github.com/artifactctl/artifactctl/plugins/signer"
)

// Errors of the transport itself.
var (
	// ErrExited: the plugin's process has ended though nobody closed it. See ExitError.
	ErrExited = errors.New("signer plugin exited")
	// ErrClosed: the call came after Close.
	ErrClosed = errors.New("signer plugin is closed")
)

// ExitError says how a plugin died. It is ErrExited to errors.Is.
type ExitError struct {
	Signer string   // name of the signer in publish.yaml
	Status string   // "exit status 3", "signal: killed"
	Stderr []string // its last lines on standard error, without terminal escapes and secrets
}

func (e *ExitError) Error() string {
	text := fmt.Sprintf("signer %s: the plugin exited (%s)", e.Signer, e.Status)
	if len(e.Stderr) > 0 {
		text += ": " + strings.Join(e.Stderr, " | ")
	}
	return text
}

// Is makes errors.Is(err, ErrExited) hold.
func (e *ExitError) Is(target error) bool { return target == ErrExited }

// Hint says where to look.
func (e *ExitError) Hint() string {
	return "run again with debug logging to see all that the plugin of signer " + e.Signer + " writes"
}

// setupError is a plugin that cannot be used as it is configured or installed. It is signer.ErrInvalid to errors.Is.
type setupError struct {
	text string
	hint string
	err  error // the cause, or nil
}

func (e *setupError) Error() string {
	if e.err != nil {
		return e.text + ": " + e.err.Error()
	}
	return e.text
}
func (e *setupError) Unwrap() error        { return e.err }
func (e *setupError) Hint() string         { return e.hint }
func (e *setupError) Is(target error) bool { return target == signer.ErrInvalid }
