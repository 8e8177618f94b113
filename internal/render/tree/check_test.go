package tree

import (
	"strings"
	"testing"

	"github.com/artifactctl/artifactctl/internal/render/fault"
)

const present = `
-- app/a.yaml --
-- app/logo.png --
-- app/base/kustomization.yml --
resources: [b.yaml]
-- app/base/b.yaml --
-- app/part/Kustomization --
apiVersion: kustomize.config.k8s.io/v1alpha1
kind: Component
namePrefix: x-
-- app/plain/c.yaml --
-- app/images/kustomization.yaml --
namePrefix: y-
-- outside/kustomization.yaml --
-- outside.yaml --
`

func TestReferences(t *testing.T) {
	for name, test := range map[string]struct {
		kustomization string
		reason        fault.Reason // empty: nothing is wrong
		want          string
	}{
		"all there": {kustomization: `
resources: [a.yaml, ./base/, base]
components: [part]
crds: [a.yaml]
configurations: [a.yaml]
openapi: {path: a.yaml}
transformers:
- a.yaml
- "{kind: PrefixTransformer, apiVersion: builtin, metadata: {name: x}}"
patchesStrategicMerge:
- a.yaml
- "{kind: ConfigMap, apiVersion: v1, metadata: {name: x}}"
- |-
  kind: ConfigMap
patches: [{path: a.yaml}, {patch: "no.yaml"}]
replacements: [{path: a.yaml}]
configMapGenerator:
- {name: x, files: [a.yaml, "key=base/b.yaml"], envs: [a.yaml], literals: [no=no]}
secretGenerator: [{name: x, env: a.yaml}]
helmGlobals: {chartHome: charts}
`},
		"outside": {
			kustomization: "resources:\n- a.yaml\n- ../outside\n",
			reason:        fault.Outside, want: `:3: resources: "../outside" is outside of the published directory`,
		},
		"outside, in another case": {
			kustomization: "ReSources:\n- \"\\u002e./outside\"\n",
			reason:        fault.Outside, want: `:2: resources: "../outside" is outside of the published directory`,
		},
		"outside, in detail": {
			kustomization: "resources:\n- base/../../outside.yaml\n",
			reason:        fault.Outside, want: `:2: resources: "base/../../outside.yaml" is outside of the published directory`,
		},
		"absolute": {
			kustomization: "crds: [/etc/hostname]\n",
			reason:        fault.Outside, want: `:1: crds: "/etc/hostname" is outside of the published directory`,
		},
		"missing": {
			kustomization: "bases:\n- nothing\n",
			reason:        fault.Missing, want: `:2: bases: "nothing" does not exist`,
		},
		"directory without kustomization": {
			kustomization: "resources: [plain]\n",
			reason:        fault.Missing, want: `:1: resources: "plain" is a directory without a kustomization`,
		},
		"component that is a file": {
			kustomization: "components: [a.yaml]\n",
			reason:        fault.Missing, want: `:1: components: "a.yaml" is a file, not a directory`,
		},
		"patch that is a directory": {
			kustomization: "patches:\n- target: {kind: X}\n  path: base\n",
			reason:        fault.Missing, want: `:3: patches: "base" is a directory, not a file`,
		},
		"ignored file": {
			kustomization: "configMapGenerator:\n- name: x\n  files:\n  - logo=logo.png\n",
			reason:        fault.Ignored, want: `:4: configMapGenerator: "logo=logo.png" is left out by the ignore patterns`,
		},
		"ignored base": {
			kustomization: "resources: [images]\n",
			reason:        fault.Ignored, want: `:1: resources: "images" has a kustomization that the ignore patterns leave out`,
		},
		"secret": {
			kustomization: "secretGenerator:\n- name: x\n  envs: [no.env]\n",
			reason:        fault.Missing, want: `:3: secretGenerator: "no.env" does not exist`,
		},
		"env": {
			kustomization: "configMapGenerator: [{name: x, env: no.env}]\n",
			reason:        fault.Missing, want: `:1: configMapGenerator: "no.env" does not exist`,
		},
		"json patch": {
			kustomization: "patchesJson6902:\n- target: {kind: X, name: z, version: v1}\n  path: p.json\n",
			reason:        fault.Missing, want: `:3: patchesJson6902: "p.json" does not exist`,
		},
		"merge patch": {
			kustomization: "patchesStrategicMerge: [p.yaml]\n",
			reason:        fault.Missing, want: `:1: patchesStrategicMerge: "p.yaml" does not exist`,
		},
		"replacement": {
			kustomization: "replacements: [{path: r.yaml}]\n",
			reason:        fault.Missing, want: `:1: replacements: "r.yaml" does not exist`,
		},
		"generator": {
			kustomization: "generators: [g.yaml]\nvalidators: [a.yaml]\n",
			reason:        fault.Missing, want: `:1: generators: "g.yaml" does not exist`,
		},
		"schema": {
			kustomization: "openapi:\n  path: ../schema.json\n",
			reason:        fault.Outside, want: `:2: openapi: "../schema.json" is outside of the published directory`,
		},
		"configuration": {
			kustomization: "configurations: [c.yaml]\n",
			reason:        fault.Missing, want: `:1: configurations: "c.yaml" does not exist`,
		},
		"remote file": {
			kustomization: "resources: ['https://me:pw@example.com/x.yaml']\n",
			reason:        fault.Remote, want: `:1: resources: "https://example.com/x.yaml" is fetched by the cluster: nobody has signed it`,
		},
		"remote base": {
			kustomization: "resources:\n- github.com/org/repo//base?ref=v1\n",
			reason:        fault.Remote, want: `:2: resources: "github.com/org/repo//base?ref=v1" is fetched by the cluster: nobody has signed it`,
		},
		"remote component": {
			kustomization: "components: ['git@example.com:org/repo.git']\n",
			reason:        fault.Remote, want: `:1: components: "git@example.com:org/repo.git" is fetched by the cluster: nobody has signed it`,
		},
		"helm": {
			kustomization: "helmCharts: [{name: x}]\n",
			reason:        fault.Helm, want: `: has helm charts, which Flux does not render from a kustomization`,
		},
		"chart home": {
			kustomization: "helmGlobals:\n  chartHome: ../charts\n",
			reason:        fault.Outside, want: `:2: helmGlobals: "../charts" is outside of the published directory`,
		},
		"itself": {
			kustomization: "resources: [.]\n",
			reason:        fault.Invalid, want: `:1: resources: "." is a directory that contains this kustomization`,
		},
		"the second of two": {
			kustomization: "resources:\n- base\ncomponents:\n- part\n- base\n- none\n",
			reason:        fault.Missing, want: `:6: components: "none" does not exist`,
		},
		"not yaml": {
			kustomization: "resources:\n- a\n b: [\n",
			reason:        fault.Syntax, want: `:3: invalid Kustomization: yaml: line 3: `,
		},
		"unknown field": {
			kustomization: "namePrefix: x\nresorces: []\n",
			reason:        fault.Syntax, want: `:2: invalid Kustomization: json: unknown field "resorces"`,
		},
		"endless": {
			kustomization: "resources: &a [*a]\n",
			reason:        fault.Syntax, want: `: invalid Kustomization: `,
		},
		"kind of Flux": {
			kustomization: "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nspec: {path: ../outside}\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			o := options(unpack(t, present+"-- app/kustomization.yaml --\n"+test.kustomization))
			o.Ignore = []string{"images/"}
			if test.reason == "" {
				if _, err := Read(t.Context(), o); err != nil {
					t.Error(err)
				}
				return
			}
			if got := refused(t, o, test.reason); !strings.HasPrefix(got, "app/kustomization.yaml"+test.want) {
				t.Errorf("got %s", got)
			}
		})
	}
}

func TestReferencesOfKustomizationsBelow(t *testing.T) {
	o := options(unpack(t, present+"-- app/deep/kustomization.yaml --\nresources: [../base, ../../outside]\n"))
	want := `app/deep/kustomization.yaml:1: resources: "../../outside" is outside of the published directory`
	if got := refused(t, o, fault.Outside); got != want {
		t.Errorf("got %s", got)
	}
	o = options(unpack(t, present+"-- app/base/Kustomization --\nresources: [b.yaml]\n"))
	if got := refused(t, o, fault.Duplicate); got != "app/base/kustomization.yml: the directory has a second kustomization, Kustomization" {
		t.Errorf("got %s", got)
	}
}

func TestAllowedThings(t *testing.T) {
	o := options(unpack(t, present+"-- app/kustomization.yaml --\nresources: ['https://example.com/x.yaml', base]\n"+
		"helmCharts: [{name: x, valuesFile: a.yaml}]\n"))
	o.Helm, o.RemoteBases = true, true
	if _, err := Read(t.Context(), o); err != nil {
		t.Error(err)
	}
	o = options(unpack(t, present+"-- app/kustomization.yaml --\nhelmCharts: [{name: x, valuesFile: v.yaml}]\n"))
	o.Helm = true
	if got := refused(t, o, fault.Missing); got != `app/kustomization.yaml:1: helmCharts: "v.yaml" does not exist` {
		t.Errorf("got %s", got)
	}
}

// bomb is some hundred bytes of aliases that would be gigabytes when written out.
func bomb() string {
	var b strings.Builder
	b.WriteString("a: &a [x, x, x, x, x, x, x, x, x]\n")
	for c := 'b'; c < 'k'; c++ {
		alias := "*" + string(c-1)
		b.WriteString(string(c) + ": &" + string(c) + " [" + strings.Repeat(alias+", ", 8) + alias + "]\n")
	}
	return b.String() + "resources: *j\n"
}

func TestAliasBomb(t *testing.T) {
	o := options(unpack(t, "-- app/kustomization.yaml --\n"+bomb()))
	if got := refused(t, o, fault.Syntax); !strings.Contains(got, "excessive aliasing") {
		t.Errorf("got %s", got)
	}
}

func FuzzReferences(f *testing.F) {
	f.Add([]byte("resources: [a.yaml, ../b]\n"))
	f.Add([]byte("resources: &a [*a]\n"))
	f.Add([]byte(bomb()))
	f.Add([]byte("{\"Resources\": [\"a\"], \"configMapGenerator\": [{\"files\": [\"x=y\"]}]}"))
	f.Add([]byte("<<: {resources: [x]}\npatches: [{path: p}]\n!!binary b3BlbmFwaQ==: {path: s}\n"))
	f.Fuzz(func(t *testing.T, content []byte) {
		isKustomization(content)
		refs, _, err := references(content)
		lines := strings.Count(string(content), "\n") + strings.Count(string(content), "\r") + 1
		for _, ref := range refs {
			if err != nil || ref.entry == "" || ref.line < 0 || ref.line > 3*lines {
				t.Errorf("%+v, error %v", ref, err)
			}
		}
	})
}
