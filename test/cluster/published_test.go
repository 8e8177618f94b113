package cluster_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/artifactctl/artifactctl/test/fixture"
	"github.com/artifactctl/artifactctl/test/oracle"
	"github.com/artifactctl/artifactctl/test/peers"
)

// Whoever signs, in whatever form, with attestations or without, on either kind of registry: every app that artifactctl
// publishes is verified and applied with the sources that artifactctl writes, and a change of one rolls that one.
func testPublished(t *testing.T, w *world) {
	w.vault.newKey(t, "published")
	legacy, both, batch := withKey(fixture.NewKey(t, "p256")), withKey(fixture.NewKey(t, "rsa3072")), withKey(fixture.NewKey(t, "p256"))
	legacy.format, both.format, batch.batch = "legacy", "both", true
	keylessBatch := w.withIdentity(t, "ci@example.com", "subject: ci@example.com")
	keylessBatch.batch = true
	fleets := map[string]signing{
		"file-p256":     withKey(fixture.NewKey(t, "p256")),
		"file-ed25519":  withKey(fixture.NewKey(t, "ed25519")),
		"file-legacy":   legacy,
		"file-both":     both,
		"file-batch":    batch,
		"vault":         w.withVault(t, "published", "", "1"),
		"keyless":       w.withIdentity(t, "ci@example.com", "subject: ci@example.com"),
		"keyless-wide":  w.withIdentity(t, "ci@example.com", `subjectRegExp: '^(ci|cd)@example\.com$'`),
		"keyless-batch": keylessBatch,
	}
	for _, name := range []string{"file-p256", "file-both", "file-batch", "vault", "keyless", "keyless-batch"} {
		fleets[name+"-attested"] = attested(fleets[name])
	}
	for name, s := range fleets {
		for _, r := range peers.Registries(t) {
			t.Run(name+"/"+r.Kind, func(t *testing.T) {
				t.Parallel()
				f := newFleet(t, w, r, strings.Join([]string{name, r.Kind}, "-"), s, "web", "database", "queue")
				f.must(t, "publish")
				f.follow(t)
				first := map[string]string{}
				for _, app := range f.apps {
					first[app] = f.digest(t, app, channel)
					f.runs(t, app, first[app], "1")
				}
				f.change(t, "web", "2")
				f.must(t, "publish")
				for _, app := range f.apps {
					f.look(t, app)
				}
				if f.digest(t, "web", channel) == first["web"] {
					t.Error("the changed app kept its digest")
				}
				f.runs(t, "web", f.digest(t, "web", channel), "2")
				f.runs(t, "database", first["database"], "1")
				f.runs(t, "queue", first["queue"], "1")
				if s.attest {
					f.attests(t)
				}
			})
		}
	}
}

// attests checks that every app's artifact has one signature, one provenance and one bill of materials beside it.
func (f *fleet) attests(t *testing.T) {
	t.Helper()
	var report struct {
		Apps []struct {
			App          string
			Attestations []struct {
				PredicateType string
				Trusted       bool
			}
		}
	}
	if err := json.Unmarshal(f.must(t, "verify", "-o", "json"), &report); err != nil || len(report.Apps) != len(f.apps) {
		t.Fatalf("%+v, %v", report, err)
	}
	for _, a := range report.Apps {
		stated := map[string]int{}
		for _, s := range a.Attestations {
			if s.Trusted {
				stated[s.PredicateType]++
			}
		}
		if len(a.Attestations) != 2 || stated["https://slsa.dev/provenance/v1"] != 1 || stated["https://cyclonedx.org/bom"] != 1 {
			t.Errorf("%s has the attestations %+v", a.App, a.Attestations)
		}
		found, err := oracle.Referrers(t.Context(), f.repository(a.App)+"@"+f.digest(t, a.App, channel))
		if err != nil || len(found) != 3 {
			t.Errorf("%s has %d referrers, %v", a.App, len(found), err)
		}
	}
}
