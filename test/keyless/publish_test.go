package keyless_test

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	cosignlib "github.com/sigstore/cosign/v3/pkg/cosign"
	"golang.org/x/sync/errgroup"

	"github.com/artifactctl/artifactctl/test/keyless/stack"
	"github.com/artifactctl/artifactctl/test/oracle"
	"github.com/artifactctl/artifactctl/test/peers"
)

// fleetSize is how many apps the whole way is gone with.
const fleetSize = 20

// A fleet is published with one certificate; cosign, Flux and verify accept all of it, for this identity and no other.
func TestPublish(t *testing.T) {
	s, other := stack.Start(t), stack.Start(t)
	judge := newCosign(t, s)
	for kind, r := range registries(t) {
		t.Run(kind, func(t *testing.T) {
			f := newFleet(t, s, settings{apps: fleetSize})
			certificates, entries := s.Certificates(), s.Entries(t)
			f.must(t, r, "publish")
			if c, e := s.Certificates()-certificates, s.Entries(t)-entries; c != 1 || e != fleetSize {
				t.Errorf("the run asked for %d certificates and made %d log entries, want 1 and %d", c, e, fleetSize)
			}
			if out := f.must(t, r, "verify"); !strings.Contains(out, email) {
				t.Errorf("verify does not name the identity:\n%s", out)
			}
			edge := r.tagged("edge")
			if len(edge) != fleetSize {
				t.Fatalf("%d repositories have the tag, want %d", len(edge), fleetSize)
			}
			judge.accepts(t, s, edge)
			refusals(t, judge, s, other, edge[0])
			verifyAgrees(t, f, r, s, other, edge[0])
			attached, _ := r.attached()
			f.must(t, r, "publish")
			if again, _ := r.attached(); again != attached || s.Certificates()-certificates > 2 {
				t.Errorf("publishing again attached %d more", again-attached)
			}
		})
	}
}

// accepts asks cosign and Flux about all artifacts, which they have to accept.
func (c *cosign) accepts(t *testing.T, s *stack.Stack, refs []string) {
	t.Helper()
	trusted := s.TrustedRoot(t)
	var g errgroup.Group
	g.SetLimit(4)
	for _, ref := range refs {
		g.Go(func() error { return c.verify(t.Context(), ref, email, s.Issuer.URL) })
		g.Go(func() error {
			return oracle.FluxVerifyIdentity(t.Context(), ref, trusted, identity(s.Issuer.URL, email))
		})
	}
	if err := g.Wait(); err != nil {
		t.Error(err)
	}
}

// refusals makes sure that the oracles can say no.
func refusals(t *testing.T, judge *cosign, s, other *stack.Stack, ref string) {
	t.Helper()
	good := identity(s.Issuer.URL, email)
	for name, err := range map[string]error{
		"cosign, another subject":  judge.verify(t.Context(), ref, "eve@example.com", s.Issuer.URL),
		"Flux, another subject":    oracle.FluxVerifyIdentity(t.Context(), ref, s.TrustedRoot(t), identity(s.Issuer.URL, "eve@example.com")),
		"Flux, another issuer":     oracle.FluxVerifyIdentity(t.Context(), ref, s.TrustedRoot(t), identity(other.Issuer.URL, email)),
		"Flux, another root":       oracle.FluxVerifyIdentity(t.Context(), ref, other.TrustedRoot(t), good),
		"Flux, two identities":     oracle.FluxVerifyIdentity(t.Context(), ref, s.TrustedRoot(t), good, identity(other.Issuer.URL, email)),
		"Flux, nobody is trusted":  oracle.FluxVerifyIdentity(t.Context(), ref, s.TrustedRoot(t)),
		"Flux, what nobody signed": oracle.FluxVerifyIdentity(t.Context(), ref[:len(ref)-4]+"0000", s.TrustedRoot(t), good),
	} {
		if err == nil {
			t.Errorf("%s: it is accepted", name)
		}
	}
}

// identity is an entry of matchOIDCIdentity.
func identity(issuer, subject string) cosignlib.Identity {
	return cosignlib.Identity{IssuerRegExp: "^" + regexp.QuoteMeta(issuer) + "$", SubjectRegExp: "^" + regexp.QuoteMeta(subject) + "$"}
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
	r := newRegistry(t, peers.ReferrersKind)
	f.must(t, r, "publish", "--allow-dirty")
	f.must(t, r, "verify")
}

// What is wrong with the identity or the trust ends the run before anything is written.
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
		"wrong subject":      {settings{trust: trust(s.Issuer.URL, "eve@example.com")}, "", "its certificate is of " + email},
		"wrong issuer":       {settings{trust: trust(other.Issuer.URL, email)}, "", "its certificate is of " + email},
		"other trusted root": {settings{trustedRoot: other.TrustedRoot(t)}, "", "no authority of the trusted root issued the certificate"},
		"services of another root": {settings{with: fmt.Sprintf("fulcioURL: %q, rekorURL: %q, tsaURL: %q, trustedRoot: own_root.json",
			other.FulcioURL, s.RekorURL, s.TimestampURL)}, identityToken(t, other, email, time.Hour), "Fulcio's certificate does not verify"},
		"certificate in no log": {settings{with: fmt.Sprintf("fulcioURL: %q, rekorURL: %q, tsaURL: %q", s.UnloggedURL, s.RekorURL, s.TimestampURL)}, "", "SCT"},
		"certificate in no log, seen by the plugin": {settings{with: fmt.Sprintf("fulcioURL: %q, rekorURL: %q, tsaURL: %q, trustedRoot: own_root.json",
			s.UnloggedURL, s.RekorURL, s.TimestampURL)}, "", "log promise (SCT) does not verify"},
		"token for others":   {settings{}, "other audience", `for the audience "others" and not for "sigstore"`},
		"expired token":      {settings{}, identityToken(t, s, email, -time.Hour), "it expired at"},
		"token of nobody":    {settings{}, identityToken(t, other, email, time.Hour), "Fulcio answers 400"},
		"no token":           {settings{}, "none", "it has 1 parts"},
		"legacy format":      {settings{format: "legacy"}, "", "an identity can sign bundles only"},
		"no trusted root":    {settings{trust: fmt.Sprintf("issuer: %q, subject: %s, tufMirror: http://127.0.0.1:1", s.Issuer.URL, email)}, "", "fetch the trusted root"},
		"a key is trusted":   {settings{trust: "publicKey: cosign.pub"}, "", "no file cosign.pub"},
		"nothing is trusted": {settings{trust: " "}, "", "has no trust to check them with"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFleet(t, s, c.settings)
			if c.token != "" {
				f.token = c.token
			}
			if c.token == "other audience" {
				var err error
				if f.token, err = s.Issuer.TokenFor("others", email, time.Hour); err != nil {
					t.Fatal(err)
				}
			}
			if n := refuse(t, f, c.want); n != 0 {
				t.Errorf("the registries were written to %d times, though all could be known before", n)
			}
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

// refuse publishes what must not be published, to both kinds of registries, and counts what was written there.
func refuse(t *testing.T, f *fleet, want string, flags ...string) (writes int) {
	t.Helper()
	for kind, r := range registries(t) {
		code, output := f.run(t, r, append([]string{"publish"}, flags...)...)
		if code == 0 || !strings.Contains(output, want) {
			t.Errorf("%s: exit code %d, want a failure with %q\n%s", kind, code, want, output)
		}
		if attached, moved := r.attached(); attached+moved != 0 {
			t.Errorf("%s: %d manifests attached and %d tags moved, want none", kind, attached, moved)
		}
		writes += r.Writes()
	}
	return writes
}
