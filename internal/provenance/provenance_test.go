package provenance_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	slsa "github.com/in-toto/attestation/go/predicates/provenance/v1"
	intoto "github.com/in-toto/attestation/go/v1"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/artifactctl/artifactctl/internal/attest"
	"github.com/artifactctl/artifactctl/internal/provenance"
)

const commit = "0123456789abcdef0123456789abcdef01234567"

var sum = strings.Repeat("ab", 32)

func build() provenance.Build {
	return provenance.Build{
		App: "web", Path: "apps/web", Config: "publish.yaml", Environment: "production", Render: "kustomize", Helm: true, RemoteBases: true,
		Source:  provenance.Source{Remote: "https://git.example.com/org/fleet", Commit: commit, Revision: "main@sha1:" + commit},
		Files:   []provenance.File{{Path: "publish.yaml", SHA256: sum}, {Path: "apps/web/kustomization.yaml", SHA256: sum}, {Path: "publish.yaml", SHA256: sum}},
		Remotes: []string{"https://example.com/crd.yaml", "github.com/org/base//web?ref=v1", "git@example.com:org/base"},
		Charts:  []provenance.Chart{{Name: "podinfo", Version: "6.5.0", Repository: "https://charts.example.com"}},
		Gates:   []provenance.Gate{{Name: "kubeconform", Version: "v0.8.0"}, {Name: "policy", Config: "sha256:" + sum}},
		Builder: "https://git.example.com/org/fleet/.ci/publish.yaml@refs/heads/main",
		Versions: map[string]string{
			"kustomize": "v5.8.2", "artifactctl": "v1.0.0",
		},
		Run: "https://git.example.com/org/fleet/runs/7", Started: "2026-11-22T10:00:00Z",
	}
}

// decode validates a statement of this predicate by the protos of in-toto and SLSA, unknown fields refused.
func decode(t *testing.T, predicate []byte) *slsa.Provenance {
	t.Helper()
	r, err := attest.AttestationRequest("ghcr.io/org/web", "sha256:"+sum, provenance.PredicateType, predicate)
	if err != nil {
		t.Fatal(err)
	}
	var s intoto.Statement
	if err := protojson.Unmarshal(r.Payload, &s); err != nil {
		t.Fatal(err)
	}
	if err := s.Validate(); err != nil {
		t.Errorf("the statement is not valid: %v", err)
	}
	if s.GetPredicateType() != "https://slsa.dev/provenance/v1" || s.GetSubject()[0].GetName() != "ghcr.io/org/web" {
		t.Errorf("the statement is %v", &s)
	}
	text, err := protojson.Marshal(s.GetPredicate())
	if err != nil {
		t.Fatal(err)
	}
	var p slsa.Provenance
	if err := protojson.Unmarshal(text, &p); err != nil {
		t.Fatal(err)
	}
	if err := p.Validate(); err != nil {
		t.Errorf("the provenance is not valid: %v", err)
	}
	return &p
}

func predicate(t *testing.T, b provenance.Build) []byte {
	t.Helper()
	out, err := provenance.Predicate(b)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestPredicateIsSLSA(t *testing.T) {
	p := decode(t, predicate(t, build()))
	def, run := p.GetBuildDefinition(), p.GetRunDetails()
	parameters := def.GetExternalParameters().AsMap()
	for name, want := range map[string]any{
		"app": "web", "path": "apps/web", "config": "publish.yaml", "environment": "production", "render": "kustomize", "helm": true,
		"remoteBases": true, "source": "git+https://git.example.com/org/fleet", "revision": "main@sha1:" + commit,
	} {
		if parameters[name] != want {
			t.Errorf("parameter %s is %v, want %v", name, parameters[name], want)
		}
	}
	if def.GetBuildType() != provenance.BuildType || run.GetBuilder().GetId() != build().Builder || run.GetBuilder().GetVersion()["kustomize"] != "v5.8.2" {
		t.Errorf("got %v", p)
	}
	if m := run.GetMetadata(); m.GetInvocationId() != build().Run || m.GetStartedOn().AsTime().Format("2006-01-02") != "2026-11-22" || m.GetFinishedOn() != nil {
		t.Errorf("metadata %v", m)
	}
	gates := def.GetInternalParameters().AsMap()["gates"].([]any)
	if len(gates) != 2 || gates[0].(map[string]any)["name"] != "kubeconform" || gates[1].(map[string]any)["config"] != "sha256:"+sum {
		t.Errorf("gates %v", gates)
	}
	var got []string
	for _, d := range def.GetResolvedDependencies() {
		got = append(got, strings.TrimSpace(d.GetUri()+" "+d.GetName()+" "+d.GetDigest()["gitCommit"]+d.GetDigest()["sha256"]))
	}
	want := []string{
		"git+https://git.example.com/org/fleet@" + commit + " source " + commit,
		"git+ssh://git@example.com/org/base", "https://github.com/org/base//web?ref=v1", "https://example.com/crd.yaml",
		"pkg:helm/podinfo@6.5.0?repository_url=https%3A//charts.example.com podinfo",
		"apps/web/kustomization.yaml " + sum, "publish.yaml " + sum,
	}
	if !slices.Equal(got, want) {
		t.Errorf("dependencies\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// What is not known is left out, and a builder stands there in any case.
func TestPredicateOfLittle(t *testing.T) {
	out := predicate(t, provenance.Build{App: "web", Path: "apps/web", Render: "none",
		Source: provenance.Source{Remote: "fleet", Commit: commit, Revision: "HEAD@sha1:" + commit + "-dirty", Dirty: true}})
	p := decode(t, out)
	if p.GetRunDetails().GetBuilder().GetId() != provenance.UnknownBuilder {
		t.Errorf("builder %v", p.GetRunDetails())
	}
	dependencies := p.GetBuildDefinition().GetResolvedDependencies()
	if len(dependencies) != 1 || dependencies[0].GetUri() != "" || !dependencies[0].GetAnnotations().AsMap()["dirty"].(bool) {
		t.Errorf("dependencies %v", dependencies)
	}
	for _, absent := range []string{"metadata", "internalParameters", "environment", "helm", `"source":""`, "version"} {
		if strings.Contains(string(out), absent) {
			t.Errorf("%s is there: %s", absent, out)
		}
	}
}

// The same build gives the same bytes, in whatever order things were found, and its arguments stay as they were.
func TestPredicateIsDeterministic(t *testing.T) {
	want, shuffled := predicate(t, build()), build()
	slices.Reverse(shuffled.Files)
	slices.Reverse(shuffled.Remotes)
	first := shuffled.Files[0]
	for range 20 {
		if got := predicate(t, shuffled); string(got) != string(want) {
			t.Fatalf("got\n%s\nwant\n%s", got, want)
		}
	}
	if shuffled.Files[0] != first {
		t.Error("the argument was changed")
	}
}

// A statement stays small whatever the app is.
func TestManyFiles(t *testing.T) {
	b := build()
	b.Files = nil
	for i := range 1001 {
		b.Files = append(b.Files, provenance.File{Path: fmt.Sprintf("f%04d", i), SHA256: sum})
	}
	dependencies := decode(t, predicate(t, b)).GetBuildDefinition().GetResolvedDependencies()
	last := dependencies[len(dependencies)-1]
	if last.GetName() != "files" || last.GetAnnotations().AsMap()["files"] != 1001.0 || len(last.GetDigest()["sha256"]) != 64 {
		t.Errorf("got %v", last)
	}
	b.Files[0].SHA256 = strings.Repeat("00", 32)
	if again := decode(t, predicate(t, b)).GetBuildDefinition().GetResolvedDependencies(); again[len(again)-1].GetDigest()["sha256"] == last.GetDigest()["sha256"] {
		t.Error("another file gives the same digest")
	}
}

func TestGitURI(t *testing.T) {
	for remote, want := range map[string]string{
		"https://git.example.com/org/fleet": "git+https://git.example.com/org/fleet", "ssh://git@example.com/org/fleet": "git+ssh://git@example.com/org/fleet",
		"git@example.com:org/fleet.git": "git+ssh://git@example.com/org/fleet.git", "git+ssh://example.com/a": "git+ssh://example.com/a", "local": "", "": "",
	} {
		if got := provenance.GitURI(remote); got != want {
			t.Errorf("%s: got %s", remote, got)
		}
	}
}
