package ui

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/artifactctl/artifactctl/internal/changes"
	"github.com/artifactctl/artifactctl/internal/engine"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares got with testdata/<name>.
func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs (write it anew with -update)\n--- got\n%s\n--- want\n%s", file, got, want)
	}
}

// advice is an error that knows what to do.
type advice struct {
	err  error
	hint string
}

func (a advice) Error() string { return a.err.Error() }
func (a advice) Unwrap() error { return a.err }
func (a advice) Hint() string  { return a.hint }

func digest(c string) string { return "sha256:" + strings.Repeat(c, 64) }

func denied() error {
	return advice{fmt.Errorf("open the key: %w", errors.New("wrong passphrase")), "set COSIGN_PASSWORD"}
}

func source() engine.Source {
	return engine.Source{Remote: "https://git.example.com/org/fleet", Commit: strings.Repeat("c", 40), Branch: "main",
		Revision: "main@sha1:" + strings.Repeat("c", 40), Created: "2026-11-20T10:00:00Z"}
}

const deploymentDiff = `@@ -1,6 +1,6 @@
 kind: Deployment
 spec:
-  replicas: 2
+  replicas: 3
   template: {}
`

// planReport has an app of every kind that a plan can show.
func planReport() *engine.Report {
	return &engine.Report{
		Source: source(),
		Apps: []engine.AppReport{
			{App: "podinfo", Repository: "ghcr.io/org/podinfo", Change: engine.Changed, Digest: digest("b"),
				Content: digest("1"), Baseline: "edge", Pushed: true, Signed: true,
				Tags: []engine.TagReport{
					{Name: "sha-ccccccc", Kind: engine.CommitTag, Status: engine.TagMove},
					{Name: "edge", Kind: engine.RollingTag, Status: engine.TagMove, From: digest("a")},
				},
				Objects: []changes.Object{
					{Op: changes.Changed, APIVersion: "apps/v1", Kind: "Deployment", Namespace: "web", Name: "podinfo", Diff: deploymentDiff},
					{Op: changes.Removed, APIVersion: "v1", Kind: "ConfigMap", Namespace: "web", Name: "old", Diff: "@@ -1 +0,0 @@\n-kind: ConfigMap\n"},
				}},
			{App: "cert-manager", Repository: "ghcr.io/org/cert-manager", Change: engine.New, Digest: digest("d"),
				Pushed: true, Signed: true, Baseline: "edge",
				Tags:     []engine.TagReport{{Name: "edge", Kind: engine.RollingTag, Status: engine.TagMove}},
				Objects:  []changes.Object{{Op: changes.Added, Name: "README.md", Diff: "--- a\n+++ b\n@@ -0,0 +1 @@\n+hello\n"}},
				Warnings: []string{"commonLabels is deprecated, use labels"}},
			{App: "quiet", Repository: "ghcr.io/org/quiet", Change: engine.Unchanged, Digest: digest("e"), Baseline: "edge",
				Tags: []engine.TagReport{{Name: "edge", Kind: engine.RollingTag, Status: engine.TagPresent, From: digest("e")}}},
			{App: "unsigned", Repository: "ghcr.io/org/unsigned", Change: engine.Unchanged, Digest: digest("f"), Baseline: "edge", Signed: true},
			{App: "late", Repository: "ghcr.io/org/late", Change: engine.Changed, Digest: digest("7"), Baseline: "edge",
				Tags:     []engine.TagReport{{Name: "edge", Kind: engine.RollingTag, Status: engine.TagSuperseded, From: digest("8")}},
				Warnings: []string{`tag "edge" stays: it names main@sha1:dddddddddddd, which is newer`}},
			{App: "broken", Repository: "ghcr.io/org/broken", Failure: &engine.Failure{Stage: engine.StageRender,
				Message: "k8s/apps/broken/kustomization.yaml:\nno matches for Id Deployment.v1.apps/web\nfailed to find unique target",
				Err:     advice{errors.New("render"), "the patch names an object that no resource has"}}},
			{App: "stopped", Repository: "ghcr.io/org/stopped", Failure: &engine.Failure{Stage: engine.StageRender,
				Message: "context canceled", Err: context.Canceled}},
		},
		Summary: engine.Summary{Apps: 7, New: 1, Changed: 2, Unchanged: 2, Pushed: 2, Signed: 3, Healed: 1, Tagged: 3, Failed: 2},
	}
}

// publishReport has an app of every kind that a publish can show.
func publishReport() *engine.Report {
	const by = "sha256:0123456789abcdef"
	return &engine.Report{
		Source: source(),
		Apps: []engine.AppReport{
			{App: "podinfo", Repository: "ghcr.io/org/podinfo", Change: engine.Changed, Digest: digest("b"), Pushed: true, Signed: true, SignedBy: by,
				Tags: []engine.TagReport{
					{Name: "sha-ccccccc", Kind: engine.CommitTag, Status: engine.TagMoved},
					{Name: "edge", Kind: engine.RollingTag, Status: engine.TagMoved, From: digest("a")},
				}},
			{App: "unsigned", Repository: "ghcr.io/org/unsigned", Change: engine.Unchanged, Digest: digest("f"), Signed: true, SignedBy: by},
			{App: "tagged", Repository: "ghcr.io/org/tagged", Change: engine.Unchanged, Digest: digest("9"), SignedBy: by,
				Tags: []engine.TagReport{{Name: "1.4.2", Kind: engine.ReleaseTag, Status: engine.TagMoved}}},
			{App: "quiet", Repository: "ghcr.io/org/quiet", Change: engine.Unchanged, Digest: digest("e"), SignedBy: by},
			{App: "late", Repository: "ghcr.io/org/late", Change: engine.Changed, Digest: digest("7"),
				Tags:     []engine.TagReport{{Name: "edge", Kind: engine.RollingTag, Status: engine.TagSuperseded, From: digest("8")}},
				Warnings: []string{`tag "edge" stays: it names main@sha1:dddddddddddd, which is newer`}},
			{App: "held", Repository: "ghcr.io/org/held", Change: engine.Unchanged, Digest: digest("5"),
				Tags: []engine.TagReport{{Name: "1.4.2", Kind: engine.ReleaseTag, Status: engine.TagHeld}}},
			{App: "broken", Repository: "ghcr.io/org/broken", Change: engine.New, Digest: digest("6"), Pushed: true,
				Tags:    []engine.TagReport{{Name: "edge", Kind: engine.RollingTag, Status: engine.TagHeld}},
				Failure: &engine.Failure{Stage: engine.StageSign, Message: denied().Error(), Err: denied()}},
			{App: "stopped", Repository: "ghcr.io/org/stopped", Change: engine.New, Digest: digest("4"),
				Failure: &engine.Failure{Stage: engine.StagePush, Message: "context canceled", Err: context.Canceled}},
		},
		Summary: engine.Summary{Apps: 8, New: 2, Changed: 2, Unchanged: 4, Pushed: 2, Signed: 2, Healed: 1, Tagged: 3, Failed: 2},
	}
}

// clock is a time that goes on by step at each look.
type clock struct {
	now  time.Time
	step time.Duration
}

func (c *clock) Now() time.Time {
	c.now = c.now.Add(c.step)
	return c.now
}

// streams are the outputs of a UI under test.
type streams struct{ out, err bytes.Buffer }

func (s *streams) options(env map[string]string) Options {
	c := &clock{now: time.Unix(0, 0), step: 700 * time.Millisecond}
	return Options{
		Stdout: &s.out, Stderr: &s.err, Now: c.Now,
		Environ: func(name string) (string, bool) { v, ok := env[name]; return v, ok },
	}
}

func generator() Generator { return Generator{Name: "artifactctl", Version: "v0.1.0"} }

// unhidden is Markdown where there is no secret to blank.
func unhidden(kind Kind, r *engine.Report, limit int) []byte {
	return markdownOf(kind, r, limit, func(text string) string { return text })
}
