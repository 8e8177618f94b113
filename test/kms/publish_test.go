package kms_test

import (
	"bytes"
	"crypto"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/artifactctl/artifactctl/plugins/signer"
	"github.com/artifactctl/artifactctl/test/fixture"
	"github.com/artifactctl/artifactctl/test/kms/cloud"
	"github.com/artifactctl/artifactctl/test/oracle"
	"github.com/artifactctl/artifactctl/test/peers"
)

// Whatever service signs: cosign and Flux accept what was published, with its key and no other.
func TestPublishedIsVerifiable(t *testing.T) {
	cosign := oracle.NewCosign(t)
	other := fixture.NewKey(t, "p256")
	n, a := newAWS(t)
	vault, vaultEnv := newVault(t, "transit", "ecdsa-p384")
	opened := start(t, vaultEnv...)
	info, err := opened.Open(t.Context(), vaultKey())
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		key    string
		public []byte
		env    []string
	}{
		"aws":              {"awskms:///" + cloud.AWSKeyARN(1), pemOf(t, a.AddKey(t, 1, cloud.P256)), awsEnv(n)},
		"aws rsa":          {"awskms:///" + cloud.AWSKeyARN(2), pemOf(t, a.AddKey(t, 2, cloud.RSA2048)), awsEnv(n)},
		"hashivault p-384": {"hashivault://artifacts", info.PublicKey, vaultEnv},
	} {
		t.Run(name, func(t *testing.T) {
			fleet := newFleet(t, tt.key, tt.public, tt.env)
			r := peers.Distribution(t)
			if code, output := publish(t, fleet, r, tt.env); code != 0 {
				t.Fatalf("publish exits with %d\n%s", code, output)
			}
			verify(t, cosign, fleet, r, other)
		})
	}
	if len(vault.Requests()) == 0 {
		t.Error("nobody asked the transit engine")
	}
}

// Without the permission to sign, nothing is pushed at all.
func TestDeniedBeforeAnythingIsPushed(t *testing.T) {
	n, a := newAWS(t)
	public := pemOf(t, a.AddKey(t, 1, cloud.P256))
	a.Deny("Sign", true)
	fleet := newFleet(t, "awskms:///"+cloud.AWSKeyARN(1), public, awsEnv(n))
	r := peers.Distribution(t)
	code, output := publish(t, fleet, r, awsEnv(n))
	if code != 3 || !strings.Contains(output, "not authorized to perform: kms:Sign") || !strings.Contains(output, "hint: ") {
		t.Errorf("exit status %d\n%s", code, output)
	}
	if r.Writes() != 0 {
		t.Errorf("the registry was written to: %v", r.Requests())
	}
}

func pemOf(t *testing.T, public crypto.PublicKey) []byte {
	t.Helper()
	text, err := signer.MarshalPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// newFleet makes a fleet that signer-kms signs with a key, given the variables of env.
func newFleet(t *testing.T, key string, public []byte, env []string) *fixture.Fleet {
	t.Helper()
	pair := fixture.Key{Public: public, Path: filepath.Join(t.TempDir(), "kms.pub")}
	if err := os.WriteFile(pair.Path, public, 0o600); err != nil {
		t.Fatal(err)
	}
	fleet := fixture.NewFleet(t, fixture.Options{Apps: 1, Format: "both", Key: pair})
	text, err := os.ReadFile(filepath.Join(fleet.Dir, fixture.File))
	if err != nil {
		t.Fatal(err)
	}
	head, _, found := strings.Cut(string(text), "signer: file\n")
	if !found {
		t.Fatalf("the fleet's publish.yaml is not as it was:\n%s", text)
	}
	var names []string
	for _, entry := range env {
		name, _, _ := strings.Cut(entry, "=")
		names = append(names, name)
	}
	head += "signer: kms\nsigners:\n  kms:\n    plugin: signer-kms\n    env: [" + strings.Join(names, ", ") + "]\n" +
		"    with: {key: \"" + key + "\"}\n    trust: {publicKey: cosign.pub}\n"
	if err := fleet.Write(fixture.File, head); err != nil {
		t.Fatal(err)
	}
	if err := fleet.Commit(t.Context(), "sign with a key management service"); err != nil {
		t.Fatal(err)
	}
	return fleet
}

// publish runs `artifactctl publish` and returns its exit status and all that it printed. No secret must be in there.
func publish(t *testing.T, fleet *fixture.Fleet, r *peers.Registry, env []string) (code int, output string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), filepath.Join(peers.Product(t, false), "artifactctl"), "publish", "--log-level", "debug")
	cmd.Dir = fleet.Dir
	cmd.Env = append(append(fleet.Env("oci://"+r.Host+"/org"), "PATH="+os.Getenv("PATH"), "HOME="+t.TempDir(), "NO_COLOR=1", "NO_PROXY=127.0.0.1,localhost"), env...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	for _, secret := range secrets {
		if strings.Contains(out.String(), secret) {
			t.Errorf("%q is shown:\n%s", secret, out.String())
		}
	}
	return cmd.ProcessState.ExitCode(), out.String()
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
