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
	"github.com/artifactctl/artifactctl/internal/finding"
)

// Gate is one check. Exactly one of Kubeconform and Run is set.
type Gate struct {
	Name     string
	Severity finding.Severity // of all that it finds, and of its own troubles; empty means Error
	Apps     []string         // names of the apps that it looks at; nil means all
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
	// Background apps are not judged. What they define counts: they belong to the fleet, though not to this run.
	Background bool
}
