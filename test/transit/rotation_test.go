package transit_test

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/artifactctl/artifactctl/test/fixture"
	"github.com/artifactctl/artifactctl/test/oracle"
	"github.com/artifactctl/artifactctl/test/peers"
)

// The key is rotated: as long as trust accepts the old version, what it signed stays as it is. When trust does not, the
// same artifacts are signed again with the new one.
func TestRotationHeals(t *testing.T) {
	for _, r := range peers.Registries(t) {
		t.Run(r.Kind, func(t *testing.T) {
			s := serve(t, "transit", "", "ecdsa-p256")
			fleet := newFleet(t, s, "both")
			old, rotated := fleet.Key, fixture.Key{Path: filepath.Join(t.TempDir(), "new.pub")}
			variant(t, fleet, "trust: {publicKey: cosign.pub}", map[string]string{
				"both.yaml": "trust: {publicKey: [cosign.pub, " + rotated.Path + "]}",
				"new.yaml":  "trust: {publicKey: " + rotated.Path + "}",
			})
			publish(t, s, fleet, r)
			published := digests(t, fleet, r)

			s.Write(t, "keys/artifacts/rotate", nil)
			rotated.Public = []byte(publicKey(t, s, "2"))
			if err := os.WriteFile(rotated.Path, rotated.Public, 0o600); err != nil {
				t.Fatal(err)
			}
			unwritten(t, r, func() { succeed(t)(run(t, s, fleet, r, "-f", "both.yaml")) })
			accepted(t, fleet, r, old, true)
			accepted(t, fleet, r, rotated, false)

			succeed(t)(run(t, s, fleet, r, "-f", "new.yaml"))
			if now := digests(t, fleet, r); !maps.Equal(now, published) {
				t.Errorf("digests were %v and are %v", published, now)
			}
			accepted(t, fleet, r, rotated, true)
			for _, path := range fleet.Repositories {
				ref := r.Direct + "/org/" + path + "@" + published[path]
				for _, format := range []string{"--new-bundle-format", "--new-bundle-format=false"} {
					if err := oracle.NewCosign(t).Verify(t.Context(), ref, rotated.Path, format); err != nil {
						t.Errorf("%s %s: cosign refuses the new key: %v", path, format, err)
					}
				}
			}
			unwritten(t, r, func() { succeed(t)(run(t, s, fleet, r, "-f", "new.yaml")) })
		})
	}
}

// What the configuration has sign must be what it trusts: that is found out before anything is pushed.
func TestPinnedVersionThatIsNotTrusted(t *testing.T) {
	s := serve(t, "transit", "", "ecdsa-p256")
	s.Write(t, "keys/artifacts/rotate", nil)
	fleet := newFleet(t, s, "bundle")
	if err := fleet.Write("new.pub", publicKey(t, s, "2")); err != nil {
		t.Fatal(err)
	}
	const latest, pinned = "with: {key: artifacts}\n    trust: ", "with: {key: artifacts, keyVersion: 1}\n    trust: "
	variant(t, fleet, latest+"{publicKey: cosign.pub}", map[string]string{
		"refused.yaml": pinned + "{publicKey: new.pub}",
		"old.yaml":     pinned + "{publicKey: cosign.pub}",
	})
	r := peers.Distribution(t)
	unwritten(t, r, func() {
		code, output := run(t, s, fleet, r, "-f", "refused.yaml")
		if code != 3 || !strings.Contains(output, "trust") {
			t.Errorf("exit status %d\n%s", code, output)
		}
		t.Log(output)
	})
	succeed(t)(run(t, s, fleet, r, "-f", "old.yaml"))
	accepted(t, fleet, r, fleet.Key, true)
}

// variant commits copies of publish.yaml, by name, in which a text is replaced.
func variant(t *testing.T, fleet *fixture.Fleet, text string, files map[string]string) {
	t.Helper()
	whole, err := os.ReadFile(filepath.Join(fleet.Dir, fixture.File))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(whole), text) {
		t.Fatalf("there is no %q in\n%s", text, whole)
	}
	for name, instead := range files {
		if err := fleet.Write(name, strings.ReplaceAll(string(whole), text, instead)); err != nil {
			t.Fatal(err)
		}
	}
	if err := fleet.Commit(t.Context(), "variants"); err != nil {
		t.Fatal(err)
	}
}

// digests returns what the rolling tag of each repository names.
func digests(t *testing.T, fleet *fixture.Fleet, r *peers.Registry) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, path := range fleet.Repositories {
		tags, err := oracle.Tags(t.Context(), r.Direct+"/org/"+path)
		if err != nil || tags["edge"] == "" {
			t.Fatalf("tags of %s are %v, %v", path, tags, err)
		}
		found[path] = tags["edge"]
	}
	return found
}

// accepted asks Flux whether it accepts what was published with this key.
func accepted(t *testing.T, fleet *fixture.Fleet, r *peers.Registry, key fixture.Key, want bool) {
	t.Helper()
	for path, digest := range digests(t, fleet, r) {
		if err := oracle.FluxVerify(t.Context(), r.Direct+"/org/"+path+"@"+digest, key.Public); (err == nil) != want {
			t.Errorf("%s: flux says %v", path, err)
		}
	}
}

// succeed takes what run returned.
func succeed(t *testing.T) func(code int, output string) {
	t.Helper()
	return func(code int, output string) {
		t.Helper()
		if code != 0 {
			t.Fatalf("publish exits with %d\n%s", code, output)
		}
	}
}

// unwritten has the registry take no write while work runs.
func unwritten(t *testing.T, r *peers.Registry, work func()) {
	t.Helper()
	r.Reset()
	work()
	if n := r.Writes(); n != 0 {
		t.Errorf("the registry took %d writes: %v", n, r.Requests())
	}
}
