package keyless_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/artifactctl/artifactctl/test/keyless/stack"
)

// A fleet is published with one certificate, and cosign and verify accept all of it, for this identity and no other.
func TestPublish(t *testing.T) {
	s := stack.Start(t)
	judge := newCosign(t, s)
	const apps = 6
	for kind, r := range registries(t) {
		t.Run(kind, func(t *testing.T) {
			f := newFleet(t, s, settings{apps: apps})
			before := s.Certificates()
			f.must(t, r, "publish")
			if n := s.Certificates() - before; n != 1 {
				t.Errorf("the run asked for %d certificates, want 1", n)
			}
			if out := f.must(t, r, "verify"); !strings.Contains(out, email) {
				t.Errorf("verify does not name the identity:\n%s", out)
			}
			edge := r.tagged("edge")
			if len(edge) != apps {
				t.Fatalf("%d repositories have the tag, want %d", len(edge), apps)
			}
			attached, _ := r.attached()
			for repository, digest := range edge {
				ref := r.host + "/" + repository + "@" + digest.String()
				if err := judge.verify(t.Context(), ref, email, s.Issuer.URL); err != nil {
					t.Error(err)
				}
				if judge.verify(t.Context(), ref, "eve@example.com", s.Issuer.URL) == nil {
					t.Errorf("cosign accepts %s for anybody", ref)
				}
			}
			f.must(t, r, "publish")
			if again, _ := r.attached(); again != attached {
				t.Errorf("publishing again attached %d more", again-attached)
			}
		})
	}
}

// All services from a signing config, the token from a file, the identity by patterns.
func TestPublishBySigningConfig(t *testing.T) {
	s := stack.Start(t)
	f := newFleet(t, s, settings{
		apps: 1, with: "signingConfig: signing_config.json, tokenFile: token.jwt",
		trust: `issuerRegExp: '^http://127\.0\.0\.1:\d+$', subjectRegExp: '^ci@example\.com$', trustedRoot: trusted_root.json`,
	})
	f.write(t, "token.jwt", f.token+"\n")
	f.token = ""
	r := newRegistry(t, true)
	f.must(t, r, "publish", "--allow-dirty")
	f.must(t, r, "verify")
}

// What is wrong with the identity, the trust or the answer ends the run with nothing attached and no tag moved.
func TestNothingIsAttached(t *testing.T) {
	s, other := stack.Start(t), stack.Start(t)
	trust := func(issuer, subject string) string {
		return fmt.Sprintf("issuer: %q, subject: %s, trustedRoot: trusted_root.json", issuer, subject)
	}
	for name, c := range map[string]struct {
		settings settings
		token    string
		want     string
	}{
		"wrong subject":      {settings{trust: trust(s.Issuer.URL, "eve@example.com")}, "", "it was signed by " + email},
		"wrong issuer":       {settings{trust: trust(other.Issuer.URL, email)}, "", "it was signed by " + email},
		"other trusted root": {settings{trustedRoot: other.TrustedRoot(t)}, "", "log inclusion"},
		"services of another root": {settings{with: fmt.Sprintf("fulcioURL: %q, rekorURL: %q, tsaURL: %q, trustedRoot: own_root.json",
			other.FulcioURL, s.RekorURL, s.TimestampURL)}, identityToken(t, other, email, time.Hour), "Fulcio's certificate does not verify"},
		"expired token":      {settings{}, identityToken(t, s, email, -time.Hour), "it expired at"},
		"token of nobody":    {settings{}, identityToken(t, other, email, time.Hour), "Fulcio answers 400"},
		"no token":           {settings{}, "none", "it has 1 parts"},
		"legacy format":      {settings{format: "legacy"}, "", "an identity can sign bundles only"},
		"no trusted root":    {settings{trust: fmt.Sprintf("issuer: %q, subject: %s", s.Issuer.URL, email)}, "", "trustedRoot: is missing"},
		"a key is trusted":   {settings{trust: "publicKey: cosign.pub"}, "", "no file cosign.pub"},
		"nothing is trusted": {settings{trust: " "}, "", "has no trust to check them with"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFleet(t, s, c.settings)
			if c.token != "" {
				f.token = c.token
			}
			refuse(t, f, c.want)
		})
	}
}

// A signer that changes what the Sigstore gave is found out.
func TestForgery(t *testing.T) {
	s := stack.Start(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for what, want := range map[string]string{
		"no log entry": "log", "no timestamp": "timestamps", "no proof": "inclusion proof",
		"made-up time": "timestamps", "other payload": "another payload", "old entry": "log",
	} {
		t.Run(what, func(t *testing.T) {
			t.Setenv(forgeEnv, what)
			f := newFleet(t, s, settings{signer: fmt.Sprintf("plugin: forger, path: %q, env: [SIGSTORE_ID_TOKEN, %s, %s]", self, forgeEnv, programsEnv)})
			refuse(t, f, want, "--allow-unpinned-signer")
		})
	}
}

// refuse publishes what must not be published, to both kinds of registries.
func refuse(t *testing.T, f *fleet, want string, flags ...string) {
	t.Helper()
	for kind, r := range registries(t) {
		code, output := f.run(t, r, append([]string{"publish"}, flags...)...)
		if code == 0 || !strings.Contains(output, want) {
			t.Errorf("%s: exit code %d, want a failure with %q\n%s", kind, code, want, output)
		}
		if attached, moved := r.attached(); attached+moved != 0 {
			t.Errorf("%s: %d manifests attached and %d tags moved, want none", kind, attached, moved)
		}
	}
}
