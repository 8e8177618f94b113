package audit_test

import (
	"testing"

	"github.com/artifactctl/artifactctl/internal/flux/audit"
	"github.com/artifactctl/artifactctl/internal/flux/manifest"
)

// No file stops an audit, and each finding names a rule and a line of the file.
func FuzzRun(f *testing.F) {
	files, err := manifest.ReadTree("testdata/fleet")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		f.Add(file.Content)
	}
	f.Add([]byte("kind: Kustomization\npatches: [a, {patch: b}, [c], {path: x.yaml, target: {kind: '['}}]\n"))
	f.Add([]byte("apiVersion: source.toolkit.fluxcd.io/v1\nkind: OCIRepository\nspec: &s {url: 'oci://a/b', verify: {matchOIDCIdentity: [*s, ~, 1, {issuer: '(', subject: 'a{9,}'}]}}\n"))
	f.Fuzz(func(t *testing.T, content []byte) {
		r := audit.Run([]manifest.File{{Path: "x.yaml", Content: content}}, audit.Options{})
		for _, finding := range r.Findings {
			if finding.Why == "" || finding.Line < 1 {
				t.Errorf("%+v", finding)
			}
		}
		r.SARIF("")
		r.Markdown()
	})
}
