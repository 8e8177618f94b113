package config

import (
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

func full(t *testing.T) string {
	t.Helper()
	content, err := os.ReadFile("testdata/good/full.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func TestLoadReadsEveryField(t *testing.T) {
	c := must(t, full(t), Options{})
	if c.Registry.URL != "oci://registry.example.com:5000/fleet" || c.Registry.Timeout != 90*time.Second || c.Registry.Retries != 0 {
		t.Errorf("registry %+v", c.Registry)
	}
	if host, prefix := c.Registry.Host(); host != "registry.example.com:5000" || prefix != "fleet" {
		t.Errorf("host %q, prefix %q", host, prefix)
	}
	if c.Annotations["example.com/cost"] != "${not replaced}" {
		t.Errorf("annotations %v", c.Annotations)
	}
	want := Tags{Commit: "{branch}-{commit}", Rolling: map[string]string{"main": "edge", "release/*": "{branch}"}}
	if !reflect.DeepEqual(c.Tags, want) {
		t.Errorf("tags %+v", c.Tags)
	}
	s, err := c.ActiveSigner()
	if err != nil || s.Plugin != "signer-file" || len(s.SHA256) != 2 || !slices.Equal(s.Trust.PublicKey, Paths{"old.pub", "new.pub"}) {
		t.Errorf("signer %+v, %v", s, err)
	}
	with := map[string]any{
		"key": "env://COSIGN_KEY", "password": "env://COSIGN_PASSWORD", "retries": 3, "fast": true,
		"list": []any{"a", "a", 1.5}, "nothing": nil,
	}
	if !reflect.DeepEqual(s.With, with) {
		t.Errorf("with %#v", s.With)
	}
	if _, ok := c.Environments["production"]; !ok || len(c.Environments) != 2 {
		t.Errorf("environments %v", c.Environments)
	}
	if len(c.Warnings) != 0 {
		t.Errorf("warnings %v", c.Warnings)
	}
}

func TestLoadResolvesTheFleet(t *testing.T) {
	c := must(t, full(t), Options{})
	var got []string
	for _, a := range c.Fleet {
		got = append(got, strings.Join([]string{a.Name, a.Path, a.Repository, string(a.Render)}, " "))
		if a.Dir != filepath.Join(c.Dir, filepath.FromSlash(a.Path)) || a.Annotations["org.opencontainers.image.vendor"] != "Example" {
			t.Errorf("app %+v", a)
		}
	}
	want := []string{
		"one apps/one fleet/one kustomize", "two apps/two fleet/two kustomize", "flux-system clusters/prod manifests none",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	if c.Fleet[0].Annotations["example.com/own"] != "yes" || c.Fleet[2].Annotations["example.com/own"] != "" {
		t.Errorf("annotations of apps leak: %v, %v", c.Fleet[0].Annotations, c.Fleet[2].Annotations)
	}
}

func TestDefaults(t *testing.T) {
	c := must(t, "version: v1\nregistry: {url: oci-layout:./out}\napps: [{path: apps/one}]\n", Options{})
	want := Publish{
		Version:  "v1",
		Registry: Registry{URL: "oci-layout:./out", Timeout: 30 * time.Second, Retries: 4},
		Apps:     []AppRule{{Path: "apps/one", Repository: "{app}", Render: RenderKustomize}},
		Tags:     Tags{Commit: "sha-{commit}", Rolling: map[string]string{"main": "edge"}, Release: "{version}"},

		Signature: Signature{Format: FormatBundle}, Environments: map[string]Environment{},
	}
	if !reflect.DeepEqual(c.Publish, want) {
		t.Errorf("got  %+v\nwant %+v", c.Publish, want)
	}
	if _, err := c.ActiveSigner(); err == nil || !strings.Contains(err.Error(), "no signer is chosen") {
		t.Errorf("no signer: %v", err)
	}
}

func TestDefaultOfAMapIsAWhole(t *testing.T) {
	const head = "version: v1\nregistry: {url: oci-layout:./out}\napps: [{path: apps/one}]\n"
	for _, tc := range []struct {
		name, content, env string
		want               map[string]string
	}{
		{"file replaces it", head + "tags: {rolling: {prod: live}}\n", "", map[string]string{"prod": "live"}},
		{"empty map", head + "tags: {rolling: {}}\n", "", map[string]string{}},
		{"environment adds to it", head + "environments: {e: {tags: {rolling: {prod: live}}}}\n", "e", map[string]string{"main": "edge", "prod": "live"}},
		{"environment turns it off", head + "environments: {e: {tags: {rolling: {main: \"\"}}}}\n", "e", map[string]string{}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := must(t, tc.content, Options{Env: tc.env}).Tags.Rolling; !maps.Equal(got, tc.want) {
				t.Errorf("got %v, want %v", got, tc.want)
			}
		})
	}
}

func TestPrecedence(t *testing.T) {
	o := Options{
		Env: "production",
		Environ: []string{
			"PRODUCTION_HOST=registry.corp", "ARTIFACTCTL_REGISTRY_RETRIES=9", "ARTIFACTCTL_SIGNER=file", "ARTIFACTCTL_REGISTRY_INSECURE=",
		},
		Set: []Override{
			{"--signer", "signer", "vault"},
			{"--set", `annotations["example.com/env"]`, "flag"},
			{"--set", "signers.vault.with.mount", "first"},
			{"--set", "signers.vault.with.mount", "last"},
			{"--set", "signers.file.env", "[ONLY]"},
			{"--set", "registry.insecure", "true"},
			{"--set", "registry.tls", "{}"},
		},
	}
	content := strings.Replace(full(t), "  tls: {ca: certs/ca.pem, cert: certs/client.pem, key: certs/client.key}\n", "", 1)
	c := must(t, content, o)
	for _, tc := range []struct {
		what      string
		got, want any
	}{
		{"environment over file", c.Registry.URL, "oci://registry.corp/gitops"},
		{"variable over environment", c.Registry.Retries, 9},
		{"flag over variable", c.Signer, "vault"},
		{"file stays", c.Registry.Timeout, 90 * time.Second},
		{"flag into a key with dots", c.Annotations["example.com/env"], "flag"},
		{"later flag wins", c.Signers["vault"].With["mount"], "last"},
		{"maps merge", c.Signers["vault"].With["key"], any("artifacts")},
		{"environment's list replaces a scalar", len(c.Signers["vault"].Trust.PublicKey), 2},
		{"flag's list replaces", strings.Join(c.Signers["file"].Env, ","), "ONLY"},
		{"empty variable counts as unset", c.Registry.Insecure, true},
		{"map of tags merges", c.Tags.Rolling["main"] + c.Tags.Rolling["release/*"], "stable{branch}"},
	} {
		if tc.got != tc.want {
			t.Errorf("%s: got %v, want %v", tc.what, tc.got, tc.want)
		}
	}
}

func TestVariablesOfOtherEnvironmentsAreNotNeeded(t *testing.T) {
	must(t, full(t), Options{Env: "staging"})
	_, err := fromTree(t, full(t), Options{Env: "production"})
	if got := invalid(t, err); !strings.Contains(got, "environments.production.registry.url: the variable PRODUCTION_HOST is not set") {
		t.Error(got)
	}
}

func TestBadLayers(t *testing.T) {
	const content = "version: v1\nregistry: {url: oci-layout:./out}\napps: [{path: apps/one}]\nsigners: {file: {plugin: signer-file}}\nenvironments:\n  staging: {}\n  production: {}\n"
	for _, tc := range []struct {
		name string
		o    Options
		want string
	}{
		{"unknown environment", Options{Env: "prod"}, "publish.yaml:6:3: environments: there is no environment \"prod\"; there are production, staging"},
		{"variable of a wrong type", Options{Environ: []string{"ARTIFACTCTL_REGISTRY_RETRIES=many"}}, "ARTIFACTCTL_REGISTRY_RETRIES: registry.retries: must be a whole number, is a string"},
		{"secret in a variable", Options{Environ: []string{"ARTIFACTCTL_REGISTRY_CREDENTIALS_PASSWORD=hunter2"}}, "ARTIFACTCTL_REGISTRY_CREDENTIALS_PASSWORD: registry.credentials.password: must be a reference, not the secret itself"},
		{"credentials in a URL", Options{Set: []Override{{"--registry", "registry.url", "oci://bob:hunter2@host"}}}, "--registry: registry.url: holds credentials"},
		{"signer by flag", Options{Set: []Override{{"--signer", "signer", "flie"}}}, "--signer: signer: there is no signer \"flie\"; there are file, did you mean \"file\"?"},
		{"unknown path", Options{Set: []Override{{"--set", "registry.ulr", "x"}}}, "--set: registry.ulr: unknown key, did you mean \"url\"?"},
		{"malformed path", Options{Set: []Override{{"--set", "registry..url", "x"}}}, "--set: the path is malformed"},
		{"apps by flag", Options{Set: []Override{{"--set", "apps", "[]"}}}, "--set: apps: this can only be set in the file"},
		{"below a scalar", Options{Set: []Override{{"--set", "signer.name", "x"}}}, "--set: signer.name: name is below a value, not in a map"},
		{"bad YAML", Options{Set: []Override{{"--set", "signers.file.env", "[A"}}}, "--set: signers.file.env: the value is not valid YAML"},
		{"bomb in a flag", Options{Set: []Override{{"--set", "signers.file.with", "&a {x: *a}"}}}, "--set: signers.file.with: the value is not valid YAML"},
		{"no interpolation in flags", Options{Set: []Override{{"--set", "signature.format", "${HOME}"}}}, "--set: signature.format: \"${HOME}\" is not one of bundle, legacy, both"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := fromTree(t, content, tc.o)
			if got := invalid(t, err); got != tc.want {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
		})
	}
}

func TestWarnings(t *testing.T) {
	content := "version: v1\nregistry: {url: oci-layout:./out}\napps: [{path: apps/one}]\nsigners: {file: {plugin: signer-file, with: {key: \"${KEY}\"}}}\n"
	c := must(t, content, Options{Environ: []string{
		"ARTIFACTCTL_REGISTRI_URL=oci://x/y", "ARTIFACTCTL_FILE=x", "ARTIFACTCTL_ENV=x", "ARTIFACTCTL_PLUGIN_DIR=/x",
		"ARTIFACTCTL_PLUGIN_COOKIE=x", "ARTIFACTCTL_LOG_LEVEL=debug", "ARTIFACTCTL_WHATEVER=hunter2",
	}})
	var got []string
	for _, w := range c.Warnings {
		got = append(got, w.String())
	}
	want := []string{
		"publish.yaml:4:51: signers.file.with.key: ${…} is not replaced here: the plugin gets it as it stands",
		"ARTIFACTCTL_REGISTRI_URL: the variable sets nothing, did you mean \"ARTIFACTCTL_REGISTRY_URL\"?",
		"ARTIFACTCTL_WHATEVER: the variable sets nothing",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if c.Signers["file"].With["key"] != "${KEY}" {
		t.Errorf("with was replaced: %v", c.Signers["file"].With)
	}
}

func TestVariables(t *testing.T) {
	got := Variables()
	for name, path := range map[string]string{
		"ARTIFACTCTL_REGISTRY_URL": "registry.url", "ARTIFACTCTL_REGISTRY_CREDENTIALS_PASSWORD": "registry.credentials.password",
		"ARTIFACTCTL_SIGNER": "signer", "ARTIFACTCTL_TAGS_COMMIT": "tags.commit", "ARTIFACTCTL_REGISTRY_TIMEOUT": "registry.timeout",
	} {
		if got[name] != path {
			t.Errorf("%s sets %q, want %q", name, got[name], path)
		}
	}
	if _, ok := got["ARTIFACTCTL_VERSION"]; ok {
		t.Error("a variable sets the version of the file")
	}
}
