package inventory_test

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/artifactctl/artifactctl/internal/artifact"
	"github.com/artifactctl/artifactctl/internal/changes"
	"github.com/artifactctl/artifactctl/internal/inventory"
)

func refs(files artifact.Files) []string {
	var out []string
	for _, i := range inventory.Read(files).Images {
		out = append(out, i.Ref)
	}
	return out
}

func manifests(text string) artifact.Files {
	return artifact.Files{artifact.ManifestsFile: []byte(text)}
}

func TestImagesOfPods(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"pod":         {"apiVersion: v1\nkind: Pod\nspec: {containers: [{name: a, image: nginx}]}", "nginx"},
		"deployment":  {"apiVersion: apps/v1\nkind: Deployment\nspec: {template: {spec: {containers: [{image: a:1}, {image: b:1}], initContainers: [{image: c:1}], ephemeralContainers: [{image: d:1}]}}}", "a:1 b:1 c:1 d:1"},
		"cron job":    {"apiVersion: batch/v1\nkind: CronJob\nspec: {jobTemplate: {spec: {template: {spec: {containers: [{image: job}]}}}}}", "job"},
		"template":    {"apiVersion: v1\nkind: PodTemplate\ntemplate: {spec: {containers: [{image: t}]}}", "t"},
		"other kinds": {"apiVersion: argoproj.io/v1alpha1\nkind: Rollout\nspec: {template: {spec: {containers: [{image: r}]}}}", "r"},
		"deep":        {"apiVersion: x/v1\nkind: Cluster\nspec: {workers: [{podTemplate: {spec: {containers: [{image: w}]}}}]}", "w"},
		"volume":      {"apiVersion: v1\nkind: Pod\nspec: {volumes: [{name: m, image: {reference: models:2}}, {name: e, emptyDir: {}}]}", "models:2"},
		"list":        {"apiVersion: v1\nkind: List\nitems: [{apiVersion: v1, kind: Pod, spec: {containers: [{image: l}]}}]", "l"},
		"json":        {`{"apiVersion":"v1","kind":"Pod","spec":{"containers":[{"image":"\u006eginx"}]}}`, "nginx"},
		"aliases":     {"apiVersion: v1\nkind: Pod\nspec: {containers: [&c {image: x}], initContainers: [*c]}", "x"},
		"twice":       {"apiVersion: v1\nkind: Pod\nspec: {containers: [{image: x}]}\n---\napiVersion: v1\nkind: Pod\nspec: {containers: [{image: x}]}", "x"},
		"last key":    {"apiVersion: v1\nkind: Pod\nspec: {containers: [{image: x}, {image: null}, {image: ''}, {image: [y]}, {name: z}]}", "x"},
		"schema":      {"apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nspec: {properties: {containers: {items: {properties: {image: {type: string}}}}}}", ""},
		"data":        {"apiVersion: v1\nkind: ConfigMap\ndata: {pod: \"spec: {containers: [{image: x}]}\"}", ""},
		"no object":   {"containers: [{image: x}]", ""},
		"no YAML":     {"apiVersion: v1\nkind: Pod\nspec: {containers: [{image: x}]}\n---\n{\n---\napiVersion: v1\nkind: Pod\nspec: {containers: [{image: y}]}", "x y"},
		"marker":      {"--- {apiVersion: v1, kind: Pod, spec: {containers: [{image: x}]}}\n---\n# nothing", "x"},
	} {
		if got := strings.Join(refs(manifests(c.text)), " "); got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}

func TestOnlyManifestsAreRead(t *testing.T) {
	pod := []byte("apiVersion: v1\nkind: Pod\nspec: {containers: [{image: x}]}")
	files := artifact.Files{"README.md": pod, "a/pod.YML": []byte(strings.Replace(string(pod), "image: x", "image: y", 1)), "b.json": pod[:0]}
	if got := refs(files); !slices.Equal(got, []string{"y"}) {
		t.Errorf("got %q", got)
	}
}

// An alias that names itself many times over costs nothing.
func TestAliasBomb(t *testing.T) {
	text := "apiVersion: v1\nkind: Pod\na0: &a0 {containers: [{image: x}]}\n"
	for i := range 40 {
		text += fmt.Sprintf("a%d: &a%d [%s]\n", i+1, i+1, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d, ", i), 9), ", "))
	}
	if got := refs(manifests(text)); !slices.Equal(got, []string{"x"}) {
		t.Errorf("got %q", got)
	}
}

func TestFluxSources(t *testing.T) {
	got := inventory.Read(manifests(`
apiVersion: source.toolkit.fluxcd.io/v1
kind: HelmRepository
metadata: {name: charts, namespace: flux-system}
spec: {url: "https://user:hunter2@charts.example.com"}
---
apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: {name: a, namespace: web}
spec: {chart: {spec: {chart: podinfo, version: 6.5.0, sourceRef: {kind: HelmRepository, name: charts, namespace: flux-system}}}}
---
apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: {name: b, namespace: web}
spec: {chart: {spec: {chart: podinfo, version: ">=6", sourceRef: {kind: HelmRepository, name: charts}}}}
---
apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: {name: c}
spec: {chartRef: {kind: OCIRepository, name: oci}}
---
apiVersion: source.toolkit.fluxcd.io/v1
kind: HelmChart
metadata: {name: d}
spec: {chart: ./charts/local, sourceRef: {kind: GitRepository, name: charts}}
---
apiVersion: v1
kind: List
items:
- apiVersion: source.toolkit.fluxcd.io/v1
  kind: OCIRepository
  metadata: {name: oci}
  spec: {url: "oci://ghcr.io/org/chart", ref: {semver: "1.x"}}
- apiVersion: source.toolkit.fluxcd.io/v1
  kind: OCIRepository
  spec: {url: "oci://ghcr.io/org/app", ref: {tag: edge, digest: "sha256:00"}}
---
apiVersion: other.example.com/v1
kind: OCIRepository
spec: {url: "oci://ghcr.io/org/other"}
`))
	want := inventory.Inventory{
		Charts: []inventory.Chart{
			{Name: "./charts/local"},
			{Name: "podinfo", Version: ">=6"}, // its repository would be web/charts, which is not there
			{Name: "podinfo", Version: "6.5.0", Repository: "https://charts.example.com"},
		},
		Artifacts: []inventory.Artifact{{URL: "ghcr.io/org/app", Tag: "edge", Digest: "sha256:00"}, {URL: "ghcr.io/org/chart", Range: "1.x"}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestParseImage(t *testing.T) {
	for ref, want := range map[string]inventory.Image{
		"nginx":                        {Name: "nginx"},
		"nginx:1.27":                   {Name: "nginx", Tag: "1.27"},
		"localhost:5000/a":             {Name: "localhost:5000/a"},
		"localhost:5000/a/b:v1":        {Name: "localhost:5000/a/b", Tag: "v1"},
		"ghcr.io/a@sha256:00":          {Name: "ghcr.io/a", Digest: "sha256:00"},
		"ghcr.io:443/a:v1@sha256:00ff": {Name: "ghcr.io:443/a", Tag: "v1", Digest: "sha256:00ff"},
	} {
		want.Ref = ref
		if got := inventory.ParseImage(ref); got != want {
			t.Errorf("%s: got %+v", ref, got)
		}
	}
}

func TestCompare(t *testing.T) {
	pod := func(images ...string) artifact.Files {
		var list []string
		for _, i := range images {
			list = append(list, fmt.Sprintf("{image: %q}", i))
		}
		return manifests("apiVersion: v1\nkind: Pod\nspec: {containers: [" + strings.Join(list, ", ") + "]}")
	}
	for _, c := range []struct {
		before, after artifact.Files
		want          []inventory.ImageChange
	}{
		{pod("a:1", "b:1", "c"), pod("a:2", "c", "d:1"), []inventory.ImageChange{
			{Op: changes.Changed, From: "a:1", To: "a:2"}, {Op: changes.Removed, From: "b:1"}, {Op: changes.Added, To: "d:1"},
		}},
		{pod("a:1", "a:2"), pod("a:2", "a:3", "a:4"), []inventory.ImageChange{
			{Op: changes.Added, To: "a:3"}, {Op: changes.Added, To: "a:4"}, {Op: changes.Removed, From: "a:1"},
		}},
		{nil, pod("a"), []inventory.ImageChange{{Op: changes.Added, To: "a"}}},
		{pod("a@sha256:00"), pod("a@sha256:00"), nil},
	} {
		if got := inventory.Compare(c.before, c.after); !reflect.DeepEqual(got, c.want) {
			t.Errorf("got  %+v\nwant %+v", got, c.want)
		}
	}
}
