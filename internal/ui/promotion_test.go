package ui

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/artifactctl/artifactctl/internal/engine"
)

// promotionReport has an app of every kind that a promotion can show.
func promotionReport() *engine.PromotionReport {
	const by = "sha256:0123456789abcdef"
	revision := "main@sha1:" + strings.Repeat("c", 40)
	distrust := advice{errors.New("the target would refuse it: no good signature on " + digest("6")), "promote --sign has the target's signer sign it, too"}
	app := func(name string, status engine.PromotionStatus) engine.PromotedApp {
		return engine.PromotedApp{App: name, Status: status, From: "ghcr.io/staging/" + name, Repository: "registry.corp/" + name,
			Tag: "1.4.2", Digest: digest("b"), Revision: revision, SignedBy: by}
	}
	copied, present, late, held := app("podinfo", engine.Promoted), app("quiet", engine.PromotionPresent),
		app("late", engine.PromotionSuperseded), app("held", engine.PromotionHeld)
	copied.Copied, copied.Sent, copied.Signed = 3, 5120, true
	copied.Tags = []engine.TagReport{
		{Name: "sha-ccccccc", Kind: engine.CommitTag, Status: engine.TagMoved},
		{Name: "1.4.2", Kind: engine.ReleaseTag, Status: engine.TagMoved},
		{Name: "edge", Kind: engine.RollingTag, Status: engine.TagPresent, From: digest("b")},
	}
	late.SignedBy, late.Warnings = "", []string{`tag "edge" stays: it names main@sha1:dddddddddddd, which is newer`}
	late.Tags = []engine.TagReport{{Name: "edge", Kind: engine.RollingTag, Status: engine.TagSuperseded, From: digest("8")}}
	held.Copied, held.Tags = 2, []engine.TagReport{{Name: "1.4.2", Kind: engine.ReleaseTag, Status: engine.TagHeld}}
	broken, stopped := app("broken\x1b[31m", engine.PromotionFailed), app("stopped", engine.PromotionFailed)
	broken.SignedBy, broken.Failure = "", &engine.Failure{Stage: engine.StageCompare, Message: distrust.Error(), Err: distrust}
	stopped.SignedBy, stopped.Failure = "", &engine.Failure{Stage: engine.StageCopy, Message: "context canceled", Err: context.Canceled}
	return &engine.PromotionReport{
		From: "ghcr.io/staging", To: "registry.corp", Tag: "1.4.2", Release: true,
		Apps:    []engine.PromotedApp{copied, present, late, held, broken, stopped},
		Summary: engine.PromotionSummary{Apps: 6, Promoted: 1, Present: 1, Superseded: 1, Held: 1, Failed: 2, Signed: 1, Tagged: 2},
	}
}

func TestPromotion(t *testing.T) {
	for name, out := range map[string]Output{
		"promotion.txt":  {},
		"promotion.json": {Format: JSON, Generator: generator()},
		"promotion.yaml": {Format: YAML, Generator: generator()},
	} {
		var s streams
		o := s.options(nil)
		o.Mode, o.Color = ModeNone, ColorAuto
		if err := New(o).Promotion(promotionReport(), nil, out); err != nil {
			t.Fatal(err)
		}
		golden(t, name, s.out.String())
		if strings.Contains(s.out.String(), "\x1b") {
			t.Errorf("%s: an escape sequence reached the output", name)
		}
	}
}
