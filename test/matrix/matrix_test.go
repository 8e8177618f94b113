package matrix_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sigstore/cosign/v3/pkg/cosign"
	"golang.org/x/sync/errgroup"

	"github.com/artifactctl/artifactctl/test/matrix"
	"github.com/artifactctl/artifactctl/test/oracle"
	"github.com/artifactctl/artifactctl/test/peers"
)

// What `artifactctl verify` says of each case is what it has to say, and what the code of Flux does with it: on both
// kinds of registry, by tag and by digest. So it is with a provenance and a bill of materials beside what the case has.
func TestVerifyAgreesWithFlux(t *testing.T) {
	bin := peers.Product(t, false)
	cases, err := matrix.Cases()
	if err != nil {
		t.Fatal(err)
	}
	var group errgroup.Group
	group.SetLimit(12) // most wait for a registry that does not answer
	for _, c := range withAttestations(cases) {
		for _, kind := range []string{peers.DistributionKind, peers.ReferrersKind} {
			if c.Kind != "" && c.Kind != kind {
				continue
			}
			group.Go(func() error {
				t.Run(c.Name+"/"+kind, func(t *testing.T) { agree(t, bin, c, kind) })
				return nil
			})
		}
	}
	_ = group.Wait()
}

// withAttestations returns all cases as they are, and then each with attestations.
func withAttestations(cases []matrix.Case) []matrix.Case {
	all := slices.Clone(cases)
	for _, c := range cases {
		all = append(all, c.WithAttestations()...)
	}
	return all
}

func agree(t *testing.T, bin string, c matrix.Case, kind string) {
	r, a := prepare(t, c, kind)
	pinned, err := oracle.FluxResolve(t.Context(), a.Tagged())
	if err == nil {
		err = fluxVerify(t.Context(), pinned, c.Policy)
	}
	if (err == nil) != c.FluxAccepts() {
		t.Errorf("Flux says %v, want accepted: %t", err, c.FluxAccepts())
	}
	r.Reset()
	inject(r, c)
	checkVerdict(t, c, verify(t, bin, a.Tagged(), c.Policy))
	if a.Digest != "" && len(c.Faults()) == 0 {
		checkVerdict(t, c, verify(t, bin, a.Pinned(), c.Policy))
	}
}

// The cases are many enough, told apart by their names, and few of them stricter than Flux.
func TestCases(t *testing.T) {
	cases, err := matrix.Cases()
	if err != nil {
		t.Fatal(err)
	}
	names, cluster, stricter := map[string]bool{}, 0, 0
	for _, c := range withAttestations(cases) {
		if names[c.Name] {
			t.Errorf("two cases are called %s", c.Name)
		}
		names[c.Name] = true
		if (c.Reason == "") != (c.Want == matrix.Signed || c.Want == matrix.Missing) {
			t.Errorf("%s: a refusal, and nothing else, has a reason", c.Name)
		}
	}
	for _, c := range cases {
		if c.Cluster {
			cluster++
		}
		if c.Stricter != "" {
			stricter++
		}
		for _, with := range c.WithAttestations() {
			if c.Want == matrix.Signed && with.Want != matrix.Signed {
				t.Errorf("%s is not signed, although %s is", with.Name, c.Name)
			}
		}
	}
	if len(cases) < 40 || cluster < 15 || stricter > 5 {
		t.Errorf("%d cases, %d for the cluster, %d stricter than Flux", len(cases), cluster, stricter)
	}
}

func prepare(t *testing.T, c matrix.Case, kind string) (*peers.Registry, matrix.Artifact) {
	t.Helper()
	r, err := peers.Serve(t.Context(), kind)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	a, err := c.Prepare(t.Context(), r.Host)
	if err != nil {
		t.Fatal(err)
	}
	inject(r, c)
	return r, a
}

func inject(r *peers.Registry, c matrix.Case) {
	for _, f := range c.Faults() {
		r.Inject(f)
	}
}

func fluxVerify(ctx context.Context, ref string, p matrix.Policy) error {
	if p.Identity == nil {
		return oracle.FluxVerify(ctx, ref, p.Keys...)
	}
	return oracle.FluxVerifyIdentity(ctx, ref, p.TrustedRoot, cosign.Identity{IssuerRegExp: p.Identity.IssuerRegExp, SubjectRegExp: p.Identity.SubjectRegExp})
}

// verdict is what artifactctl prints.
type verdict struct {
	Signed, Refused int
	Apps            []struct {
		State, SignedBy, Digest string
		Reasons                 []string
		Signatures              []struct {
			Digest, Format, SignedBy, Problem, Reason string
			Trusted                                   bool
		}
		Attestations []described
		Failure      *struct{ Hints []string }
	}

	code int
	text string
}

// described is an attestation.
type described struct {
	Digest, PredicateType, SignedBy string
	Trusted                         bool
}

// verify runs `artifactctl verify` on a reference in a directory without a publish.yaml.
func verify(t *testing.T, bin, ref string, p matrix.Policy) verdict {
	t.Helper()
	dir := t.TempDir()
	write := func(name string, content []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	args := []string{"verify", "oci://" + ref, "-o", "json", "--timeout", "5s"}
	for i, k := range p.Keys {
		args = append(args, "--key", write(string(rune('a'+i))+".pub", k))
	}
	if id := p.Identity; id != nil {
		args = append(args, "--trusted-root", write("trusted_root.json", p.TrustedRoot))
		if id.Subject != "" {
			args = append(args, "--certificate-identity", id.Subject, "--certificate-oidc-issuer", id.Issuer)
		} else {
			args = append(args, "--certificate-identity-regexp", id.SubjectRegExp, "--certificate-oidc-issuer-regexp", id.IssuerRegExp)
		}
	}
	cmd := exec.CommandContext(t.Context(), filepath.Join(bin, "artifactctl"), args...)
	cmd.Dir, cmd.Env = dir, []string{"HOME=" + dir, "PATH=" + os.Getenv("PATH")}
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	v := verdict{code: cmd.ProcessState.ExitCode(), text: string(out) + stderr.String()}
	if err := json.Unmarshal(out, &v); err != nil || len(v.Apps) != 1 {
		t.Fatalf("artifactctl says %v: %s", err, v.text)
	}
	return v
}

func checkVerdict(t *testing.T, c matrix.Case, v verdict) {
	t.Helper()
	app := v.Apps[0]
	if matrix.State(app.State) != c.Want {
		t.Errorf("artifactctl says %s, want %s:\n%s", app.State, c.Want, v.text)
		return
	}
	good := c.Want == matrix.Signed
	if good != (v.code == 0) || good != (app.SignedBy != "") || good != (app.Failure == nil) {
		t.Errorf("exit code %d, signed by %q:\n%s", v.code, app.SignedBy, v.text)
	}
	if !good && (app.Failure == nil || len(app.Failure.Hints) == 0) {
		t.Errorf("it gives no advice:\n%s", v.text)
	}
	if !strings.Contains(strings.Join(app.Reasons, "\n"), c.Reason) {
		t.Errorf("the reasons lack %q: %q", c.Reason, app.Reasons)
	}
	for _, s := range app.Signatures {
		if !strings.HasPrefix(s.Digest, "sha256:") || s.Format == "" || s.Trusted == (s.Problem != "") || s.Trusted != (s.SignedBy != "") || s.Trusted == (s.Reason != "") {
			t.Errorf("a signature is not described: %+v", s)
		}
	}
	for _, s := range app.Attestations {
		if !strings.HasPrefix(s.Digest, "sha256:") || s.PredicateType == "" || s.Trusted != (s.SignedBy != "") {
			t.Errorf("an attestation is not described: %+v", s)
		}
	}
	for _, kind := range []string{"https://slsa.dev/provenance/v1", "https://cyclonedx.org/bom"} {
		if c.Attested && !slices.ContainsFunc(app.Attestations, func(a described) bool { return a.Trusted && a.PredicateType == kind }) {
			t.Errorf("%s is not among the attestations: %+v", kind, app.Attestations)
		}
	}
}
