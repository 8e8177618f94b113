package cluster_test

import (
	"strings"
	"testing"

	"github.com/artifactctl/artifactctl/test/fixture"
	"github.com/artifactctl/artifactctl/test/peers"
)

// Whoever signs, in whatever form, on either kind of registry: every app that artifactctl publishes is verified and applied
// with the sources that artifactctl writes, and a change of one rolls that one.
func testPublished(t *testing.T, w *world) {
	w.vault.newKey(t, "published")
	legacy, both, batch := withKey(fixture.NewKey(t, "p256")), withKey(fixture.NewKey(t, "rsa3072")), withKey(fixture.NewKey(t, "p256"))
	legacy.format, both.format, batch.batch = "legacy", "both", true
	keylessBatch := w.withIdentity(t, "ci@example.com", "subject: ci@example.com")
	keylessBatch.batch = true
	for name, s := range map[string]signing{
		"file-p256":     withKey(fixture.NewKey(t, "p256")),
		"file-ed25519":  withKey(fixture.NewKey(t, "ed25519")),
		"file-legacy":   legacy,
		"file-both":     both,
		"file-batch":    batch,
		"vault":         w.withVault(t, "published", "", "1"),
		"keyless":       w.withIdentity(t, "ci@example.com", "subject: ci@example.com"),
		"keyless-wide":  w.withIdentity(t, "ci@example.com", `subjectRegExp: '^(ci|cd)@example\.com$'`),
		"keyless-batch": keylessBatch,
	} {
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
			})
		}
	}
}
