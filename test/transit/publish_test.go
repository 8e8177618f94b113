package transit_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/artifactctl/artifactctl/test/fixture"
	"github.com/artifactctl/artifactctl/test/oracle"
	"github.com/artifactctl/artifactctl/test/peers"
	"github.com/artifactctl/artifactctl/test/transit"
)

// signers is the part of publish.yaml that says who signs: in production Vault, elsewhere a key that is not even there.
const signers = `signer: file
signers:
  file:
    plugin: signer-file
    with: {key: missing.key}
    trust: {publicKey: missing.pub}
  vault:
    plugin: signer-vault
    env: [VAULT_ADDR, VAULT_TOKEN, VAULT_MAX_RETRIES]
    with: {key: artifacts}
    trust: {publicKey: cosign.pub}
environments:
  production: {signer: vault}
`

// Whatever the type of the key and the kind of registry: cosign and Flux accept what was published, with the key that the
// server shows and no other, in the format of today and the legacy one. A second run asks the server for one signature
// only, the probe of Open.
func TestPublishedIsVerifiable(t *testing.T) {
	cosign := oracle.NewCosign(t)
	other := fixture.NewKey(t, "p256")
	for keyType := range keyTypes() {
		s := serve(t, "transit", "", keyType)
		fleet := newFleet(t, s, "both")
		for _, r := range peers.Registries(t) {
			t.Run(keyType+"/"+r.Kind, func(t *testing.T) {
				before := signatures(s)
				publish(t, s, fleet, r)
				if n, most := signatures(s)-before, 1+2*len(fleet.Repositories); n < 2 || n > most {
					t.Errorf("the run took %d requests to sign, want 2 to %d", n, most)
				}
				verify(t, cosign, fleet, r, other)
				before = signatures(s)
				publish(t, s, fleet, r)
				if n := signatures(s) - before; n != 0 {
					t.Errorf("a run with nothing to do takes %d requests to sign", n)
				}
			})
		}
	}
}

// Without the permission to sign, nothing is pushed at all, and the message says what is missing.
func TestDeniedBeforeAnythingIsPushed(t *testing.T) {
	s := serve(t, "transit", "", "ecdsa-p256")
	fleet := newFleet(t, s, "bundle")
	s.Allow(token, transit.Grant{Path: "transit/keys/artifacts", Capabilities: []string{"read"}})
	r := peers.Distribution(t)
	code, output := run(t, s, fleet, r, "--log-level", "debug")
	if code != 3 || !strings.Contains(output, `path "transit/sign/artifacts/sha2-256" { capabilities = ["update"] }`) {
		t.Errorf("exit status %d\n%s", code, output)
	}
	if r.Writes() != 0 {
		t.Errorf("the registry was written to: %v", r.Requests())
	}
}

// newFleet makes a fleet whose artifacts the key of the server signs.
func newFleet(t *testing.T, s *transit.Server, format string) *fixture.Fleet {
	t.Helper()
	key := fixture.Key{Public: []byte(publicKey(t, s, "1")), Path: filepath.Join(t.TempDir(), "vault.pub")}
	if err := os.WriteFile(key.Path, key.Public, 0o600); err != nil {
		t.Fatal(err)
	}
	fleet := fixture.NewFleet(t, fixture.Options{Apps: 1, Format: format, Key: key})
	text, err := os.ReadFile(filepath.Join(fleet.Dir, fixture.File))
	if err != nil {
		t.Fatal(err)
	}
	head, _, found := strings.Cut(string(text), "signer: file\n")
	if !found {
		t.Fatalf("the fleet's publish.yaml is not as it was:\n%s", text)
	}
	if err := fleet.Write(fixture.File, head+signers); err != nil {
		t.Fatal(err)
	}
	if err := fleet.Commit(t.Context(), "sign with Vault"); err != nil {
		t.Fatal(err)
	}
	return fleet
}

// run runs `artifactctl publish` in production and returns its exit status and all that it printed. The token must not be
// in there.
func run(t *testing.T, s *transit.Server, fleet *fixture.Fleet, r *peers.Registry, args ...string) (code int, output string) {
	t.Helper()
	return runWith(t, s.URL, token, fleet, "oci://"+r.Host+"/org", args...)
}

// runWith is run with any server, token and registry.
func runWith(t *testing.T, vault, token string, fleet *fixture.Fleet, registry string, args ...string) (code int, output string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), filepath.Join(peers.Product(t, false), "artifactctl"), append([]string{"publish", "--env", "production"}, args...)...)
	cmd.Dir = fleet.Dir
	cmd.Env = append(fleet.Env(registry), "PATH="+os.Getenv("PATH"), "HOME="+t.TempDir(), "NO_COLOR=1",
		"VAULT_ADDR="+vault, "VAULT_TOKEN="+token, "VAULT_MAX_RETRIES=0")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	if strings.Contains(out.String(), token) {
		t.Errorf("the token is shown:\n%s", out.String())
	}
	return cmd.ProcessState.ExitCode(), out.String()
}

func publish(t *testing.T, s *transit.Server, fleet *fixture.Fleet, r *peers.Registry) {
	t.Helper()
	if code, output := run(t, s, fleet, r, "--log-level", "debug"); code != 0 {
		t.Fatalf("publish exits with %d\n%s", code, output)
	}
}

// verify asks both oracles about what the rolling tag of each repository names.
func verify(t *testing.T, cosign *oracle.Cosign, fleet *fixture.Fleet, r *peers.Registry, other fixture.Key) {
	t.Helper()
	var repositories []string
	for _, path := range fleet.Repositories {
		repositories = append(repositories, r.Direct+"/org/"+path)
	}
	oracle.JudgeTagged(t, cosign, repositories, "edge", oracle.PublicKey{Path: fleet.Key.Path, PEM: fleet.Key.Public}, oracle.PublicKey{Path: other.Path, PEM: other.Public})
}

// signatures counts the requests to sign so far.
func signatures(s *transit.Server) int {
	n := 0
	for _, r := range s.Requests() {
		if strings.Contains(r.Path, "/sign/") {
			n++
		}
	}
	return n
}
