package ui

import (
	"errors"
	"strings"
	"testing"

	"github.com/artifactctl/artifactctl/internal/engine"
)

func pruneReport() *engine.PruneReport {
	refused := advice{errors.New("delete " + digest("b") + ": 405 Method Not Allowed"), "the registry does not let clients delete manifests"}
	return &engine.PruneReport{
		Kept: 12, Artifacts: 3, Deleted: 4, Failed: 1,
		Apps: []engine.PrunedApp{
			{App: "podinfo", Repository: "ghcr.io/org/podinfo", Kept: 10, Artifacts: []engine.PrunedArtifact{
				{Digest: digest("a"), Tags: []string{"sha-ccccccc"}, Created: "1969-11-01T00:00:00Z", Revision: "main@sha1:" + strings.Repeat("c", 40), Deleted: 2},
				{Digest: digest("d"), Deleted: 2},
			}},
			{App: "web\x1b[31m", Repository: "ghcr.io/org/web", Kept: 2, Warnings: []string{"sha-0123456 does not say when it was created, and stays"},
				Artifacts: []engine.PrunedArtifact{{Digest: digest("b"), Tags: []string{"sha-bbbbbbb"}}},
				Failure:   &engine.Failure{Stage: engine.StagePrune, Message: refused.Error(), Err: refused}},
		},
	}
}

func TestPruning(t *testing.T) {
	dry := pruneReport()
	dry.DryRun = true
	for name, c := range map[string]struct {
		report *engine.PruneReport
		out    Output
	}{
		"pruning.txt":     {pruneReport(), Output{}},
		"pruning-dry.txt": {dry, Output{}},
		"pruning.json":    {pruneReport(), Output{Format: JSON, Generator: generator()}},
	} {
		var s streams
		o := s.options(nil)
		o.Mode, o.Color = ModeNone, ColorAuto
		if err := New(o).Pruning(c.report, c.out); err != nil {
			t.Fatal(err)
		}
		golden(t, name, s.out.String())
		if strings.Contains(s.out.String(), "\x1b") {
			t.Errorf("%s: an escape sequence reached the output", name)
		}
	}
}
