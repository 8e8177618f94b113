// Package gate looks at rendered apps before they are trusted: by kubeconform, in this process, and by commands of the
// user's own. Gates get manifests in and give findings out. They cannot change what is published: a command sees copies
// of the files only, and the content digest is computed again when the gates are done.
//
// A gate that cannot judge is broken, and that is a finding like a refusal: a command that is missing, crashes, hangs or
// floods its output, a schema that cannot be loaded. Nothing of that kind ever counts as a pass.
//
// Results are kept in a cache when they are a function of what is known: the content, the gate's options, the program
// that judges, the files it says it reads and the schemas that were used. What a URL answers is taken to stay as it is.
// Refusals and broken gates are never kept, nor is a command that does not say what it reads.
//
// The package renders nothing, publishes nothing, and does not know publish.yaml.
package gate

import (
	"context"
	"time"

	"github.com/artifactctl/artifactctl/internal/artifact"
)

// Severity is what a finding means for its app.
type Severity string

// The severities. A warning never keeps an app from being published.
const (
	Error   Severity = "error"
	Warning Severity = "warning"
)

// Gate is one check. Exactly one of Kubeconform and Run is set.
type Gate struct {
	Name     string
	Severity Severity // of all that it finds, and of its own troubles; empty means Error
	Apps     []string // names of the apps that it looks at; nil means all
	// Kubeconform validates every object against the JSON schema of its kind.
	Kubeconform *Kubeconform
	// Run has a command of the user's judge.
	Run *Run
}

// Kubeconform holds the options of a gate that validates objects against schemas.
type Kubeconform struct {
	// Strict refuses fields that the schema does not know, and keys that are there twice.
	Strict bool
	// KubernetesVersion is of the form 1.34.1, or master; empty means master.
	KubernetesVersion string
	// Schemas lists where schemas are looked for, in this order: "default" (the schemas that kubeconform's author keeps
	// on GitHub), a URL, or a path relative to Options.Dir. One that does not end in "json" has the layout of the default
	// site appended. Placeholders are kubeconform's: {{ .Group }}, {{ .ResourceKind }}, {{ .ResourceAPIVersion }},
	// {{ .KindSuffix }}, {{ .NormalizedKubernetesVersion }} and {{ .StrictSuffix }}. Empty means "default".
	Schemas []string
	// FleetCRDs takes the schemas of custom resources from the CustomResourceDefinitions among all apps of the call,
	// before any other place: those of the app itself first, then those of the first app that has one.
	FleetCRDs bool
	// IgnoreKinds lists kinds that are not looked at, as "Kind" or "group/version/Kind".
	IgnoreKinds []string
	// RejectKinds lists kinds that are refused, as "Kind" or "group/version/Kind".
	RejectKinds []string
	// IgnoreFiles lists globs of files that are not looked at. One without a slash matches in every directory.
	IgnoreFiles []string
	// IgnoreMissingSchemas passes objects of kinds that no place has a schema for. A place that does not answer is no
	// such place: that breaks the gate.
	IgnoreMissingSchemas bool
}

// Scope says how often a command is run.
type Scope string

// The scopes.
const (
	PerApp   Scope = "app"
	PerFleet Scope = "fleet" // once, with the manifests of all its apps
)

// Format says how the output of a command is understood.
type Format string

// The formats. Whatever the format, an exit status other than 0 refuses.
const (
	Text     Format = "text"     // standard output and standard error are the message of a refusal
	Conftest Format = "conftest" // standard output is what `conftest test --output json` prints
	Sarif    Format = "sarif"    // standard output is a SARIF 2.1.0 log
)

// Run holds the options of a gate that is a command.
//
// The manifests are its standard input, and a file: {manifests} in its arguments and $ARTIFACTCTL_MANIFESTS name it. In
// a fleet that is a directory, with one file for each app, <app>.yaml. Exit status 0 passes, any other one refuses; 126
// and 127, by which shells tell that there was no command to run, break the gate.
type Run struct {
	// Command is the program and its arguments; see Split. A program without a slash is looked for in this process's
	// PATH, another one relative to Dir. {manifests} and, per app, {app} are replaced in arguments.
	Command []string
	// Dir is the absolute working directory.
	Dir string
	// Timeout after which the command is killed with all that it started; 0 means DefaultTimeout.
	Timeout time.Duration
	// Memory is how many bytes of memory each of its processes may fill, where the system can bound that (Linux); 0 means
	// DefaultMemory, a negative one means no bound.
	Memory int64
	// Env lists the names of the variables that the command gets to see, besides $ARTIFACTCTL_GATE, $ARTIFACTCTL_APP (per
	// app) and $ARTIFACTCTL_MANIFESTS. There are no others, not even PATH and HOME.
	Env []string
	// Inputs lists the files and directories that the command reads besides the manifests, relative to Dir or absolute.
	// nil means that nobody knows: then its results are never kept. An empty list says that it reads nothing else. The
	// program, files that are named by an argument, and the values of Env always count as inputs.
	Inputs []string
	Scope  Scope  // empty means PerApp
	Format Format // empty means Text
}

// Limits of a command.
const (
	DefaultTimeout = 2 * time.Minute
	DefaultMemory  = 2 << 30
	MaxMessage     = 256 << 10 // bytes kept of a refusal's text; the rest is counted
	MaxOutput      = 16 << 20  // bytes of output, after which a command is killed
)

// App is a rendered app.
type App struct {
	Name string
	// Content is the artifact.ContentDigest of its files: what is judged, and what may be published afterwards.
	Content string
	// Files returns the files. It may be called several times, concurrently, and is not called when nothing has to run.
	Files func(ctx context.Context) (artifact.Files, error)
	// Path is where people find the app, relative to the repository, with slashes: the directory that its files come
	// from when Tree is set, and else the file that they are rendered from. Empty when there is no such place.
	Path string
	Tree bool
}

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

// Blocking returns why an app must not be published; nothing when it may.
func (r *Report) Blocking(app string) []Finding {
	var blocking []Finding
	for _, result := range r.Results {
		for _, f := range result.Findings {
			if f.Severity == Error && result.covers(app) && (f.App == app || f.App == "") {
				blocking = append(blocking, f)
			}
		}
	}
	return blocking
}

// Passed returns the names of the gates that have judged an app and do not refuse it, in order.
func (r *Report) Passed(app string) []string {
	var names []string
	for _, result := range r.Results {
		if !result.covers(app) {
			continue
		}
		good := true
		for _, f := range result.Findings {
			if (f.Severity == Error || f.Broken) && (f.App == app || f.App == "") {
				good = false
			}
		}
		if good {
			names = append(names, result.Gate)
		}
	}
	return names
}

func (r Result) covers(app string) bool {
	if r.App != "" {
		return r.App == app
	}
	for _, name := range r.Apps {
		if name == app {
			return true
		}
	}
	return false
}

func statusOf(findings []Finding) Status {
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
