package render

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The label of `buildMetadata: [managedByLabel]` must not depend on how our executable was built. The test binary has
// no version; the second build has one, as a release of ours would.
func TestVersionLabelOfBuiltExecutables(t *testing.T) {
	if testing.Short() {
		t.Skip("builds executables")
	}
	goCommand, err := exec.LookPath("go")
	if err != nil {
		t.Skip("no go command here")
	}
	var metadata example
	for _, e := range corpus(t) {
		if e.name == "metadata" {
			metadata = e
		}
	}
	for name, flags := range map[string]string{
		"plain":   "",
		"stamped": "-X sigs.k8s.io/kustomize/api/provenance.version=kustomize/v9.9.9",
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "serve")
			build := exec.CommandContext(t.Context(), goCommand, "build", "-ldflags", flags, "-o", path, "./testdata/serve")
			if out, err := build.CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			check(t, newPool(t, PoolOptions{Command: []string{path}, Workers: 1}), metadata)
		})
	}
}

// The golden files and the label are those of one version of kustomize: the command v5.8.2 is built from these modules.
func TestVersionsBelongTogether(t *testing.T) {
	content, err := os.ReadFile("../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"sigs.k8s.io/kustomize/api v0.21.2", "sigs.k8s.io/kustomize/kyaml v0.21.2"} {
		if !strings.Contains(string(content), "\t"+line+"\n") {
			t.Errorf("go.mod has no %q: set worker.Kustomize to the command of the new version and renew the golden files",
				line)
		}
	}
	if KustomizeVersion != "v5.8.2" {
		t.Errorf("version %s", KustomizeVersion)
	}
}
