package config

import (
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Gate is a check of rendered apps, by kubeconform or by a command.
type Gate struct {
	// Name of the gate in reports. By default it is kubeconform, or the name of the program that is run.
	Name string `koanf:"name" json:"name,omitempty" check:"gate" jsonschema:"example=policies"`
	// Kubeconform validates every object against the schema of its kind. Either it or `run` is given.
	Kubeconform *Kubeconform `koanf:"kubeconform" json:"kubeconform,omitempty"`
	// Run is a command that gets the rendered manifests on its standard input and as the file {manifests}. It passes by
	// exit status 0, and refuses by any other. There is no shell: a line is split at blanks and quotes, and a list holds
	// the program and its arguments.
	Run Words `koanf:"run" json:"run,omitempty" example:"conftest test --policy policy -"`
	// Apps that the gate looks at, by name or glob. By default it looks at all.
	Apps []string `koanf:"apps" json:"apps,omitempty" check:"appGlob" jsonschema:"example=podinfo,example=team-a-*"`
	// Environments in which the gate is run. By default it is always run.
	Environments []string `koanf:"environments" json:"environments,omitempty" check:"environment" jsonschema:"example=production"`
	// Severity is what a finding means: an error keeps its app from being published, a warning does not.
	Severity Severity `koanf:"severity" json:"severity,omitempty" default:"error" jsonschema:"enum=error,enum=warning,example=warning"`
	// Scope is app to run the command for each app, or fleet to run it once with all apps: {manifests} is a directory
	// then, with a file for each app.
	Scope Scope `koanf:"scope" json:"scope,omitempty" jsonschema:"enum=app,enum=fleet,example=fleet"`
	// Format is how the command's standard output is read: as text, as what `conftest test --output json` prints, or as a
	// SARIF log.
	Format OutputFormat `koanf:"format" json:"format,omitempty" jsonschema:"enum=text,enum=conftest,enum=sarif,example=conftest"`
	// Timeout after which the command is killed, as a Go duration. By default it is 2m.
	Timeout time.Duration `koanf:"timeout" json:"timeout,omitempty" check:"duration" example:"30s"`
	// Memory that each process of the command may use, as Kubernetes writes it. By default it is 2Gi. It bounds nothing
	// where the system cannot (other than Linux).
	Memory string `koanf:"memory" json:"memory,omitempty" check:"memory" jsonschema:"example=512Mi"`
	// Env lists the names of the variables that the command gets to see. It sees no others, not even PATH and HOME.
	Env []string `koanf:"env" json:"env,omitempty" check:"variable" jsonschema:"uniqueItems=true,example=PATH,example=KUBECONFIG"`
	// Inputs are the files and directories that the command reads besides the manifests, relative to the file. With them,
	// or with an empty list, results are remembered; without, the command is run every time, as nobody knows what it
	// looks at. The program, files named by its arguments, and the values of `env` always count.
	Inputs []string `koanf:"inputs" json:"inputs,omitempty" check:"file" jsonschema:"example=policy"`
}

// Kubeconform holds the options of a gate that validates objects against schemas.
type Kubeconform struct {
	// Strict refuses fields that a schema does not know, and keys that are there twice.
	Strict bool `koanf:"strict" json:"strict,omitempty"`
	// KubernetesVersion whose schemas are used. By default it is the newest.
	KubernetesVersion string `koanf:"kubernetesVersion" json:"kubernetesVersion,omitempty" check:"kubernetes" jsonschema:"example=1.34.1"`
	// Schemas lists where schemas are looked for, in this order: `default` (kubeconform's own site), a URL, or a path
	// relative to the file, with kubeconform's placeholders such as {{ .ResourceKind }}. By default it is `default`.
	Schemas []string `koanf:"schemas" json:"schemas,omitempty" check:"file" jsonschema:"example=default,example=schemas"`
	// FleetCRDs takes the schemas of custom resources from the CustomResourceDefinitions that the fleet itself renders.
	FleetCRDs bool `koanf:"fleetCRDs" json:"fleetCRDs,omitempty"`
	// IgnoreKinds lists kinds that are not looked at, as Kind or group/version/Kind.
	IgnoreKinds []string `koanf:"ignoreKinds" json:"ignoreKinds,omitempty" check:"kind" jsonschema:"example=Secret,example=example.com/v1/Widget"`
	// RejectKinds lists kinds that are refused, as Kind or group/version/Kind.
	RejectKinds []string `koanf:"rejectKinds" json:"rejectKinds,omitempty" check:"kind" jsonschema:"example=PodSecurityPolicy"`
	// IgnoreFiles lists globs of files that are not looked at.
	IgnoreFiles []string `koanf:"ignoreFiles" json:"ignoreFiles,omitempty" check:"pattern" jsonschema:"example=*.md"`
	// IgnoreMissingSchemas passes objects of kinds that no place has a schema for.
	IgnoreMissingSchemas bool `koanf:"ignoreMissingSchemas" json:"ignoreMissingSchemas,omitempty"`
}

// Words is a command line, or the list of its words. In the file, a line may be written as it is.
type Words []string

// Severity is what a finding of a gate means.
type Severity string

// Scope says how often a command is run.
type Scope string

// OutputFormat says how the output of a command is read.
type OutputFormat string

// checkGates applies the rules that concern more than one value of a gate.
func (e *effective) checkGates() {
	names := map[string]bool{}
	for i, g := range e.publish.Gates {
		at := index("gates", i)
		if !e.gateIsOne(g, at) {
			continue
		}
		if g.Kubeconform != nil {
			e.refuseOptionsOfRun(at)
		}
		e.checkChoice(g, at)
		if name := g.Title(); names[name] {
			e.problem(member(at, "name"), "give each gate a name of its own", "there are two gates called %q", name)
		} else if message, hint := checks["gate"].explain(name, name); message != "" && g.Name == "" {
			e.problem(member(at, "name"), hint, "the program cannot name the gate: %s", message)
		}
		names[g.Title()] = true
	}
}

// gateIsOne wants exactly one thing to check with.
func (e *effective) gateIsOne(g Gate, at string) bool {
	conform, run := g.Kubeconform != nil, len(g.Run) > 0
	switch {
	case e.refused(member(at, "kubeconform")) || e.refused(member(at, "run")):
	case conform && run:
		e.problem(member(at, "run"), "make two gates of it", "a gate is either kubeconform or a command")
	case !conform && !run:
		e.problem(at, "add kubeconform: {} or run: COMMAND", "the gate checks nothing")
	default:
		return true
	}
	return false
}

// refuseOptionsOfRun refuses options that kubeconform has no use for.
func (e *effective) refuseOptionsOfRun(at string) {
	for _, name := range []string{"scope", "format", "timeout", "memory", "env", "inputs"} {
		if _, there := e.origin(member(at, name)); there && !e.refused(member(at, name)) {
			e.problem(member(at, name), "remove it", "works with run: only")
		}
	}
}

// checkChoice makes sure that a gate names apps and environments that there are.
func (e *effective) checkChoice(g Gate, at string) {
	for n, pattern := range g.Apps {
		if e.refused(index(member(at, "apps"), n)) || len(e.apps) == 0 {
			continue
		}
		if !slices.ContainsFunc(e.apps, func(a App) bool { ok, _ := path.Match(pattern, a.Name); return ok }) {
			e.problem(index(member(at, "apps"), n), "artifactctl check lists the apps", "no app is called %q", pattern)
		}
	}
	for n, name := range g.Environments {
		if !e.loader.environments[name] && !e.refused(index(member(at, "environments"), n)) {
			e.problem(index(member(at, "environments"), n), "add it under environments:", "there is no environment %q%s",
				name, didYouMean(name, keysOf(e.loader.environments)))
		}
	}
}

// Title returns the name of a gate in reports.
func (g Gate) Title() string {
	switch {
	case g.Name != "":
		return g.Name
	case g.Kubeconform != nil:
		return "kubeconform"
	case len(g.Run) == 0:
		return ""
	}
	program, _, _ := strings.Cut(strings.TrimSpace(g.Run[0]), " ")
	return path.Base(strings.Trim(program, `"'`))
}

// AppliesIn reports whether a gate is run in an environment; the empty name is that of none.
func (g Gate) AppliesIn(environment string) bool {
	return len(g.Environments) == 0 || slices.Contains(g.Environments, environment)
}

// quantity is an amount of memory.
var quantity = regexp.MustCompile(`^([1-9][0-9]{0,8})(Ki|Mi|Gi)$`)

// MemoryBytes returns the bound of memory in bytes; 0 when there is none of its own.
func (g Gate) MemoryBytes() int64 {
	m := quantity.FindStringSubmatch(g.Memory)
	if m == nil {
		return 0
	}
	n, err := strconv.ParseInt(m[1], 10, 64)
	if err != nil {
		return 0
	}
	return n << map[string]int{"Ki": 10, "Mi": 20, "Gi": 30}[m[2]]
}
