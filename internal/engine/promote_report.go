package engine

// PromotionStatus is what became of an app in a promotion.
type PromotionStatus string

// The states of an app in a promotion.
const (
	Promoted            PromotionStatus = "promoted"   // something was copied, signed or tagged
	PromotionPresent    PromotionStatus = "present"    // the target had all of it, and its tags named it
	PromotionSuperseded PromotionStatus = "superseded" // left alone: the target's tags name a newer commit
	PromotionHeld       PromotionStatus = "held"       // copied and verified; its tags wait for other apps of the release
	PromotionFailed     PromotionStatus = "failed"
)

// PromotedApp is the outcome of a promotion for one app.
type PromotedApp struct {
	App        string          `json:"app"`
	Status     PromotionStatus `json:"status" jsonschema:"enum=promoted,enum=present,enum=superseded,enum=held,enum=failed"`
	From       string          `json:"from"`               // repository in the source, with the registry's host and prefix
	Repository string          `json:"repository"`         // repository in the target
	Tag        string          `json:"tag"`                // in the source
	Digest     string          `json:"digest,omitempty"`   // the same on both sides
	Revision   string          `json:"revision,omitempty"` // recorded in the artifact
	// SignedBy is the identity whose signature was verified in the target; empty until then.
	SignedBy string      `json:"signedBy,omitempty"`
	Copied   int         `json:"copied"` // manifests that this run wrote to the target: the artifact and what refers to it
	Sent     int64       `json:"sent"`   // bytes of blobs that this run sent; in a dry run, those that it would at most
	Signed   bool        `json:"signed"` // by the target's signer, in this run
	Tags     []TagReport `json:"tags,omitempty"`
	Warnings []string    `json:"warnings,omitempty"`
	Failure  *Failure    `json:"failure,omitempty"`
}

func (a *PromotedApp) warn(text string) { a.Warnings = append(a.Warnings, text) }

// PromotionSummary counts apps, and tags.
type PromotionSummary struct {
	Apps       int `json:"apps"`
	Promoted   int `json:"promoted"`
	Present    int `json:"present"`
	Superseded int `json:"superseded"`
	Held       int `json:"held"`
	Failed     int `json:"failed"`
	Signed     int `json:"signed"` // by the target's signer
	Tagged     int `json:"tagged"` // tags that moved or, in a dry run, would
}

// PromotionReport is the outcome of Promote, apps in the order of publish.yaml.
type PromotionReport struct {
	From    string           `json:"from"`          // the source's registry
	To      string           `json:"to"`            // the target's registry
	Tag     string           `json:"tag,omitempty"` // that was asked for
	Release bool             `json:"release"`       // the tags of all apps move together, or none does
	DryRun  bool             `json:"dryRun"`        // nothing was done: this is what would be
	Apps    []PromotedApp    `json:"apps"`
	Summary PromotionSummary `json:"summary"`
}

// settle says of each app what became of it, and counts.
func (r *PromotionReport) settle() {
	s := &r.Summary
	s.Apps = len(r.Apps)
	for i := range r.Apps {
		a := &r.Apps[i]
		a.Status = a.outcome()
		count(&s.Promoted, a.Status == Promoted)
		count(&s.Present, a.Status == PromotionPresent)
		count(&s.Superseded, a.Status == PromotionSuperseded)
		count(&s.Held, a.Status == PromotionHeld)
		count(&s.Failed, a.Status == PromotionFailed)
		count(&s.Signed, a.Signed)
		s.Tagged += a.tags(TagMoved) + a.tags(TagMove)
	}
}

func (a *PromotedApp) outcome() PromotionStatus {
	switch {
	case a.Failure != nil:
		return PromotionFailed
	case a.tags(TagHeld) > 0:
		return PromotionHeld
	case a.Copied > 0 || a.Signed || a.tags(TagMoved)+a.tags(TagMove) > 0:
		return Promoted
	case len(a.Tags) > 0 && a.tags(TagSuperseded) == len(a.Tags):
		return PromotionSuperseded
	}
	return PromotionPresent
}

// tags counts the app's tags in a state.
func (a *PromotedApp) tags(status TagStatus) int {
	n := 0
	for _, t := range a.Tags {
		count(&n, t.Status == status)
	}
	return n
}
