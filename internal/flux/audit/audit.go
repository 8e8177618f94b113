// Package audit finds every Flux source in Kubernetes manifests and says what its artifacts are checked against before a
// cluster applies them, and what is wrong with that. It reads files only: neither a cluster nor, but for Online, a
// registry. It judges configuration; whether a given artifact passes is for verification to say.
//
// Rules follow source-controller 1.9 (Flux 2.9): internal/controller and internal/oci/cosign.
package audit

import (
	"cmp"
	"slices"

	"github.com/artifactctl/artifactctl/internal/flux/manifest"
)

// State is how the artifacts of a source are verified.
type State string

// The states.
const (
	None          State = "none"          // anything is applied
	Key           State = "key"           // by public keys, or certificates (notation)
	Keyless       State = "keyless"       // by an identity
	Misconfigured State = "misconfigured" // verification is configured, and is broken, without effect or far too wide
	Delegated     State = "delegated"     // a HelmRepository: each chart of it is verified by itself, or not
)

// Severity is how bad a finding is.
type Severity string

// The severities.
const (
	Error   Severity = "error"   // unverified or falsely verified content gets into the cluster, or none at all
	Warning Severity = "warning" // weaker than it looks
	Info    Severity = "info"    // worth knowing
)

// Source is one Flux source.
type Source struct {
	Kind      string `json:"kind"`
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name"`
	File      string `json:"file"`
	Line      int    `json:"line"`
	URL       string `json:"url,omitempty"`
	State     State  `json:"state" jsonschema:"enum=none,enum=key,enum=keyless,enum=misconfigured,enum=delegated"`
	Suspended bool   `json:"suspended,omitempty"`
	// By names what signatures are checked against: the Secret, or issuer and subject.
	By string `json:"by,omitempty"`
	// Upstream is what Online found in the registry.
	Upstream *Upstream `json:"upstream,omitempty"`
	// reference is where the artifact is, if that can be told; check is the verify block for Online.
	reference Reference
	identity  *pattern
	features  features
}

// ID names the source for people: Kind/namespace/name.
func (s Source) ID() string { return manifest.ID(s.Kind, s.Namespace, s.Name) }

// Finding is one thing that is wrong with one object.
type Finding struct {
	Rule     string   `json:"rule"`
	Severity Severity `json:"severity" jsonschema:"enum=error,enum=warning,enum=info"`
	Object   string   `json:"object"` // Kind/namespace/name
	File     string   `json:"file"`
	Line     int      `json:"line"`
	Message  string   `json:"message"` // what
	Why      string   `json:"why"`     // why it matters
	Fix      string   `json:"fix"`     // what to do
	// Block is YAML to paste below spec (chart.spec in a HelmRelease), where the fix is known.
	Block string `json:"block,omitempty"`
}

// Accepted is a finding that the baseline accepts.
type Accepted struct {
	Finding
	Reason  string `json:"reason"`
	Expires string `json:"expires,omitempty"`
}

// Report is the outcome of an audit. Sources and findings stand in the order of files and lines.
type Report struct {
	Sources  []Source   `json:"sources"`
	Findings []Finding  `json:"findings"`
	Accepted []Accepted `json:"accepted"`
	// Unused are exceptions of the baseline that accept nothing: expired, or no longer needed.
	Unused []Unused `json:"unused"`
	// Problems are documents that could not be read.
	Problems []manifest.Problem `json:"problems"`
}

// Count returns how many findings have a severity.
func (r *Report) Count(s Severity) int {
	n := 0
	for _, f := range r.Findings {
		if f.Severity == s {
			n++
		}
	}
	return n
}

// InState returns how many sources are in a state.
func (r *Report) InState(s State) int {
	n := 0
	for _, source := range r.Sources {
		if source.State == s {
			n++
		}
	}
	return n
}

// Options tell what the audit cannot read in the files.
type Options struct {
	// Own are the repositories that publish.yaml publishes to, with what signs there.
	Own []Own
}

// Own is a repository of the user's own.
type Own struct {
	Repository string // host/path
	// Issuer and Subject are exact values that verify must accept; empty for keys.
	Issuer, Subject string
	// Keys are the public keys (PEM) of which the Secret must hold at least one; empty for an identity.
	Keys [][]byte
	// Block is the verify block that generate writes for this repository.
	Block string
}

// Run audits files: manifests, rendered apps, or an export of a cluster.
func Run(files []manifest.File, o Options) *Report {
	objects, problems := manifest.Read(files)
	a := newAuditor(objects, manifest.Patches(files), o)
	for _, object := range objects {
		a.object(object)
	}
	for _, p := range problems {
		if p.Flux {
			a.add(finding{rule: unreadable, object: "document", file: p.File, line: p.Line, message: "it names a Flux API and cannot be read: " + p.Message,
				fix: "audit what the template or kustomization renders"})
		}
	}
	r := a.report
	r.Problems = append(r.Problems, problems...)
	r.sort()
	return r
}

func (r *Report) sort() {
	slices.SortStableFunc(r.Findings, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Object, b.Object), cmp.Compare(a.Rule, b.Rule))
	})
	slices.SortStableFunc(r.Sources, func(a, b Source) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line))
	})
}
