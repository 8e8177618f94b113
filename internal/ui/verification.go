package ui

import (
	"fmt"
	"strings"

	"github.com/artifactctl/artifactctl/internal/engine"
)

// VerificationURL names the schema of VerificationEnvelope.
const VerificationURL = "https://artifactctl.dev/schema/verification.v1.schema.json"

// KindVerification is the document that verify prints.
const KindVerification Kind = "Verification"

// VerificationEnvelope is the outcome of verify as programs read it, apps in the order of publish.yaml.
type VerificationEnvelope struct {
	Schema     string           `json:"$schema" jsonschema:"format=uri"`
	APIVersion string           `json:"apiVersion" jsonschema:"enum=artifactctl.dev/v1"`
	Kind       Kind             `json:"kind" jsonschema:"enum=Verification"`
	Generator  Generator        `json:"generator"`
	Signed     int              `json:"signed"`  // apps with a good signature
	Refused    int              `json:"refused"` // apps in any other state
	Apps       []VerifiedResult `json:"apps"`
	// Batches are the signatures that cover many artifacts; an app names its own by the digest.
	Batches []engine.BatchSignature `json:"batches,omitempty"`
}

// VerifiedResult is what verification found for one app.
type VerifiedResult struct {
	engine.VerifiedApp
	// Failure is why the app is refused, with advice where there is any.
	Failure *FailureResult `json:"failure,omitempty"`
}

// NewVerificationEnvelope returns the document of a verification.
func NewVerificationEnvelope(g Generator, v *engine.Verification) VerificationEnvelope {
	e := VerificationEnvelope{
		Schema: VerificationURL, APIVersion: APIVersion, Kind: KindVerification, Generator: g,
		Signed: v.Signed, Refused: v.Refused, Apps: make([]VerifiedResult, len(v.Apps)), Batches: v.Batches,
	}
	for i, a := range v.Apps {
		e.Apps[i] = VerifiedResult{VerifiedApp: a, Failure: failureResult(a.Failure)}
	}
	return e
}

// Verification ends the status display and prints what verification found, refused apps with every reason.
func (u *UI) Verification(v *engine.Verification, o Output) error {
	u.Close()
	return u.document(o, NewVerificationEnvelope(o.Generator, v), func(p *page) { p.verification(v) })
}

func (p *page) verification(v *engine.Verification) {
	for _, a := range v.Apps {
		p.names = max(p.names, min(width(cleanLine(a.App)), maxName))
	}
	for _, a := range v.Apps {
		mark, paint := "✓", p.palette.green
		if a.State != engine.StateSigned {
			mark, paint = "✗", p.palette.red
		}
		entry := engine.AppReport{App: a.App}
		p.app(entry, mark, string(a.State), paint, cleanLine(verified(a)))
		p.attestations(a)
		p.objects(engine.AppReport{Objects: a.Objects})
		for _, r := range a.Reasons {
			p.message(4, p.palette.red("reason:"), r)
		}
		if a.Failure != nil {
			for _, h := range Hints(a.Failure.Err) {
				p.message(4, p.palette.cyan("hint:"), h)
			}
		}
	}
	p.verifiers(v)
	p.batches(v)
	p.line(0, p.palette.bold(fmt.Sprintf("Summary: %d signed, %d refused", v.Signed, v.Refused)))
}

// verified says what was looked at.
func verified(a engine.VerifiedApp) string {
	text := a.Repository
	if a.Tag != "" {
		text += ":" + a.Tag
	}
	if a.Digest != "" {
		text += "@" + a.Digest
	}
	if a.Reproduced {
		return join(text, a.Revision, "reproduced")
	}
	return join(text, a.Revision)
}

// attestations lists what is stated about an app besides that it is signed.
func (p *page) attestations(a engine.VerifiedApp) {
	for _, t := range a.Attestations {
		by := "by " + t.SignedBy
		if !t.Trusted {
			by = "not trusted: " + t.Reason
		}
		p.message(4, "attestation:", join(t.PredicateType, by))
	}
}

// verifiers says once for all apps whose signatures they are.
func (p *page) verifiers(v *engine.Verification) {
	seen := map[string]bool{}
	for _, a := range v.Apps {
		if a.SignedBy != "" && !seen[a.SignedBy] {
			seen[a.SignedBy] = true
			p.line(0, "Signed by", cut(cleanLine(a.SignedBy), maxColumns))
		}
	}
}

// batches says what each batch signature covers besides the apps above.
func (p *page) batches(v *engine.Verification) {
	for _, b := range v.Batches {
		var names []string
		seen := map[string]bool{}
		for _, a := range v.Apps {
			if a.Batch == b.Digest {
				names = append(names, cleanLine(a.App))
				seen[a.Digest] = true
			}
		}
		text := fmt.Sprintf("Batch signature over %d artifacts: %s", len(b.Subjects), strings.Join(names, ", "))
		if others := len(b.Subjects) - len(seen); others > 0 {
			text += fmt.Sprintf(" and %d that these tags do not name", others)
		}
		p.line(0, cut(text, maxColumns))
	}
}
