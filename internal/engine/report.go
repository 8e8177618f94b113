package engine

import (
	"github.com/artifactctl/artifactctl/internal/changes"
	"github.com/artifactctl/artifactctl/internal/inventory"
)

// Change is how an app's content relates to its baseline.
type Change string

// The changes.
const (
	New       Change = "new"
	Changed   Change = "changed"
	Unchanged Change = "unchanged"
)

// TagKind is the rule that a tag follows.
type TagKind string

// The kinds of tags. Commit and release tags are immutable.
const (
	CommitTag  TagKind = "commit"
	RollingTag TagKind = "rolling"
	ReleaseTag TagKind = "release"
)

// TagStatus is what became of a tag.
type TagStatus string

// The states of a tag in a plan or report.
const (
	TagMove       TagStatus = "move"       // plan: will be created or moved
	TagMoved      TagStatus = "moved"      // publish: was created or moved by this run
	TagPresent    TagStatus = "present"    // named this digest already
	TagSuperseded TagStatus = "superseded" // left alone: it names a newer commit
	TagHeld       TagStatus = "held"       // publish: not moved because the app, or another app of the release, failed
)

// TagReport is one tag of an app.
type TagReport struct {
	Name   string    `json:"name"`
	Kind   TagKind   `json:"kind" jsonschema:"enum=commit,enum=rolling,enum=release"`
	Status TagStatus `json:"status" jsonschema:"enum=move,enum=moved,enum=present,enum=superseded,enum=held"`
	From   string    `json:"from,omitempty"` // the digest it named before
}

// Failure is why an app failed.
type Failure struct {
	Stage   Stage  `json:"stage"`
	Message string `json:"message"`
	Err     error  `json:"-"`
}

// AppReport is the outcome for one app, of a plan or of a publish.
type AppReport struct {
	App        string `json:"app"`
	Repository string `json:"repository"` // with the registry's host and prefix
	Change     Change `json:"change,omitempty" jsonschema:"enum=new,enum=changed,enum=unchanged"`
	Digest     string `json:"digest,omitempty"`   // manifest digest that the app's tags name, or will name
	Content    string `json:"content,omitempty"`  // digest of the uncompressed content
	Baseline   string `json:"baseline,omitempty"` // the tag that was compared with
	Revision   string `json:"revision,omitempty"` // revision recorded in the artifact that Digest names
	Pushed     bool   `json:"pushed"`             // plan: will be pushed; publish: was pushed by this run
	Signed     bool   `json:"signed"`             // plan: will be signed; publish: was signed by this run
	// Attested lists the predicate types of attestations. Plan: will be attached; publish: were attached by this run.
	Attested []string `json:"attested,omitempty"`
	// SignedBy is the identity whose signature was verified on Digest; empty until then.
	SignedBy string           `json:"signedBy,omitempty"`
	Tags     []TagReport      `json:"tags,omitempty"`
	Objects  []changes.Object `json:"objects,omitempty"`
	// Images lists the images that differ from the baseline; of a plan only.
	Images   []inventory.ImageChange `json:"images,omitempty"`
	Gates    []GateOutcome           `json:"gates,omitempty"` // what gates said about Content
	Warnings []string                `json:"warnings,omitempty"`
	Failure  *Failure                `json:"failure,omitempty"`
}

// Summary counts apps.
type Summary struct {
	Apps      int `json:"apps"`
	New       int `json:"new"`
	Changed   int `json:"changed"`
	Unchanged int `json:"unchanged"`
	Pushed    int `json:"pushed"`
	Signed    int `json:"signed"`             // signed in this run, healed ones included
	Healed    int `json:"healed"`             // signed though not pushed
	Attested  int `json:"attested,omitempty"` // with attestations of this run
	Tagged    int `json:"tagged"`             // tags moved
	Failed    int `json:"failed"`
}

// Report is the outcome of a run, apps in the order of publish.yaml.
type Report struct {
	Source  Source      `json:"source"`
	Apps    []AppReport `json:"apps"`
	Summary Summary     `json:"summary"`
}
