package pins_test

import (
	"strings"
	"testing"

	"github.com/artifactctl/artifactctl/internal/flux/manifest"
	"github.com/artifactctl/artifactctl/internal/flux/pins"
)

func TestProtect(t *testing.T) {
	const mine, other, commit = "ghcr.io/org/oci-web", "ghcr.io/org/oci-api", "sha-0123456"
	kustomization := "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\npatches: [{target: {kind: OCIRepository}, patch: '[{op: replace, path: /spec/ref, value: {tag: %s}}]'}]\n"
	for name, tt := range map[string]struct {
		file, text, repository, tag string
		needs, doubt                bool
	}{
		"nothing":                {"a.yaml", object("  ref: {tag: edge}\n"), mine, commit, false, false},
		"digest":                 {"a.yaml", object("  ref: {digest: " + oldDigest + "}\n"), mine, "", true, false},
		"tag":                    {"a.yaml", object("  ref: {tag: " + commit + "}\n"), mine, commit, true, false},
		"another tool":           {"a.yaml", "kind: Application\nspec: {source: {targetRevision: " + commit + "}}\n", mine, commit, true, false},
		"another language":       {"main.tf", "digest = \"" + oldDigest + "\"\n", mine, "", true, false},
		"range of others":        {"a.yaml", object("  ref: {semver: 1.x}\n"), mine, commit, false, false},
		"range":                  {"a.yaml", object("  ref: {semver: '>=0.0.0-0'}\n"), mine, "0.0.0-c0123456", true, false},
		"range of another":       {"a.yaml", object("  ref: {semver: '>=0.0.0-0'}\n"), other, "0.0.0-c0123456", false, false},
		"filter":                 {"a.yaml", object("  ref: {semver: '>=0.0.0-0', semverFilter: '^1'}\n"), mine, "0.0.0-c0123456", false, false},
		"broken range":           {"a.yaml", object("  ref: {semver: '?'}\n"), mine, "0.0.0-c0123456", true, false},
		"unknown ref":            {"a.yaml", object("  ref: {digest: '${DIGEST}'}\n"), mine, commit, true, true},
		"unknown ref of another": {"a.yaml", object("  ref: {digest: '${DIGEST}'}\n"), other, commit, false, false},
		"unknown repository":     {"a.yaml", strings.Replace(object("  ref: {tag: "+commit+"}\n"), "ghcr.io", "${HOST}", 1), other, commit, true, false},
		"all unknown":            {"a.yaml", strings.Replace(object("  ref: {tag: '${TAG}'}\n"), "ghcr.io", "${HOST}", 1), other, commit, true, true},
		"patch":                  {"kustomization.yaml", strings.Replace(kustomization, "%s", commit, 1), other, commit, true, false},
		"unknown patch":          {"kustomization.yaml", strings.Replace(kustomization, "%s", `"${TAG}"`, 1), other, commit, true, true},
		"cannot be read":         {"a.yaml", "apiVersion: source.toolkit.fluxcd.io/v1\nkind: [\n", other, commit, true, true},
		"no manifest":            {"a.yaml", "{{ template }}\n", other, commit, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			p := pins.Protect([]manifest.File{{Path: tt.file, Content: []byte(tt.text)}})
			if got := p.Needs(tt.repository, oldDigest, tt.tag); got != tt.needs {
				t.Errorf("needed: %v, %q", got, p.Doubt(tt.repository))
			}
			if doubt := p.Doubt(tt.repository); (doubt != "") != tt.doubt || tt.doubt && !strings.HasPrefix(doubt, tt.file+":") {
				t.Errorf("doubt %q", doubt)
			}
		})
	}
}
