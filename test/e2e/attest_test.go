package e2e_test

import (
	"bufio"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/crane"

	"github.com/artifactctl/artifactctl/test/fixture"
	"github.com/artifactctl/artifactctl/test/oracle"
	"github.com/artifactctl/artifactctl/test/peers"
)

// attestation is a statement as cosign prints it after it was verified.
type attestation struct {
	Subject []struct {
		Name   string
		Digest map[string]string
	}
	PredicateType string
	Predicate     json.RawMessage
}

// Provenance and bill of materials are there, each once, on both kinds of registries, signed in every way that a bundle
// can be: cosign verifies them by their types, and neither cosign nor Flux minds them when it verifies the artifact.
func TestAttestationsAreVerifiable(t *testing.T) {
	cosign, other := oracle.NewCosign(t), fixture.NewKey(t, "p256")
	for _, signature := range []fixture.Options{{}, {Format: "both"}, {Batch: true}} {
		signature.Apps, signature.Attest, signature.Key = 1, true, fixture.NewKey(t, "p256")
		fleet := fixture.NewFleet(t, signature)
		for _, r := range peers.Registries(t) {
			t.Run(r.Kind+"/"+signature.Format, func(t *testing.T) {
				guard(t, fleet, r)
				publish(t, fleet, url(r))
				verify(t, cosign, fleet, r, other)
				for _, ref := range subjects(t, fleet, r) {
					attested(t, cosign, ref, "slsaprovenance1", "https://slsa.dev/provenance/v1", fleet.Key, other)
					attested(t, cosign, ref, "cyclonedx", "https://cyclonedx.org/bom", fleet.Key, other)
					if found, err := oracle.Referrers(t.Context(), ref); err != nil || len(found) != 3 {
						t.Errorf("%d referrers (%v), want a signature and two attestations", len(found), err)
					}
				}
				nothingToDo(t, fleet, r)
			})
		}
	}
}

// attested has cosign verify an attestation of ref by its type, and refuse it with a key that never signed.
func attested(t *testing.T, cosign *oracle.Cosign, ref, predicate, predicateType string, right, wrong fixture.Key) {
	t.Helper()
	if _, err := cosign.VerifyAttestation(t.Context(), ref, predicate, wrong.Path); err == nil {
		t.Errorf("cosign accepts the %s with a wrong key", predicate)
	}
	out, err := cosign.VerifyAttestation(t.Context(), ref, predicate, right.Path)
	if err != nil {
		t.Errorf("cosign refuses the %s: %v", predicate, err)
		return
	}
	a := printed(t, out)
	_, hex, _ := strings.Cut(ref, "@sha256:")
	if a.PredicateType != predicateType || len(a.Subject) != 1 || a.Subject[0].Digest["sha256"] != hex || len(a.Predicate) < 100 {
		t.Errorf("cosign verified %+v", a)
	}
}

// printed reads the one attestation that cosign prints among its remarks.
func printed(t *testing.T, out string) attestation {
	t.Helper()
	var found []attestation
	lines := bufio.NewScanner(strings.NewReader(out))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var envelope struct{ Payload string }
		if json.Unmarshal(lines.Bytes(), &envelope) != nil || envelope.Payload == "" {
			continue
		}
		payload, err := base64.StdEncoding.DecodeString(envelope.Payload)
		if err != nil {
			t.Fatal(err)
		}
		var a attestation
		if err := json.Unmarshal(payload, &a); err != nil {
			t.Fatal(err)
		}
		found = append(found, a)
	}
	if len(found) != 1 {
		t.Fatalf("cosign printed %d attestations:\n%s", len(found), out)
	}
	return found[0]
}

// What cosign verified says what the run did: the workflow, the commit, the app, and each file that it was rendered from
// with the sum that the file has; and the bill of materials names the image of the manifests.
func TestAttestationsSayWhatWasDone(t *testing.T) {
	cosign := oracle.NewCosign(t)
	fleet := fixture.NewFleet(t, fixture.Options{Apps: 1, Attest: true, Key: fixture.NewKey(t, "p256")})
	r := peers.WithReferrers(t)
	const workflow = "org/fleet/.github/workflows/publish.yaml@refs/heads/main"
	env := []string{"GITHUB_ACTIONS=true", "GITHUB_SERVER_URL=https://github.example", "GITHUB_REPOSITORY=org/fleet", "GITHUB_REF=refs/heads/main",
		"GITHUB_WORKFLOW_REF=" + workflow, "GITHUB_RUN_ID=7", "GITHUB_RUN_ATTEMPT=1"}
	if got := finish(t, command(t.Context(), t, fleet, url(r), env, "publish", "--no-cache")); got.code != 0 {
		t.Fatalf("publish exits with %d\n%s%s", got.code, got.stdout, got.stderr)
	}
	ref := direct(r, fleet.Repositories[0]) + "@" + digestOf(t, direct(r, fleet.Repositories[0])+":edge")
	out, err := cosign.VerifyAttestation(t.Context(), ref, "slsaprovenance1", fleet.Key.Path)
	if err != nil {
		t.Fatal(err)
	}
	var p struct {
		BuildDefinition struct {
			ExternalParameters   map[string]any
			ResolvedDependencies []struct {
				Name, URI string
				Digest    map[string]string
			}
		}
		RunDetails struct {
			Builder  struct{ ID string }
			Metadata struct{ InvocationID string }
		}
	}
	if err := json.Unmarshal(printed(t, out).Predicate, &p); err != nil {
		t.Fatal(err)
	}
	if p.RunDetails.Builder.ID != "https://github.example/"+workflow || p.RunDetails.Metadata.InvocationID != "https://github.example/org/fleet/actions/runs/7/attempts/1" {
		t.Errorf("run details %+v", p.RunDetails)
	}
	if e := p.BuildDefinition.ExternalParameters; e["app"] != "app-000" || e["config"] != "publish.yaml" || e["render"] != "kustomize" {
		t.Errorf("parameters %v", e)
	}
	seen := map[string]bool{}
	for _, d := range p.BuildDefinition.ResolvedDependencies {
		seen[d.Name] = true
		if d.Name == "source" {
			if len(d.Digest["gitCommit"]) != 40 || !strings.HasPrefix(d.URI, "git+https://github.example/org/fleet@") {
				t.Errorf("source %+v", d)
			}
			continue
		}
		content, err := os.ReadFile(filepath.Join(fleet.Dir, filepath.FromSlash(d.Name)))
		if sum := fmt.Sprintf("%x", sha256.Sum256(content)); err != nil || d.Digest["sha256"] != sum {
			t.Errorf("%s has sum %s (%v), not %s", d.Name, sum, err, d.Digest["sha256"])
		}
	}
	for _, name := range []string{"source", fixture.File, "apps/app-000/base/deployment.yaml", "apps/app-000/overlay/patch.yaml", "apps/app-000/overlay/app.properties"} {
		if !seen[name] {
			t.Errorf("%s is no dependency among %v", name, seen)
		}
	}
	out, err = cosign.VerifyAttestation(t.Context(), ref, "cyclonedx", fleet.Key.Path)
	if err != nil {
		t.Fatal(err)
	}
	if bom := string(printed(t, out).Predicate); !strings.Contains(bom, `"specVersion":"1.6"`) || !strings.Contains(bom, `"type":"container"`) {
		t.Errorf("bill of materials %s", bom)
	}
}

// An attestation alone, by the key that is trusted, is a signature to Flux and to cosign, whatever it states. It is none to
// us: verify refuses it, and publish signs.
func TestAttestationAlone(t *testing.T) {
	cosign := oracle.NewCosign(t)
	fleet := fixture.NewFleet(t, fixture.Options{Apps: 1, Attest: true, Key: fixture.NewKey(t, "p256")})
	for _, r := range peers.Registries(t) {
		t.Run(r.Kind, func(t *testing.T) {
			built := peers.WithReferrers(t)
			publish(t, fleet, url(built))
			for _, ref := range subjects(t, fleet, built) {
				alone := strings.Replace(ref, built.Direct, r.Direct, 1)
				repository, _, _ := strings.Cut(alone, "@")
				if err := crane.Copy(ref, repository+":edge", crane.WithContext(t.Context())); err != nil {
					t.Fatal(err)
				}
				if err := oracle.AttachBundle(t.Context(), alone, provenanceBeside(t, ref)); err != nil {
					t.Fatal(err)
				}
				if err := oracle.FluxVerify(t.Context(), alone, fleet.Key.Public); err != nil {
					t.Errorf("flux refuses an attestation, which it is known to take for a signature: %v", err)
				}
				if err := cosign.Verify(t.Context(), alone, fleet.Key.Path); err != nil {
					t.Errorf("cosign refuses an attestation, which it is known to take for a signature: %v", err)
				}
			}
			if got := finish(t, command(t.Context(), t, fleet, url(r), nil, "verify")); got.code != 1 || !strings.Contains(got.stdout, "unsigned") {
				t.Errorf("verify exits with %d\n%s", got.code, got.stdout)
			}
			if got := publish(t, fleet, url(r)); !strings.Contains(got.stdout, "2 healed") {
				t.Errorf("publish says\n%s", got.stdout)
			}
			if got := finish(t, command(t.Context(), t, fleet, url(r), nil, "verify")); got.code != 0 {
				t.Errorf("verify exits with %d\n%s", got.code, got.stdout)
			}
			for _, ref := range subjects(t, fleet, r) {
				attested(t, cosign, ref, "cyclonedx", "https://cyclonedx.org/bom", fleet.Key, fixture.NewKey(t, "p256"))
			}
		})
	}
}

// provenanceBeside returns the bundle of the provenance of ref.
func provenanceBeside(t *testing.T, ref string) []byte {
	t.Helper()
	all, err := oracle.Bundles(t.Context(), ref)
	if err != nil {
		t.Fatal(err)
	}
	for _, content := range all {
		var bundle struct{ DSSEEnvelope struct{ Payload []byte } }
		if err := json.Unmarshal(content, &bundle); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(bundle.DSSEEnvelope.Payload), "https://slsa.dev/provenance/v1") {
			return content
		}
	}
	t.Fatalf("%s has no provenance", ref)
	return nil
}

// A policy decides by what the provenance says: this is how a consumer insists on a builder.
func TestPolicyOfConsumers(t *testing.T) {
	cosign := oracle.NewCosign(t)
	fleet := fixture.NewFleet(t, fixture.Options{Apps: 1, Attest: true, Key: fixture.NewKey(t, "p256")})
	r := peers.WithReferrers(t)
	publish(t, fleet, url(r), "--builder-id", "https://ci.example.com/fleet")
	for builder, good := range map[string]bool{"https://ci.example.com/fleet": true, "https://ci.example.com/other": false} {
		policy := filepath.Join(t.TempDir(), "policy.cue")
		text := fmt.Sprintf("predicateType: \"https://slsa.dev/provenance/v1\"\npredicate: {\n"+
			"  buildDefinition: buildType: \"https://github.com/artifactctl/artifactctl/blob/main/docs/provenance.md#build-type-v1\"\n"+
			"  runDetails: builder: id: %q\n}\n", builder)
		if err := os.WriteFile(policy, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, ref := range subjects(t, fleet, r) {
			_, err := cosign.Run(t.Context(), "verify-attestation", "--type", "slsaprovenance1", "--policy", policy,
				"--key", fleet.Key.Path, "--insecure-ignore-tlog=true", ref)
			if (err == nil) != good {
				t.Errorf("builder %s: %v", builder, err)
			}
		}
	}
}

// A run that remembers what it has read takes two requests for an app with nothing to do, attestations or not.
func TestAttestationsCostNoRequests(t *testing.T) {
	for _, r := range peers.Registries(t) {
		t.Run(r.Kind, func(t *testing.T) {
			cache := t.TempDir()
			var requests [2]int
			for i, attest := range []bool{false, true} {
				fleet := fixture.NewFleet(t, fixture.Options{Apps: 3, Attest: attest, Key: fixture.NewKey(t, "p256")})
				registry := fmt.Sprintf("%s/%d", url(r), i)
				publish(t, fleet, registry, "--cache-dir", cache)
				r.Reset()
				publish(t, fleet, registry, "--cache-dir", cache)
				requests[i] = len(r.Requests())
			}
			if requests[0] != requests[1] || requests[1] == 0 {
				t.Errorf("%d requests without attestations, %d with them", requests[0], requests[1])
			}
			t.Logf("%d requests for 4 apps", requests[1])
		})
	}
}
