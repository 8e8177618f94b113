package main

import (
	"strings"
	"testing"

	"github.com/artifactctl/artifactctl/config"
	"github.com/artifactctl/artifactctl/internal/engine"
	"github.com/artifactctl/artifactctl/internal/finding"
)

// A provenance names the gates that were passed, and no others; another configuration has another digest.
func TestPassedGates(t *testing.T) {
	gates := []config.Gate{{Kubeconform: &config.Kubeconform{Strict: true}}, {Run: config.Words{"conftest test -"}}, {Name: "policies", Run: config.Words{"x"}}}
	s := &session{cfg: &config.Config{Publish: config.Publish{Gates: gates}}}
	got := s.passed([]engine.GateOutcome{
		{Gate: "kubeconform", Status: finding.Passed}, {Gate: "conftest", Status: finding.Warned, Cached: true},
		{Gate: "policies", Status: finding.Broken}, {Gate: "policies", Status: finding.Refused}, {Gate: "unknown", Status: finding.Passed},
	})
	if len(got) != 2 || got[0].Name != "kubeconform" || got[0].Status != "passed" || got[1].Name != "conftest" || got[1].Status != "warned" {
		t.Fatalf("got %+v", got)
	}
	if !strings.HasPrefix(got[0].Config, "sha256:") || got[0].Config == got[1].Config || got[1].Version != "" {
		t.Errorf("got %+v", got)
	}
	if v := got[0].Version; v != "" && v[0] != 'v' {
		t.Errorf("kubeconform %q", v)
	}
	gates[0].Kubeconform.Strict = false
	if again := s.passed([]engine.GateOutcome{{Gate: "kubeconform", Status: finding.Passed}}); again[0].Config == got[0].Config {
		t.Error("another configuration has the same digest")
	}
}
