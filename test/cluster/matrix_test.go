package cluster_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/artifactctl/artifactctl/test/cluster"
	"github.com/artifactctl/artifactctl/test/matrix"
	"github.com/artifactctl/artifactctl/test/peers"
)

// Every situation of the matrix, not only those that are marked for it, and the marked ones with a provenance and a bill
// of materials, too: Flux accepts what the case says, `artifactctl verify` answers what it says, and the two agree unless
// the case tells why not.
func testMatrix(t *testing.T, w *world) {
	cases, err := matrix.Cases()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range slices.Clone(cases) {
		if c.Cluster {
			cases = append(cases, c.WithAttestations()...)
		}
	}
	for _, kind := range []string{peers.DistributionKind, peers.ReferrersKind} {
		var here []matrix.Case
		for _, c := range cases {
			if c.Kind == "" || c.Kind == kind {
				here = append(here, c)
			}
		}
		t.Run(kind, func(t *testing.T) { compare(t, w, "matrix-"+kind, kind, here) })
	}
}

// compare brings all cases into two registries, one for each verifier: some registries fail a number of times only.
func compare(t *testing.T, w *world, namespace, kind string, cases []matrix.Case) {
	t.Helper()
	if err := w.Namespace(t.Context(), namespace); err != nil {
		t.Fatal(err)
	}
	forFlux, forUs := prepared(t, kind, cases), prepared(t, kind, cases)
	var secrets, sources []any
	for i, c := range cases {
		secret, source := sourceOf(namespace, forFlux[i], c)
		secrets, sources = append(secrets, secret), append(sources, source)
	}
	for _, objects := range [][]any{secrets, sources} {
		list, err := json.Marshal(map[string]any{"apiVersion": "v1", "kind": "List", "items": objects})
		if err == nil {
			err = w.Apply(t.Context(), list)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for i, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			judged(t, w, namespace, c)
			if state := verified(t, forUs[i], c); state != c.Want {
				t.Errorf("artifactctl says %q, want %q", state, c.Want)
			}
		})
	}
}

// prepared makes the cases in a registry of their own.
func prepared(t *testing.T, kind string, cases []matrix.Case) []matrix.Artifact {
	t.Helper()
	r, err := peers.Serve(t.Context(), kind)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	artifacts := make([]matrix.Artifact, len(cases))
	for i, c := range cases {
		if artifacts[i], err = c.Prepare(t.Context(), r.Host); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range cases {
		for _, f := range c.Faults() {
			r.Inject(f)
		}
	}
	return artifacts
}

// sourceOf is what a cluster has for a case.
func sourceOf(namespace string, a matrix.Artifact, c matrix.Case) (secret, source map[string]any) {
	data, named := map[string][]byte{}, map[string]any{"name": c.Name}
	verify := map[string]any{"provider": "cosign"}
	for i, key := range c.Policy.Keys {
		data[fmt.Sprintf("key-%d.pub", i)] = key
		verify["secretRef"] = named
	}
	if who := c.Policy.Identity; who != nil {
		data["trusted_root.json"] = c.Policy.TrustedRoot
		verify["trustedRootSecretRef"] = named
		verify["matchOIDCIdentity"] = []any{map[string]any{"issuer": who.IssuerRegExp, "subject": who.SubjectRegExp}}
	}
	metadata := map[string]any{"name": c.Name, "namespace": namespace}
	return map[string]any{"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data},
		map[string]any{"apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "OCIRepository", "metadata": metadata, "spec": map[string]any{
			"interval": "1h", "url": "oci://" + a.Repository, "ref": map[string]any{"tag": matrix.Tag}, "insecure": true, "verify": verify,
		}}
}

// judged waits for Flux's verdict. A registry that fails for a while is asked again.
func judged(t *testing.T, w *world, namespace string, c matrix.Case) {
	t.Helper()
	o, err := w.Wait(t.Context(), cluster.Source(namespace, c.Name), func(o cluster.Object) bool {
		return o.Is("Ready", "True") && o.Revision() != "" || o.Is("Ready", "False") && !c.FluxAccepts()
	})
	switch {
	case err != nil:
		t.Error(err)
	case c.FluxAccepts() != (o.Is("Ready", "True") && o.Is("SourceVerified", "True")):
		t.Errorf("want accepted: %t, but %s", c.FluxAccepts(), o)
	case !c.FluxAccepts() && o.Revision() != "":
		t.Errorf("refused, and available all the same: %s", o)
	}
}

// verified is what `artifactctl verify` answers.
func verified(t *testing.T, a matrix.Artifact, c matrix.Case) matrix.State {
	t.Helper()
	dir := t.TempDir()
	file := func(name string, content []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	args := []string{"verify", "oci://" + a.Tagged(), "--allow-http-registry", "-o", "json"}
	for i, key := range c.Policy.Keys {
		args = append(args, "--key", file(fmt.Sprint(i, ".pub"), key))
	}
	if who := c.Policy.Identity; who != nil {
		args = append(args, "--certificate-oidc-issuer-regexp", who.IssuerRegExp, "--certificate-identity-regexp", who.SubjectRegExp,
			"--trusted-root", file("trusted_root.json", c.Policy.TrustedRoot))
	}
	cmd := exec.CommandContext(t.Context(), filepath.Join(peers.Product(t, false), "artifactctl"), args...)
	var stdout, stderr bytes.Buffer
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &stdout, &stderr
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "NO_COLOR=1"}
	err := cmd.Run()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	var document struct {
		Apps []struct{ State matrix.State }
	}
	if err := json.Unmarshal(stdout.Bytes(), &document); err != nil || len(document.Apps) != 1 {
		t.Fatalf("%v: %s%s", err, stdout.Bytes(), stderr.Bytes())
	}
	if refused := cmd.ProcessState.ExitCode() != 0; refused == (document.Apps[0].State == matrix.Signed) {
		t.Errorf("artifactctl says %q and exits with %d", document.Apps[0].State, cmd.ProcessState.ExitCode())
	}
	return document.Apps[0].State
}
