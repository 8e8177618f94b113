// Package finding holds what gates say about rendered apps, and writes it down: as text, JUnit XML and SARIF. It
// runs no gate, and prints nothing.
package finding

import (
	"slices"
	"time"
)

// Severity is what a finding means for its app.
type Severity string

// The severities. A warning never keeps an app from being published.
const (
	Error   Severity = "error"
	Warning Severity = "warning"
)

// RuleBroken is the rule of findings that say why a gate could not judge.
const RuleBroken = "broken"

// Finding is one thing that a gate has to say.
type Finding struct {
	Gate     string   `json:"gate"`
	App      string   `json:"app,omitempty"` // empty: about all apps that the gate looked at together
	Severity Severity `json:"severity" jsonschema:"enum=error,enum=warning"`
	// Object is "Kind/namespace/name", or "Kind/name" without a namespace.
	Object string `json:"object,omitempty"`
	File   string `json:"file,omitempty"` // of the artifact
	Line   int    `json:"line,omitempty"` // in File; 0 when it is not known
	// Source is the file in the repository that people should look at, SourceLine the line in it.
	Source     string `json:"source,omitempty"`
	SourceLine int    `json:"sourceLine,omitempty"`
	Rule       string `json:"rule,omitempty"` // within the gate
	Message    string `json:"message"`        // may have several lines
	Hint       string `json:"hint,omitempty"`
	// Broken tells that the gate could not judge. It is not the app's fault.
	Broken bool `json:"broken,omitempty"`
}

// Status is how a gate went.
type Status string

// The states. A broken gate whose severity is Warning keeps no app from being published.
const (
	Passed  Status = "passed"
	Warned  Status = "warned"
	Refused Status = "refused"
	Broken  Status = "broken"
)

// Result is what one gate said about one app, or about all of its apps together.
type Result struct {
	Gate     string        `json:"gate"`
	App      string        `json:"app,omitempty"`  // empty when the gate looks at the fleet
	Apps     []string      `json:"apps,omitempty"` // that a gate of the fleet looked at
	Status   Status        `json:"status" jsonschema:"enum=passed,enum=warned,enum=refused,enum=broken"`
	Cached   bool          `json:"cached,omitempty"` // nothing was run: an earlier result still holds
	Duration time.Duration `json:"-"`
	Findings []Finding     `json:"findings,omitempty"`
}

// Report holds the results: app by app in the given order, gates in theirs, and then those of the fleet.
type Report struct {
	Results []Result `json:"results"`
}

// Findings returns all findings in order.
func (r *Report) Findings() []Finding {
	var all []Finding
	for _, result := range r.Results {
		all = append(all, result.Findings...)
	}
	return all
}

// Covers reports whether a result is about an app, alone or among others.
func (r Result) Covers(app string) bool {
	return r.App == app || r.App == "" && slices.Contains(r.Apps, app)
}

// About returns the findings that concern an app: its own, and those about all apps together.
func (r Result) About(app string) []Finding {
	if !r.Covers(app) {
		return nil
	}
	var own []Finding
	for _, f := range r.Findings {
		if f.App == app || f.App == "" {
			own = append(own, f)
		}
	}
	return own
}

// StatusOf sums findings up.
func StatusOf(findings []Finding) Status {
	status := Passed
	for _, f := range findings {
		switch {
		case f.Broken:
			return Broken
		case f.Severity == Error:
			status = Refused
		case status == Passed:
			status = Warned
		}
	}
	return status
}
