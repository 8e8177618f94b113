package e2e_test

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/artifactctl/artifactctl/test/fixture"
	"github.com/artifactctl/artifactctl/test/peers"
)

// policy is a rule of conftest's: no image without a version.
const policy = `package main

deny contains msg if {
	input.kind == "Deployment"
	some c in input.spec.template.spec.containers
	endswith(c.image, ":latest")
	msg := sprintf("container %s has no version", [c.name])
}
`

// deploymentSchema is what an air-gapped place of schemas holds.
const deploymentSchema = `{"type": "object", "properties": {"spec": {"type": "object", "properties": {"replicas": {"type": "integer"}}}}}`

// counted is a gate that writes down whom it looked at, below its working directory.
const counted = `printf '%s\n' "$ARTIFACTCTL_APP" >> "$RUNS"`

// policed is a fleet with kubeconform, conftest and a script as gates.
func policed(t *testing.T, apps int) *fixture.Fleet {
	t.Helper()
	conftest := peers.Conftest(t)
	fleet := fixture.NewFleet(t, fixture.Options{Apps: apps, Key: fixture.NewKey(t, "p256"), Gates: fmt.Sprintf(`  - kubeconform: {strict: true, schemas: ["schemas/{{ .ResourceKind }}.json"], ignoreMissingSchemas: true}
  - name: conftest
    run: [%s, test, --policy, policy, --output, json, "-"]
    format: conftest
    env: [HOME]
    inputs: [policy]
  - name: counted
    run: [sh, tools/counted]
    env: [PATH, RUNS]
    inputs: []
`, conftest)})
	for path, content := range map[string]string{"policy/images.rego": policy, "schemas/deployment.json": deploymentSchema, "tools/counted": counted} {
		if err := fleet.Write(path, content); err != nil {
			t.Fatal(err)
		}
	}
	return fleet
}

// spoil makes conftest refuse an app.
func spoil(t *testing.T, fleet *fixture.Fleet, app string) {
	t.Helper()
	path := filepath.Join(fleet.Dir, "apps", app, "overlay", "kustomization.yaml")
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(strings.Replace(string(content), "newTag: 1.2.3", "newTag: latest", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := fleet.Commit(t.Context(), "spoil "+app); err != nil {
		t.Fatal(err)
	}
}

// A policy failure in one app of twenty publishes nineteen, and in a release moves no tag.
func TestPolicyRefusesOneOfTwenty(t *testing.T) {
	fleet := policed(t, 19)
	spoil(t, fleet, "app-007")
	r := peers.Distribution(t)
	guard(t, fleet, r)
	runs := []string{"RUNS=" + filepath.Join(t.TempDir(), "runs")}
	out := t.TempDir()
	got := finish(t, command(t.Context(), t, fleet, url(r), runs, "publish", "-o", "json",
		"--findings", "junit="+filepath.Join(out, "gates.xml"), "--findings", "sarif="+filepath.Join(out, "gates.sarif")))
	var report struct {
		Summary struct{ Apps, Pushed, Failed int }
		Apps    []struct {
			App     string
			Gates   []struct{ Gate, Status string }
			Failure *struct{ Stage, Message string }
		}
	}
	if err := json.Unmarshal([]byte(got.stdout), &report); err != nil {
		t.Fatalf("%v\n%s%s", err, got.stdout, got.stderr)
	}
	if got.code != 1 || report.Summary.Apps != 20 || report.Summary.Pushed != 19 || report.Summary.Failed != 1 {
		t.Errorf("exit code %d, %+v", got.code, report.Summary)
	}
	for _, a := range report.Apps {
		refused := a.Failure != nil
		if refused != (a.App == "app-007") || len(a.Gates) != 3 {
			t.Errorf("%s: %+v, %+v", a.App, a.Gates, a.Failure)
		}
		if refused && (a.Failure.Stage != "gate" || !strings.Contains(a.Failure.Message, "container web has no version") || a.Gates[1].Status != "refused") {
			t.Errorf("%s: %+v, %+v", a.App, a.Gates, a.Failure)
		}
	}
	for tag := range published(t, fleet, r) {
		if strings.HasPrefix(tag, "fleet/app-007:") {
			t.Errorf("%s is there", tag)
		}
	}
	checkFindings(t, out)

	release := peers.Distribution(t)
	if err := fleet.Release(t.Context(), "v1.0.0"); err != nil {
		t.Fatal(err)
	}
	if got := finish(t, command(t.Context(), t, fleet, url(release), runs, "publish", "--source-tag", "v1.0.0")); got.code != 1 {
		t.Errorf("the release exits with %d\n%s%s", got.code, got.stdout, got.stderr)
	}
	if tags := published(t, fleet, release); len(tags) != 0 {
		t.Errorf("the release has moved %v", tags)
	}
}

// checkFindings looks at the reports that a run left in files.
func checkFindings(t *testing.T, dir string) {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(dir, "gates.xml"))
	if err != nil {
		t.Fatal(err)
	}
	var suites struct {
		Tests    int `xml:"tests,attr"`
		Failures int `xml:"failures,attr"`
	}
	if err := xml.Unmarshal(content, &suites); err != nil || suites.Tests != 60 || suites.Failures != 1 {
		t.Errorf("JUnit: %+v, %v", suites, err)
	}
	if content, err = os.ReadFile(filepath.Join(dir, "gates.sarif")); err != nil {
		t.Fatal(err)
	}
	var log struct {
		Runs []struct{ Results []struct{ RuleID string } }
	}
	if err := json.Unmarshal(content, &log); err != nil || len(log.Runs) != 1 || len(log.Runs[0].Results) != 1 || log.Runs[0].Results[0].RuleID != "conftest/main" {
		t.Errorf("SARIF: %+v, %v", log, err)
	}
}

// An unchanged fleet runs no gate at all, and an app that changed runs its own only.
func TestGatesRunOnce(t *testing.T) {
	const apps = 500
	fleet := fixture.NewFleet(t, fixture.Options{Apps: apps, Kind: fixture.Tiny, Key: fixture.NewKey(t, "p256"), Gates: `  - name: first
    run: [sh, tools/counted]
    env: [PATH, RUNS]
    inputs: []
  - name: second
    run: [sh, tools/counted]
    env: [PATH, RUNS]
    inputs: []
`})
	if err := fleet.Write("tools/counted", counted); err != nil {
		t.Fatal(err)
	}
	log := filepath.Join(t.TempDir(), "runs")
	home := t.TempDir()
	runs := func(args ...string) []string {
		t.Helper()
		if err := os.WriteFile(log, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		got := finish(t, command(t.Context(), t, fleet, "oci-layout:out", []string{"RUNS=" + log, "HOME=" + home}, append([]string{"gate"}, args...)...))
		if got.code != 0 {
			t.Fatalf("gate exits with %d\n%s%s", got.code, got.stdout, got.stderr)
		}
		content, err := os.ReadFile(log)
		if err != nil {
			t.Fatal(err)
		}
		return strings.Fields(string(content))
	}
	if got := runs(); len(got) != 2*(apps+1) {
		t.Errorf("%d runs for %d apps and two gates", len(got), apps+1)
	}
	if got := runs(); len(got) != 0 {
		t.Errorf("an unchanged fleet runs gates on %v", got)
	}
	if err := fleet.Write("apps/app-123/extra.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: extra}\n"); err != nil {
		t.Fatal(err)
	}
	if err := fleet.Write("apps/app-123/kustomization.yaml", "resources: [extra.yaml]\n"); err != nil {
		t.Fatal(err)
	}
	if got := runs(); strings.Join(got, " ") != "app-123 app-123" {
		t.Errorf("gates run on %v, want the one app that changed", got)
	}
	if got := runs("--no-cache", "--only", "app-00*"); len(got) != 20 {
		t.Errorf("without a cache %d runs, want 20", len(got))
	}
}
