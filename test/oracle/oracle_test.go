package oracle_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fluxcd/pkg/oci"

	"github.com/artifactctl/artifactctl/test/oracle"
	"github.com/artifactctl/artifactctl/test/peers"
)

// The oracles are worth something only if they can say no: cosign signs what Flux pushed, and each of them accepts the
// right key and refuses a wrong key, no key and no signature, on both kinds of registry and in both formats.
func TestOraclesCanSayNo(t *testing.T) {
	cosign := oracle.NewCosign(t)
	private, public := generate(t, cosign, "right")
	_, wrong := generate(t, cosign, "wrong")
	for _, registry := range peers.Registries(t) {
		for _, format := range []string{"bundle", "legacy"} {
			t.Run(registry.Kind+"/"+format, func(t *testing.T) {
				ref := push(t, registry.Host+"/oracle/"+format+":v1")
				refuse(t, cosign, ref, public)
				if err := cosign.Sign(t.Context(), ref, private, format == "legacy"); err != nil {
					t.Fatal(err)
				}
				accept(t, cosign, ref, public)
				refuse(t, cosign, ref, wrong)
				if err := oracle.FluxVerify(t.Context(), ref); err == nil {
					t.Error("flux accepts an artifact without any key")
				}
				if err := oracle.FluxVerify(t.Context(), ref, read(t, wrong), read(t, public)); err != nil {
					t.Errorf("flux tries only the first of two keys: %v", err)
				}
				if tree, err := cosign.Tree(t.Context(), ref); err != nil || !strings.Contains(tree, "sha256:") {
					t.Errorf("cosign tree shows no signature (%v):\n%s", err, tree)
				}
			})
		}
	}
}

// A bundle of somebody else hides a good legacy signature from Flux; a test that relies on FluxVerify must see that.
func TestFluxPrefersBundles(t *testing.T) {
	cosign := oracle.NewCosign(t)
	private, public := generate(t, cosign, "right")
	foreign, _ := generate(t, cosign, "foreign")
	ref := push(t, peers.WithReferrers(t).Host+"/oracle/app:v1")
	for _, step := range []struct {
		key    string
		legacy bool
		good   bool
	}{{private, true, true}, {foreign, false, false}, {private, false, true}} {
		if err := cosign.Sign(t.Context(), ref, step.key, step.legacy); err != nil {
			t.Fatal(err)
		}
		if err := oracle.FluxVerify(t.Context(), ref, read(t, public)); (err == nil) != step.good {
			t.Errorf("after a signature with %s (legacy %t): got %v, want good %t", filepath.Base(step.key), step.legacy, err, step.good)
		}
	}
}

func TestFluxDiffSeesContent(t *testing.T) {
	dir := tree(t)
	ref, err := oracle.FluxPush(t.Context(), peers.Distribution(t).Host+"/oracle/app:v1", dir, oci.Metadata{Source: "s", Revision: "r"})
	if err != nil {
		t.Fatal(err)
	}
	if err := oracle.FluxDiff(t.Context(), ref, dir); err != nil {
		t.Errorf("flux sees a difference where there is none: %v", err)
	}
	out := t.TempDir()
	meta, err := oracle.FluxPull(t.Context(), ref, out)
	if err != nil {
		t.Fatal(err)
	}
	if got := read(t, filepath.Join(out, "manifests.yaml")); string(got) != "kind: ConfigMap\n" || meta.Revision != "r" {
		t.Errorf("pulled %q with revision %q", got, meta.Revision)
	}
	if err := os.WriteFile(filepath.Join(dir, "manifests.yaml"), []byte("kind: Secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := oracle.FluxDiff(t.Context(), ref, dir); err == nil {
		t.Error("flux sees no difference where there is one")
	}
}

func accept(t *testing.T, cosign *oracle.Cosign, ref, public string) {
	t.Helper()
	if err := cosign.Verify(t.Context(), ref, public); err != nil {
		t.Errorf("cosign refuses the right key: %v", err)
	}
	if err := oracle.FluxVerify(t.Context(), ref, read(t, public)); err != nil {
		t.Errorf("flux refuses the right key: %v", err)
	}
}

func refuse(t *testing.T, cosign *oracle.Cosign, ref, public string) {
	t.Helper()
	if err := cosign.Verify(t.Context(), ref, public); err == nil {
		t.Errorf("cosign accepts %s with %s", ref, filepath.Base(public))
	}
	if err := oracle.FluxVerify(t.Context(), ref, read(t, public)); err == nil {
		t.Errorf("flux accepts %s with %s", ref, filepath.Base(public))
	}
}

func generate(t *testing.T, cosign *oracle.Cosign, name string) (private, public string) {
	t.Helper()
	private, public, err := cosign.Generate(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	return private, public
}

func push(t *testing.T, ref string) string {
	t.Helper()
	digest, err := oracle.FluxPush(t.Context(), ref, tree(t), oci.Metadata{Source: "s", Revision: "r"})
	if err != nil {
		t.Fatal(err)
	}
	return digest
}

func tree(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "manifests.yaml"), []byte("kind: ConfigMap\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return content
}
