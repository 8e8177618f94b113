package finding

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write golden files")

// sample has a finding of every kind, with characters that formats have to escape.
func sample() *Report {
	return &Report{Results: []Result{
		{Gate: "kubeconform", App: "web", Status: Refused, Duration: 1500 * time.Millisecond, Findings: []Finding{
			{Gate: "kubeconform", App: "web", Severity: Error, Object: "Deployment/web/api", File: "manifests.yaml", Line: 12,
				Source: "apps/web/kustomization.yaml", Rule: "type", Message: "spec.replicas: got string, want integer"},
			{Gate: "kubeconform", App: "web", Severity: Error, Object: "Widget/w", File: "manifests.yaml", Line: 30,
				Source: "apps/web/kustomization.yaml", Rule: "missing-schema", Message: "there is no schema for example.com/v1 Widget", Hint: "ignore the kind"},
		}},
		{Gate: "policy", App: "web", Status: Warned, Duration: 20 * time.Millisecond, Findings: []Finding{
			{Gate: "policy", App: "web", Severity: Warning, Source: "apps/web/kustomization.yaml", Rule: "refused",
				Message: "FAIL - <100%> of \"images\", a:b\n& the second line\n\nthe last"},
		}},
		{Gate: "kubeconform", App: "flux system", Status: Refused, Findings: []Finding{
			{Gate: "kubeconform", App: "flux system", Severity: Error, Object: "ConfigMap/x", File: "a b.yaml", Line: 3,
				Source: "clusters/flux system/a b.yaml", SourceLine: 3, Rule: "additionalProperties", Message: "dato: there is no such field"},
		}},
		{Gate: "policy", App: "flux system", Status: Passed, Cached: true},
		{Gate: "dry-run", Apps: []string{"web", "flux system"}, Status: Broken, Duration: time.Second, Findings: []Finding{
			{Gate: "dry-run", Severity: Error, Rule: "broken", Message: "kubectl did not end within 1s and was killed\nlast words", Hint: "give it longer", Broken: true},
			{Gate: "dry-run", App: "web", Severity: Warning, Message: "deprecated"},
		}},
	}}
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("got\n%s\nwant %s:\n%s", got, path, want)
	}
}

func TestFormats(t *testing.T) {
	junit, err := JUnit(sample())
	if err != nil {
		t.Fatal(err)
	}
	sarif, err := SARIF(sample(), "1.2.3")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "report.txt", []byte(Lines(sample().Findings())))
	golden(t, "report.junit.xml", junit)
	golden(t, "report.sarif", sarif)
	if err := xml.Unmarshal(junit, &struct{}{}); err != nil {
		t.Errorf("JUnit: %v", err)
	}
}

// A report without findings has all that its formats ask for.
func TestEmptyReport(t *testing.T) {
	sarif, err := SARIF(&Report{}, "")
	if err != nil {
		t.Fatal(err)
	}
	var log struct {
		Runs []struct {
			Results []any `json:"results"`
			Tool    struct {
				Driver struct {
					Rules []any `json:"rules"`
				} `json:"driver"`
			} `json:"tool"`
		} `json:"runs"`
	}
	if err := json.Unmarshal(sarif, &log); err != nil || len(log.Runs) != 1 || log.Runs[0].Results == nil || log.Runs[0].Tool.Driver.Rules == nil {
		t.Errorf("got %s, %v", sarif, err)
	}
	junit, err := JUnit(&Report{})
	if err != nil || !strings.Contains(string(junit), `<testsuites name="gates" tests="0" failures="0" errors="0"></testsuites>`) {
		t.Errorf("got %s, %v", junit, err)
	}
	if Lines(nil) != "" {
		t.Error("something is said of nothing")
	}
}

// The fingerprint of a finding stays when lines move.
func TestFingerprint(t *testing.T) {
	f := sample().Results[0].Findings[0]
	before := fingerprint(f)
	f.Line++
	if fingerprint(f) != before {
		t.Error("a line is part of the fingerprint")
	}
	f.Object = "Deployment/web/other"
	if fingerprint(f) == before {
		t.Error("the object is no part of the fingerprint")
	}
}

// What a command printed cannot break XML.
func TestHostileMessages(t *testing.T) {
	r := &Report{Results: []Result{{Gate: "g", App: "a", Status: Refused, Findings: []Finding{{
		Gate: "g", App: "a", Severity: Error, Message: Clean("one\r\n\x1b[31m]]>&\x00\xff"),
	}}}}}
	junit, err := JUnit(r)
	if err != nil {
		t.Fatal(err)
	}
	if err := xml.Unmarshal(junit, &struct{}{}); err != nil {
		t.Errorf("JUnit: %v", err)
	}
}

func TestClean(t *testing.T) {
	tests := map[string]string{
		"plain\n":                                  "plain",
		"\x1b[31mred\x1b[0m and \x1b[1;4mbold":     "red and bold",
		"a\x1b]8;;http://x\x07link\x1b]8;;\x1b\\b": "alinkb",
		"a\r\nb\x00\x07\tc":                        "a\nb\tc",
		"\xff\xfe":                                 "\uFFFD",
		"cut \x1b[3":                               "cut",
		"cut \x1b":                                 "cut",
		"\x1b(Bx":                                  "Bx",
		"\u009b31mx":                               "31mx",
	}
	for in, want := range tests {
		if got := Clean(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}
