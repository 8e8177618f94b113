package keyless_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/artifactctl/artifactctl/test/keyless/stack"
)

// email is who signs in these tests.
const email = "ci@example.com"

// settings are what a test may change in the fleet's publish.yaml.
type settings struct {
	apps        int    // default: 3
	signer      string // path and env of another plugin, as fields of YAML
	with        string // options of the signer, as fields of YAML
	trust       string // as fields of YAML
	format      string // of signatures
	batch       bool   // one signature for all
	attest      bool   // provenance and a bill of materials
	trustedRoot []byte // in trust: default, the Sigstore's own
}

// fleet is a git repository of small apps, signed by an identity of a Sigstore.
type fleet struct {
	dir   string
	token string
}

func newFleet(t *testing.T, s *stack.Stack, o settings) *fleet {
	t.Helper()
	f := &fleet{dir: t.TempDir(), token: identityToken(t, s, email, time.Hour)}
	trustedRoot := s.TrustedRoot(t)
	if o.trustedRoot == nil {
		o.trustedRoot = trustedRoot
	}
	f.write(t, "trusted_root.json", string(o.trustedRoot))
	f.write(t, "own_root.json", string(trustedRoot))
	f.write(t, "signing_config.json", string(s.SigningConfig(t)))
	for i := range max(o.apps, 1) {
		name := fmt.Sprintf("apps/app-%02d/", i)
		f.write(t, name+"kustomization.yaml", "resources: [config.yaml]\n")
		f.write(t, name+"config.yaml", fmt.Sprintf("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: app-%02d}\n", i))
	}
	f.write(t, "publish.yaml", publishFile(s, o))
	f.git(t, "init", "--quiet", "--initial-branch=main")
	f.git(t, "remote", "add", "origin", "https://git.example.com/org/fleet.git")
	f.git(t, "add", "--all")
	f.git(t, "commit", "--quiet", "--message", "first")
	return f
}

func publishFile(s *stack.Stack, o settings) string {
	fallback := func(text *string, instead string) {
		if *text == "" {
			*text = instead
		}
	}
	fallback(&o.signer, "plugin: signer-keyless, env: [SIGSTORE_ID_TOKEN]")
	fallback(&o.with, fmt.Sprintf("fulcioURL: %q, rekorURL: %q, tsaURL: %q, trustedRoot: own_root.json", s.FulcioURL, s.RekorURL, s.TimestampURL))
	fallback(&o.trust, fmt.Sprintf("issuer: %q, subject: %s, trustedRoot: trusted_root.json", s.Issuer.URL, email))
	fallback(&o.format, "bundle")
	return fmt.Sprintf(`version: v1
registry: {url: "${FLEET_REGISTRY}"}
apps: [{path: "apps/*"}]
signature: {format: %s, batch: %t}
provenance: %t
sbom: %t
signer: keyless
signers:
  keyless: {%s, with: {%s}, trust: {%s}}
`, o.format, o.batch, o.attest, o.attest, o.signer, o.with, o.trust)
}

func identityToken(t *testing.T, s *stack.Stack, email string, valid time.Duration) string {
	t.Helper()
	token, err := s.Issuer.Token(email, valid)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func (f *fleet) write(t *testing.T, name, content string) {
	t.Helper()
	path := filepath.Join(f.dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func (f *fleet) git(t *testing.T, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "git", args...)
	cmd.Dir = f.dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_NOSYSTEM=1",
		"GIT_AUTHOR_NAME=Ada", "GIT_AUTHOR_EMAIL=ada@example.com", "GIT_COMMITTER_NAME=Ada", "GIT_COMMITTER_EMAIL=ada@example.com")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// command is a run of artifactctl in the fleet that writes all that it prints to out.
func (f *fleet) command(t *testing.T, r *registry, out io.Writer, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program("artifactctl"), args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr, cmd.WaitDelay = f.dir, out, out, 20*time.Second
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "NO_COLOR=1",
		"FLEET_REGISTRY=oci://" + r.host + "/org", "SIGSTORE_ID_TOKEN=" + f.token,
		forgeEnv + "=" + os.Getenv(forgeEnv), programsEnv + "=" + os.Getenv(prebuiltEnv),
	}
	return cmd
}

// run runs artifactctl in the fleet and returns its exit code with all that it printed.
func (f *fleet) run(t *testing.T, r *registry, args ...string) (code int, output string) {
	t.Helper()
	var out bytes.Buffer
	cmd := f.command(t, r, &out, args...)
	err := cmd.Run()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatalf("run artifactctl %s: %v", strings.Join(args, " "), err)
	}
	if f.token != "" && strings.Contains(out.String(), f.token) {
		t.Errorf("artifactctl %s prints the identity token", strings.Join(args, " "))
	}
	return cmd.ProcessState.ExitCode(), out.String()
}

// must runs artifactctl, which has to succeed.
func (f *fleet) must(t *testing.T, r *registry, args ...string) string {
	t.Helper()
	code, output := f.run(t, r, args...)
	if code != 0 {
		t.Fatalf("artifactctl %s exits with %d\n%s", strings.Join(args, " "), code, output)
	}
	return output
}
