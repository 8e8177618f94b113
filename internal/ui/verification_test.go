package ui

import (
	"errors"
	"strings"
	"testing"

	"github.com/artifactctl/artifactctl/internal/artifact"
	"github.com/artifactctl/artifactctl/internal/attest"
	"github.com/artifactctl/artifactctl/internal/engine"
)

func verificationReport() *engine.Verification {
	lookup := advice{errors.New("look up the signatures: 429 Too Many Requests"), "try later"}
	unsigned := errors.New("no good signature on " + digest("b") + ": it carries no signature")
	return &engine.Verification{
		Signed: 1, Refused: 3,
		Batches: []engine.BatchSignature{{Digest: digest("e"), SignedBy: digest("f"), Subjects: []string{digest("a"), digest("1"), digest("2")}}},
		Apps: []engine.VerifiedApp{
			{App: "podinfo", Repository: "ghcr.io/org/podinfo", Tag: "edge", Digest: digest("a"), Revision: "main@sha1:" + strings.Repeat("c", 40),
				State: engine.StateSigned, SignedBy: digest("f"), Batch: digest("e")},
			{App: "web", Repository: "ghcr.io/org/web", Tag: "edge", Digest: digest("b"), State: engine.StateUnsigned, Reasons: []string{unsigned.Error()},
				Signatures: []engine.FoundSignature{{Digest: digest("3"), Format: artifact.FormatBundle, Problem: attest.ProblemKey, Reason: "not signed by " + digest("f")}},
				Attestations: []engine.FoundAttestation{
					{Digest: digest("4"), PredicateType: "https://slsa.dev/provenance/v1", Trusted: true, SignedBy: digest("f")},
					{Digest: digest("5"), PredicateType: "hostile\x1b[31m", Problem: attest.ProblemKey, Reason: "not signed by " + digest("f")},
				},
				Failure: &engine.Failure{Stage: engine.StageCheck, Message: unsigned.Error(), Err: unsigned}},
			{App: "flaky", Repository: "ghcr.io/org/flaky", Tag: "edge", State: engine.StateUnknown, Reasons: []string{lookup.Error()},
				Failure: &engine.Failure{Stage: engine.StageCheck, Message: lookup.Error(), Err: lookup}},
			{App: "new\x1b[31m", Repository: "ghcr.io/org/new", Tag: "edge", State: engine.StateMissing, Reasons: []string{`resolve tag "edge": not found`}},
		},
	}
}

func TestVerification(t *testing.T) {
	for name, out := range map[string]Output{
		"verification.txt":  {},
		"verification.json": {Format: JSON, Generator: generator()},
		"verification.yaml": {Format: YAML, Generator: generator()},
	} {
		var s streams
		o := s.options(nil)
		o.Mode, o.Color = ModeNone, ColorAuto
		if err := New(o).Verification(verificationReport(), out); err != nil {
			t.Fatal(err)
		}
		golden(t, name, s.out.String())
		if strings.Contains(s.out.String(), "\x1b") {
			t.Errorf("%s: an escape sequence reached the output", name)
		}
	}
}
