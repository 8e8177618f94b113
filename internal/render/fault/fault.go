// Package fault holds the error that a render ends with. It is a package of its own because both sides of the pipe
// between the pool and its workers speak it; it knows neither of them.
package fault

import (
	"fmt"
	"strings"
)

// Reason is why a render failed, for hints and for tests; the words are in Error.Message.
type Reason string

// The reasons. Invalid is everything that kustomize refuses in its own words.
const (
	Invalid   Reason = "invalid"
	Syntax    Reason = "syntax"    // a file is not YAML, or not a kustomization
	Missing   Reason = "missing"   // a file, or the kustomization of a directory, is not there
	Duplicate Reason = "duplicate" // a directory has two kustomization files
	Empty     Reason = "empty"     // nothing to publish
	Outside   Reason = "outside"   // a path leaves the root, or the published directory
	Ignored   Reason = "ignored"   // a referenced file is not published
	Remote    Reason = "remote"    // a remote base or file while remote bases are off
	Helm      Reason = "helm"      // a helm chart while helm is off
	Plugin    Reason = "plugin"    // an external plugin: never run
	OpenAPI   Reason = "openapi"   // the schema that openapi: names is broken
	Timeout   Reason = "timeout"   // the deadline passed
	Memory    Reason = "memory"    // the memory limit was reached
	Crash     Reason = "crash"     // kustomize panicked, or its process died
	Unfit     Reason = "unfit"     // a file that cannot be part of an artifact
)

// Error is a failed render. It crosses the pipe between worker and pool, so all its fields are plain.
type Error struct {
	Reason  Reason
	File    string // slash-separated, relative to the root; empty when no file is to blame
	Line    int    // in File; 0 when unknown
	Message string // without File and Line; paths inside it are relative to the root
}

// Error returns "file:line: message".
func (e *Error) Error() string {
	switch {
	case e.File == "":
		return e.Message
	case e.Line > 0:
		return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Message)
	default:
		return e.File + ": " + e.Message
	}
}

// Hint returns what to do about the error, or "" when its message says it all.
func (e *Error) Hint() string {
	switch e.Reason {
	case Remote:
		return "remote bases are off; set `remoteBases: true` for this app, or copy the base into the repository"
	case Helm:
		return "helm is off; set `helm: true` for this app"
	case Plugin:
		return "external generators, transformers and functions are never run; use what is built into kustomize, or commit their output"
	case Missing:
		if strings.Contains(e.Message, "kustomization") {
			return "add a kustomization.yaml, or set `render: none` to publish the directory as it stands"
		}
		return "check the path; it is relative to the kustomization that names it"
	case Duplicate:
		return "keep one of kustomization.yaml, kustomization.yml and Kustomization"
	case Empty:
		return "an artifact without objects would make the cluster delete what it has; remove the app, or check its ignore patterns"
	case Outside:
		return "only what lies inside can be published; move the file, or a common parent of both, inside"
	case Ignored:
		return "re-include the file with a pattern that begins with `!`, or remove the reference"
	case OpenAPI:
		return "check the file that `openapi: {path: …}` names: it must be an OpenAPI v2 document with `definitions`"
	case Timeout:
		return "YAML anchors that refer to themselves never end; otherwise split the app or raise the render timeout"
	case Memory:
		return "YAML aliases that multiply each other exhaust memory; otherwise split the app or raise the render memory limit"
	case Crash:
		return "`kustomize build` of the same directory fails the same way; look at the names and labels of the objects"
	case Syntax:
		if strings.Contains(e.Message, "cannot unmarshal bool") {
			return "YAML reads y, n, yes, no, on and off as booleans; put such a word into quotes"
		}
	case Unfit, Invalid:
	}
	return ""
}
