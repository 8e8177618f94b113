package flux

import (
	"strings"
	"testing"

	"github.com/artifactctl/artifactctl/internal/flux/audit"
	"github.com/artifactctl/artifactctl/internal/flux/generate"
	"github.com/artifactctl/artifactctl/internal/flux/manifest"
	"github.com/artifactctl/artifactctl/internal/flux/pins"
)

// What generate writes, audit has nothing against but what was asked for, and pins can edit; it stays valid.
func TestGeneratedSourcesAreVerifiedAndEditable(t *testing.T) {
	digest := "sha256:" + strings.Repeat("ab", 32)
	kinds := definitions(t)
	for name, o := range trusts(t) {
		t.Run(name, func(t *testing.T) {
			if name == "identity" { // the wide one is for the definitions
				o.Trust.SubjectRegExp, o.Trust.Subject = "", "https://gitlab.com/org/fleet//.gitlab-ci.yml@refs/heads/main"
			}
			generated, err := generate.Flux(fleet(), o)
			if err != nil {
				t.Fatal(err)
			}
			var files []manifest.File
			for _, f := range generated {
				files = append(files, manifest.File{Path: f.Path, Content: f.Content})
			}
			audited(t, files, len(fleet()))
			var wanted []pins.Pin
			for _, a := range fleet() {
				wanted = append(wanted, pins.Pin{Repository: a.Repository, Digest: digest, Tag: "2.0"})
			}
			r, err := pins.Edit(files, wanted, pins.Options{Form: pins.ByDigest, Semver: true})
			if err != nil || len(r.Files) != len(fleet()) || len(r.Skipped)+len(r.Missing) > 0 {
				t.Fatalf("%+v, %v", r, err)
			}
			for _, f := range r.Files {
				for _, object := range objects(t, f.Content) {
					if err := kinds[object["apiVersion"].(string)+"/"+object["kind"].(string)].check(t, object); err != nil {
						t.Errorf("%s: %v", f.Path, err)
					}
				}
				if !strings.Contains(string(f.Content), digest) {
					t.Errorf("%s is not pinned:\n%s", f.Path, f.Content)
				}
			}
		})
	}
}

func audited(t *testing.T, files []manifest.File, sources int) {
	t.Helper()
	r := audit.Run(files, audit.Options{})
	if len(r.Sources) != sources || r.InState(audit.Key)+r.InState(audit.Keyless) != sources {
		t.Errorf("%s", r.Text())
	}
	for _, f := range r.Findings {
		if f.Rule != "mutable-tag" && f.Rule != "insecure-transport" {
			t.Errorf("%s: %s: %s", f.Rule, f.Object, f.Message)
		}
	}
}
