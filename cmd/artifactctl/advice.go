package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/artifactctl/artifactctl/internal/engine"
	"github.com/artifactctl/artifactctl/internal/ui"
	"github.com/artifactctl/artifactctl/plugins/signer"
)

// advised is an error with a hint that it did not bring along.
type advised struct {
	error
	hint string
}

func (e *advised) Unwrap() error { return e.error }
func (e *advised) Hint() string  { return e.hint }

// advise adds a hint to an error that has none.
func advise(err error, format string, args ...any) error {
	if err == nil || errors.Is(err, context.Canceled) || len(ui.Hints(err)) > 0 {
		return err
	}
	return &advised{err, fmt.Sprintf(format, args...)}
}

// adviseFailure returns a failure, if there is one, with a hint if it has none. The report keeps its own.
func adviseFailure(failure *engine.Failure, format string, args ...any) *engine.Failure {
	if failure == nil {
		return nil
	}
	f := *failure
	f.Err = advise(f.Err, format, args...)
	return &f
}

// adviseFailures adds to every failure without a hint what can be said of its stage.
func adviseFailures(r *engine.Report) {
	for i, a := range r.Apps {
		if a.Failure == nil {
			continue
		}
		f := *a.Failure
		switch f.Stage {
		case engine.StageRender:
			f.Err = advise(f.Err, "artifactctl render %s tries this app alone", a.App)
		case engine.StageGate:
			f.Err = advise(f.Err, "artifactctl gate --only %s tries this app alone", a.App)
		case engine.StageCompare:
			f.Err = advise(f.Err, "nothing was changed: try again, and if it stays so, look at the registry")
		default:
			f.Err = advise(f.Err, "run again: what is missing is finished then, and no tag names what is not signed")
		}
		r.Apps[i].Failure = &f
	}
}

// adviseSigner adds what helps with a signer that does not open and did not say so itself.
func adviseSigner(err error, name, plugin string) error {
	page := signerPage(plugin)
	switch {
	case errors.Is(err, signer.ErrDenied) && plugin == "signer-keyless":
		return advise(err, "check the identity token: who it is of, and for which audience; %s says where it comes from", page)
	case errors.Is(err, signer.ErrDenied):
		return advise(err, "check the password or the permission, and that env: of signers.%s lists the variable that holds it; see %s", name, page)
	case errors.Is(err, signer.ErrUnavailable):
		return advise(err, "the signer's service does not answer: check its address, list HTTPS_PROXY under env: of signers.%s if there is a proxy, and try again", name)
	case plugin == "signer-file":
		return advise(err, "%s says what signers.%s.with and the key can be; artifactctl keygen makes a key that works", page, name)
	}
	return advise(err, "%s says what signers.%s.with can be", page, name)
}

// signerPage is the page about a plugin: its own, if it is one of ours.
func signerPage(plugin string) string {
	switch plugin {
	case "signer-file", "signer-vault", "signer-kms", "signer-keyless":
		return "docs/signers/" + strings.TrimPrefix(plugin, "signer-") + ".md"
	}
	return "docs/plugins.md"
}
