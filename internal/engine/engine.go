// Package engine decides: it plans every app (render, build, compare with the registry) and publishes the plan (push by
// digest, sign, check, attach, read back, tag). It is pure: all that touches disk, network, processes or terminals is
// behind the small interfaces of this file, and what happens is told through events.
package engine

import (
	"context"
	"time"

	"github.com/artifactctl/artifactctl/internal/artifact"
	"github.com/artifactctl/artifactctl/internal/attest"
	"github.com/artifactctl/artifactctl/internal/changes"
	"github.com/artifactctl/artifactctl/plugins/signer"
)

// App is one artifact of the fleet.
type App struct {
	Name        string
	Repository  string            // path below the registry, without a tag
	Annotations map[string]string // further manifest annotations
}

// Source is the commit that a run publishes.
type Source struct {
	Remote   string `json:"remote"`            // URL without credentials
	Commit   string `json:"commit"`            // full hex id
	Branch   string `json:"branch,omitempty"`  // empty on a detached head that no CI variable names
	Version  string `json:"version,omitempty"` // release version without its "v"; empty when this run is no release
	Revision string `json:"revision"`          // "<branch or tag>@sha1:<commit>", with "-dirty" when the tree is
	Created  string `json:"created"`           // RFC 3339, UTC
	Dirty    bool   `json:"dirty"`
}

// Renderer turns an app into its files. It is called concurrently, once an app.
type Renderer interface {
	// Render returns the files of the app with this name, and warnings to show.
	Render(ctx context.Context, app string) (artifact.Files, []string, error)
}

// Orderer is a Renderer that knows in which order apps are best begun.
type Orderer interface {
	// Order returns the indices of apps, each once.
	Order(ctx context.Context, apps []string) []int
}

// Registry is the store of artifacts. Methods are called concurrently. A repository is a path below the registry.
// Only an answer that says so is artifact.ErrNotFound; every other failure is another error.
type Registry interface {
	// Resolve returns the manifest that a tag or a digest names.
	Resolve(ctx context.Context, repository, ref string) (artifact.Manifest, error)
	// Fetch returns the bytes that d names, verified against its digest and size.
	Fetch(ctx context.Context, repository string, d artifact.Descriptor) ([]byte, error)
	// Push stores the blobs and then the manifest, by digest. Doing it again changes nothing, though small blobs may be
	// sent once more.
	Push(ctx context.Context, repository string, a *artifact.Artifact) error
	// Signatures returns all signatures that are stored beside subject, bundles and legacy ones.
	// None is an empty list; a look-up that failed is an error.
	Signatures(ctx context.Context, repository string, subject artifact.Descriptor) ([]artifact.Signature, error)
	// Attach stores a signature beside subject. Attaching the same bytes again changes nothing.
	Attach(ctx context.Context, repository string, subject artifact.Descriptor, s artifact.Signature) error
	// Tag makes tag name m, by one request.
	Tag(ctx context.Context, repository string, m artifact.Manifest, tag string) error
	// Tags lists the tags of a repository, sorted; a repository that does not exist has none.
	Tags(ctx context.Context, repository string) ([]string, error)
}

// Recall looks up signatures, with the help of what it remembers of earlier look-ups.
type Recall interface {
	// Signatures is Registry.Signatures, except that what the registry lists need not be fetched again.
	Signatures(ctx context.Context, repository string, subject artifact.Descriptor) ([]artifact.Signature, error)
}

// History answers how two commits relate.
type History interface {
	// Compare says what commit `to` is, seen from commit `from`.
	Compare(ctx context.Context, from, to string) (Relation, error)
}

// Relation is how a commit relates to another.
type Relation string

// The relations. Unknown is what a shallow clone answers for a commit that it does not have.
const (
	Same       Relation = "same"
	Descendant Relation = "descendant"
	Ancestor   Relation = "ancestor"
	Diverged   Relation = "diverged"
	Unknown    Relation = "unknown"
)

// Signer signs; signer.Signer after Open.
type Signer interface {
	Sign(ctx context.Context, r signer.Request) (signer.Signature, error)
}

// Engine publishes apps. Its fields are set once, before the first call; its methods are safe for concurrent use.
type Engine struct {
	Registry Registry
	Recall   Recall // asked to find that nothing is to be done; never before a tag moves, nor to verify; may be nil
	Renderer Renderer
	Gates    Gates // looks at all that is rendered; nil for no gates
	History  History
	Signer   Signer        // not needed to plan
	Policy   attest.Policy // what a good signature is
	Diff     Differ
	// Reproducer makes Verify prove that what is published is what its commit renders to; nil leaves that out.
	Reproducer CommitRenderer

	Source      Source
	Host        string // registry host and path prefix, for signatures and messages: "ghcr.io/org"
	Tags        TagRules
	Formats     []artifact.Format // how signatures are stored; at least one
	Statements  []Statement       // what is attested of every artifact, each of another predicate type; needs bundles
	Batch       bool              // one bundle for all artifacts that a run signs, attest.MaxSubjects at a time
	Concurrency int               // apps at a time; 0 means 8
	Keep        int64             // bytes of artifacts that a plan keeps for its publish; 0 means 64 MiB
	Phase       Phase
	FailFast    bool
	Rollback    bool // let rolling tags move backwards

	// Pauses are the waits between attempts at a signer or a read-back; nil means the built-in ones.
	Pauses []time.Duration

	Events func(Event) // called under a lock; may be nil
}

// Differ explains how files differ; changes.Compare with a key for masks.
type Differ func(before, after artifact.Files) []changes.Object
