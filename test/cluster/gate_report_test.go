package cluster_test

import (
	"encoding/json"
	"encoding/xml"
	"regexp"
	"strings"
	"testing"
)

// The readers of a report, one for each format. Each returns what gate dry-run says, by app, and checks that no other
// gate refuses anything.

var inTextual = regexp.MustCompile(`(?m)^ +(\S+)/manifests\.yaml: error: (.*) \(dry-run: refused\)$`)

func inText(t *testing.T, result []byte) map[string]string {
	t.Helper()
	refused := map[string]string{}
	for _, found := range inTextual.FindAllSubmatch(result, -1) {
		refused[string(found[1])] = string(found[2])
	}
	if !strings.Contains(string(result), "\nGates: 3 passed, 3 refused, 0 failed\n") || strings.Count(string(result), ": refused)\n") != len(refused) {
		t.Errorf("%s", result)
	}
	return refused
}

func inJSON(t *testing.T, result []byte) map[string]string {
	t.Helper()
	var document struct {
		Apps []struct {
			App   string
			Gates []struct {
				Gate, Status string
				Findings     []struct{ Message string }
			}
			Failure *struct{ Stage, Message string }
		}
	}
	if err := json.Unmarshal(result, &document); err != nil {
		t.Fatalf("%v\n%s", err, result)
	}
	refused := map[string]string{}
	for _, a := range document.Apps {
		if len(a.Gates) != 3 || a.Gates[0].Status != "passed" || a.Gates[1].Status != "passed" || a.Gates[2].Gate != "dry-run" {
			t.Errorf("%s: %+v", a.App, a.Gates)
			continue
		}
		if last := a.Gates[2]; last.Status == "refused" && a.Failure != nil && a.Failure.Stage == "gate" && len(last.Findings) == 1 {
			refused[a.App] = last.Findings[0].Message
		} else if last.Status != "passed" || a.Failure != nil {
			t.Errorf("%s: %+v, %+v", a.App, last, a.Failure)
		}
	}
	return refused
}

func inJUnit(t *testing.T, result []byte) map[string]string {
	t.Helper()
	var suites struct {
		Tests  int `xml:"tests,attr"`
		Suites []struct {
			Cases []struct {
				Name    string `xml:"name,attr"`
				Class   string `xml:"classname,attr"`
				Failure *struct {
					Text string `xml:",chardata"`
				} `xml:"failure"`
			} `xml:"testcase"`
		} `xml:"testsuite"`
	}
	if err := xml.Unmarshal(result, &suites); err != nil || suites.Tests != 18 {
		t.Fatalf("%d tests, %v\n%s", suites.Tests, err, result)
	}
	refused := map[string]string{}
	for _, suite := range suites.Suites {
		for _, c := range suite.Cases {
			if c.Failure == nil {
				continue
			}
			if c.Class != "dry-run" {
				t.Errorf("%+v", c)
			}
			refused[c.Name] = c.Failure.Text
		}
	}
	return refused
}

func inSARIF(t *testing.T, result []byte) map[string]string {
	t.Helper()
	var log struct {
		Runs []struct {
			Results []struct {
				RuleID    string
				Message   struct{ Text string }
				Locations []struct {
					LogicalLocations []struct{ Name string }
				}
			}
		}
	}
	if err := json.Unmarshal(result, &log); err != nil || len(log.Runs) != 1 {
		t.Fatalf("%v\n%s", err, result)
	}
	refused := map[string]string{}
	for _, r := range log.Runs[0].Results {
		if r.RuleID != "dry-run/refused" || len(r.Locations) != 1 || len(r.Locations[0].LogicalLocations) != 1 {
			t.Errorf("%+v", r)
			continue
		}
		refused[r.Locations[0].LogicalLocations[0].Name] = r.Message.Text
	}
	return refused
}

func inGitHub(t *testing.T, result []byte) map[string]string {
	t.Helper()
	refused := map[string]string{}
	for line := range strings.Lines(string(result)) {
		properties, message, _ := strings.Cut(strings.TrimPrefix(line, "::error file=apps/"), "::")
		app, title, ok := strings.Cut(properties, "/kustomization.yaml,title=")
		if !ok || title != app+"%3A dry-run%3A refused" {
			t.Errorf("%s", line)
		}
		refused[app] = message
	}
	return refused
}
