package config

import (
	"strings"
	"testing"
)

const viewed = `version: v1
registry:
  url: oci://ghcr.io/${ORG:-example}
  credentials: {username: env://USER, password: env://TOKEN}
annotations:
  example.com/a: "1"
apps:
  - path: apps/one
signer: file
signers:
  file:
    plugin: signer-file
    with: {key: env://KEY, deep: {list: [1, two]}, none: []}
    trust: {publicKey: cosign.pub}
environments:
  production:
    registry: {timeout: 5s}
    annotations: {example.com/b: two}
`

func TestViewShowsOrigins(t *testing.T) {
	o := Options{
		Env:     "production",
		Environ: []string{"ARTIFACTCTL_SIGNATURE_FORMAT=both", "TOKEN=hunter2"},
		Set:     []Override{{"--registry-retries", "registry.retries", "1"}},
	}
	c := must(t, viewed, o)
	got, err := c.View(true)
	if err != nil {
		t.Fatal(err)
	}
	const want = `version: v1 # publish.yaml:1:10
registry:
  url: oci://ghcr.io/example # publish.yaml:3:8
  credentials:
    username: env://USER # publish.yaml:4:27
    password: env://TOKEN # publish.yaml:4:49
  timeout: 5s # environment production (publish.yaml:17:25)
  retries: 1 # flag --registry-retries
annotations:
  example.com/a: "1" # publish.yaml:6:18
  example.com/b: two # environment production (publish.yaml:18:34)
apps:
  - path: apps/one # publish.yaml:8:11
    repository: '{app}' # default
    render: kustomize # default
tags:
  commit: sha-{commit} # default
  rolling:
    main: edge # default
  release: '{version}' # default
signature:
  format: both # variable ARTIFACTCTL_SIGNATURE_FORMAT
signer: file # publish.yaml:9:9
signers:
  file:
    plugin: signer-file # publish.yaml:12:13
    with:
      deep:
        list:
          - 1 # publish.yaml:13:42
          - two # publish.yaml:13:45
      key: env://KEY # publish.yaml:13:17
      none: [] # publish.yaml:13:58
    trust:
      publicKey:
        - cosign.pub # publish.yaml:14:24
`
	if string(got) != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// A view without origins is a publish.yaml that means the same.
func TestViewLoadsAgain(t *testing.T) {
	c := must(t, viewed, Options{Env: "production"})
	first, err := c.View(false)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(first), "#") {
		t.Errorf("comments without origins:\n%s", first)
	}
	second, err := must(t, string(first), Options{}).View(false)
	if err != nil || string(second) != string(first) {
		t.Errorf("%v\n%s\nand\n%s", err, first, second)
	}
}

func TestSettingsNameEveryLeafOnce(t *testing.T) {
	seen := map[string]Origin{}
	for _, s := range must(t, viewed, Options{}).Settings() {
		if _, twice := seen[s.Path]; twice {
			t.Errorf("%s twice", s.Path)
		}
		seen[s.Path] = s.Origin
	}
	for path, want := range map[string]string{
		"registry.retries": "default", `annotations["example.com/a"]`: "publish.yaml:6:18", "signers.file.with.deep.list[1]": "publish.yaml:13:45",
		"registry.timeout": "default",
	} {
		if got := seen[path].String(); got != want {
			t.Errorf("%s: got %s, want %s", path, got, want)
		}
	}
}
