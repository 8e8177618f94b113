package gate

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/artifactctl/artifactctl/internal/artifact"
	"github.com/artifactctl/artifactctl/internal/finding"
)

// schemaFiles are schemas in kubeconform's layout: a few fields of what Kubernetes has.
const schemaFiles = `
-- v1.34.1-standalone-strict/configmap-v1.json --
{"type": "object", "additionalProperties": false, "properties": {
  "apiVersion": {"type": "string", "enum": ["v1"]}, "kind": {"type": "string"}, "metadata": {"type": "object"},
  "data": {"type": ["object", "null"], "additionalProperties": {"type": ["string", "null"]}}}}
-- v1.34.1-standalone/configmap-v1.json --
{"type": "object", "properties": {"data": {"type": "object", "additionalProperties": {"type": "string"}}}}
-- v1.34.1-standalone-strict/deployment-apps-v1.json --
{"type": "object", "additionalProperties": false, "required": ["spec"], "properties": {
  "apiVersion": {"type": "string"}, "kind": {"type": "string"}, "metadata": {"type": "object"},
  "spec": {"type": "object", "additionalProperties": false, "required": ["template", "selector"], "properties": {
    "replicas": {"type": "integer"}, "selector": {"type": "object"}, "progressDeadline": {"type": "string", "format": "duration"},
    "maxSurge": {"oneOf": [{"type": "string"}, {"type": "integer"}]},
    "template": {"$ref": "#/definitions/template"}}}},
  "definitions": {"template": {"type": "object", "properties": {"containers": {"type": "array", "items": {
    "type": "object", "required": ["name"], "properties": {"name": {"type": "string"}, "image": {"type": "string", "pattern": "^[a-z./:0-9-]+$"}}}}}}}}
-- v1.34.1-standalone-strict/secret-v1.json --
{"type": "object", "properties": {"stringData": {"type": "object", "additionalProperties": {"type": "string", "pattern": "^[a-z]+$"}}}}
-- v1.34.1-standalone-strict/list-v1.json --
{"type": "object", "properties": {"items": {"type": "array"}}}
-- v1.34.1-standalone-strict/broken-v1.json --
{"type": "no such type"}
-- v1.34.1-standalone-strict/words-v1.json --
not JSON
-- v1.34.1-standalone-strict/outside-v1.json --
{"properties": {"spec": {"$ref": "_definitions.json#/definitions/x"}}}
-- v1.34.1-standalone-strict/odd-v1.json --
{"type": "object", "properties": {"$ref": {"type": "string"}, "flag": {"type": "string"}, "when": {"type": "string"}}}
`

// conformGate returns a gate over the schemas above.
func conformGate(change func(*Kubeconform)) Gate {
	k := &Kubeconform{Strict: true, KubernetesVersion: "1.34.1", Schemas: []string{"schemas"}}
	if change != nil {
		change(k)
	}
	return Gate{Name: "kubeconform", Kubeconform: k}
}

// schemaDir returns a directory with the schemas below "schemas".
func schemaDir(t testing.TB) string {
	return unpack(t, strings.ReplaceAll(schemaFiles, "\n-- ", "\n-- schemas/"))
}

const deployment = `apiVersion: apps/v1
kind: Deployment
metadata: {name: api, namespace: web}
spec:
  replicas: 2
  selector: {}
  template:
    containers:
    - name: api
      image: example/api:1.2
`

func TestConform(t *testing.T) {
	tests := []struct {
		name, manifests string
		change          func(*Kubeconform)
		want            string
	}{
		{name: "valid", manifests: configMap + "---\n" + deployment},
		{name: "empty", manifests: "# nothing\n---\n---\n# more\n"},
		{name: "wrong type", manifests: configMap + "---\n# one\n---\n" + strings.Replace(deployment, "replicas: 2", "replicas: two", 1),
			want: "web/manifests.yaml:15: error: Deployment/web/api: spec.replicas: got string, want integer (kubeconform: type)\n"},
		{name: "unknown field", manifests: strings.Replace(deployment, "replicas: 2", "replica: 2", 1),
			want: "web/manifests.yaml:5: error: Deployment/web/api: spec.replica: there is no such field (kubeconform: additionalProperties)\n"},
		{name: "unknown field, lax", manifests: strings.Replace(configMap, "data:", "date: 1\ndata:", 1), change: func(k *Kubeconform) { k.Strict = false }},
		{name: "missing fields", manifests: "apiVersion: apps/v1\nkind: Deployment\nmetadata: {generateName: x-}\nspec: {}\n",
			want: "web/manifests.yaml:4: error: Deployment/x-: spec: the field template is missing (kubeconform: required)\n" +
				"web/manifests.yaml:4: error: Deployment/x-: spec: the field selector is missing (kubeconform: required)\n"},
		{name: "alternatives", manifests: strings.Replace(deployment, "replicas: 2", "maxSurge: [1]", 1),
			want: "web/manifests.yaml:5: error: Deployment/web/api: spec.maxSurge: got array, want string, or got array, want integer (kubeconform: oneOf)\n"},
		{name: "behind a reference", manifests: strings.Replace(deployment, "image: example/api:1.2", "image: Example", 1),
			want: "web/manifests.yaml:10: error: Deployment/web/api: spec.template.containers[0].image: 'Example' does not match pattern '^[a-z./:0-9-]+$' (kubeconform: pattern)\n"},
		{name: "Go durations", manifests: strings.Replace(deployment, "replicas: 2", "progressDeadline: 1h30m", 1)},
		{name: "no duration", manifests: strings.Replace(deployment, "replicas: 2", "progressDeadline: soon", 1),
			want: "web/manifests.yaml:5: error: Deployment/web/api: spec.progressDeadline: 'soon' is not valid duration: must start with P (kubeconform: schema)\n"},
		{name: "twice the same key", manifests: "---\n" + configMap + "  color: blue\n",
			want: "web/manifests.yaml:9: error: ConfigMap/web/settings: error unmarshalling resource: error converting YAML to JSON: yaml: unmarshal errors:   line 9: key \"color\" already set in map (kubeconform: yaml)\n"},
		{name: "no YAML", manifests: configMap + "---\na: b: c\n" + "---\nkind: x\n",
			want: "web/manifests.yaml:9: error: yaml: line 9: mapping values are not allowed in this context (kubeconform: yaml)\n" +
				"web/manifests.yaml:11: error: x: the document has no usable apiVersion (kubeconform: object)\n"},
		{name: "no objects", manifests: "[1]\n---\nhello\n---\nkind: ../x\napiVersion: v1\n---\nkind: X\napiVersion: ../../v1\n",
			want: "web/manifests.yaml:1: error: the document is no object (kubeconform: yaml)\n" +
				"web/manifests.yaml:3: error: the document is no object (kubeconform: yaml)\n" +
				"web/manifests.yaml:5: error: ../x: the document has no usable kind (kubeconform: object)\n" +
				"web/manifests.yaml:8: error: X: the document has no usable apiVersion (kubeconform: object)\n"},
		{name: "no schema", manifests: configMap + "---\napiVersion: example.com/v1\nkind: Widget\nmetadata: {name: w}\n",
			want: "web/manifests.yaml:10: error: Widget/w: there is no schema for example.com/v1 Widget (kubeconform: missing-schema)\n" +
				"  hint: name a place that has it in schemas, or the kind in ignoreKinds\n"},
		{name: "no schema, ignored", manifests: "apiVersion: example.com/v1\nkind: Widget\n", change: func(k *Kubeconform) { k.IgnoreMissingSchemas = true }},
		{name: "ignored kind", manifests: "apiVersion: example.com/v1\nkind: Widget\n", change: func(k *Kubeconform) { k.IgnoreKinds = []string{"Widget"} }},
		{name: "ignored kind of a version", manifests: "apiVersion: e.com/v1\nkind: Widget\n---\napiVersion: e.com/v2\nkind: Widget\n",
			change: func(k *Kubeconform) { k.IgnoreKinds = []string{"e.com/v1/Widget"} },
			want: "web/manifests.yaml:5: error: Widget: there is no schema for e.com/v2 Widget (kubeconform: missing-schema)\n" +
				"  hint: name a place that has it in schemas, or the kind in ignoreKinds\n"},
		{name: "rejected kind", manifests: "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\n", change: func(k *Kubeconform) { k.RejectKinds = []string{"v1/Secret"} },
			want: "web/manifests.yaml:2: error: Secret/s: the kind Secret is not allowed (kubeconform: rejected-kind)\n"},
		{name: "secret values are not shown", manifests: "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData:\n  a: HUNTER2\n",
			want: "web/manifests.yaml:5: error: Secret/s: stringData.a: the value does not keep to \"pattern\" (kubeconform: pattern)\n"},
		{name: "list", manifests: "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: ConfigMap\n  data:\n    a: 1\n- {apiVersion: v1, kind: ConfigMap}\n",
			want: "web/manifests.yaml:7: error: ConfigMap: data.a: got number, want null or string (kubeconform: type)\n"},
		{name: "list with aliases", manifests: "apiVersion: v1\nkind: List\nitems:\n- &a {apiVersion: v1, kind: ConfigMap, dato: {}}\n- *a\n- 1\n",
			want: "web/manifests.yaml:4: error: ConfigMap: dato: there is no such field (kubeconform: additionalProperties)\n" +
				"web/manifests.yaml:4: error: ConfigMap: dato: there is no such field (kubeconform: additionalProperties)\n" +
				"web/manifests.yaml:6: error: the document has no usable kind (kubeconform: object)\n"},
		{name: "list in itself", manifests: "apiVersion: v1\nkind: List\nitems: [&a {apiVersion: v1, kind: List, items: [*a]}]\n",
			want: "web/manifests.yaml:3: error: the document has no usable kind (kubeconform: object)\n"},
		{name: "object behind the end of a document", manifests: configMap + "...\nkind: Widget\napiVersion: v1\n",
			want: "web/manifests.yaml:9: error: Widget: there is no schema for v1 Widget (kubeconform: missing-schema)\n" +
				"  hint: name a place that has it in schemas, or the kind in ignoreKinds\n"},
		{name: "a schema that is none", manifests: "apiVersion: v1\nkind: Words\n---\napiVersion: v1\nkind: Words\n",
			want: "web: error: schema SCHEMAS/v1.34.1-standalone-strict/words-v1.json: not a JSON object (kubeconform: broken)\n"},
		{name: "a schema that cannot be used, in spite of missing ones being ignored", manifests: "apiVersion: v1\nkind: Broken\n",
			change: func(k *Kubeconform) { k.IgnoreMissingSchemas = true },
			want:   "web: error: schema of v1 Broken: not a usable schema: "},
		{name: "a schema that leads elsewhere", manifests: "apiVersion: v1\nkind: Outside\n",
			want: "web: error: schema SCHEMAS/v1.34.1-standalone-strict/outside-v1.json: it refers to \"_definitions.json#/definitions/x\" (kubeconform: broken)\n" +
				"  hint: give a location of standalone schemas, with all that they refer to inside\n"},
		{name: "YAML as kubeconform reads it", manifests: "apiVersion: v1\nkind: Odd\nflag: on\nwhen: 2026-01-01\n$ref: x\n",
			want: "web/manifests.yaml:3: error: Odd: flag: got boolean, want string (kubeconform: schema)\n"},
	}
	dir := schemaDir(t)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			report := runGates(t, Options{Gates: []Gate{conformGate(test.change)}, Dir: dir}, manifestApp("web", test.manifests))
			got := strings.ReplaceAll(brief(report.Results[0]), filepath.Join(dir, "schemas"), "SCHEMAS")
			if got != test.want && (test.want == "" || strings.HasSuffix(test.want, "\n") || !strings.HasPrefix(got, test.want)) {
				t.Errorf("got\n%swant\n%s", got, test.want)
			}
			if wantBroken := strings.Contains(test.want, "web: error: schema"); wantBroken != (report.Results[0].Status == finding.Broken) {
				t.Errorf("got %s", report.Results[0].Status)
			}
		})
	}
}

// In a directory that is published as it stands, every file is looked at, save kustomization files and ignored ones.
func TestConformTree(t *testing.T) {
	app := testApp("web", `
-- a/bad.yaml --
apiVersion: v1
kind: ConfigMap
data: {a: 1}
-- b.yml --
apiVersion: v1
kind: ConfigMap
dato: {}
-- c.json --
{"apiVersion": "v1", "kind": "ConfigMap",
 "dato": {}}
-- kustomization.yaml --
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources: [b.yml]
-- values.yaml --
replicas: 1
-- charts/x/values.yaml --
replicas: 1
-- README.md --
kind: no
`)
	app.Tree, app.Path = true, "clusters/web"
	gate := conformGate(func(k *Kubeconform) { k.IgnoreFiles = []string{"values.yaml"} })
	report := runGates(t, Options{Gates: []Gate{gate}, Dir: schemaDir(t)}, app)
	want := "web/a/bad.yaml:3: error: ConfigMap: data.a: got number, want null or string (kubeconform: type)\n" +
		"web/b.yml:3: error: ConfigMap: dato: there is no such field (kubeconform: additionalProperties)\n" +
		"web/c.json:2: error: ConfigMap: dato: there is no such field (kubeconform: additionalProperties)\n"
	if got := brief(report.Results[0]); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	if f := report.Results[0].Findings[0]; f.Source != "clusters/web/a/bad.yaml" || f.SourceLine != 3 {
		t.Errorf("got source %s:%d", f.Source, f.SourceLine)
	}
}

// site serves schemas over HTTP, and counts.
func site(t testing.TB, handler http.HandlerFunc) (url string, count *atomic.Int64, stop func()) {
	count = &atomic.Int64{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		count.Add(1)
		handler(w, r)
	}))
	t.Cleanup(server.Close)
	return server.URL, count, server.Close
}

func TestConformOverHTTP(t *testing.T) {
	dir := filepath.Join(schemaDir(t), "schemas")
	url, count, stop := site(t, http.FileServer(http.Dir(dir)).ServeHTTP)
	gate := conformGate(func(k *Kubeconform) { k.Schemas = []string{url} })
	bad := manifestApp("web", strings.Replace(configMap, "red", "1", 1))
	want := "web/manifests.yaml:7: error: ConfigMap/web/settings: data.color: got number, want null or string (kubeconform: type)\n"
	kept := t.TempDir()

	if got := brief(runGates(t, Options{Gates: []Gate{gate}, Cache: openCache(t, kept)}, bad, bad).Results[1]); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	if got := count.Load(); got != 1 {
		t.Errorf("%d requests, want 1", got)
	}
	unknown := manifestApp("web", "apiVersion: example.com/v1\nkind: Widget\n")
	if got := brief(runGates(t, Options{Gates: []Gate{gate}}, unknown).Results[0]); !strings.Contains(got, "there is no schema for example.com/v1 Widget") {
		t.Errorf("got %s", got)
	}
	stop()
	if got := brief(runGates(t, Options{Gates: []Gate{gate}, Cache: openCache(t, kept)}, bad).Results[0]); got != want {
		t.Errorf("without the site, got\n%swant\n%s", got, want)
	}
	gate.Kubeconform.IgnoreMissingSchemas = true
	r := runGates(t, Options{Gates: []Gate{gate}, Cache: openCache(t, kept)}, unknown).Results[0]
	if r.Status != finding.Broken || !strings.Contains(r.Findings[0].Hint, "without a network") || !strings.Contains(r.Findings[0].Message, "connection refused") {
		t.Errorf("without the site, an unknown schema is %s: %s", r.Status, brief(r))
	}
}

// Whatever a site answers but 404, the gate is broken, and nothing of it is kept.
func TestConformSiteTroubles(t *testing.T) {
	hang := make(chan struct{})
	defer close(hang)
	tests := map[string]struct {
		handler http.HandlerFunc
		want    string
	}{
		"500":    {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) }, "the server answered 500"},
		"403":    {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(403) }, "the server answered 403"},
		"portal": {func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprint(w, "<html>sign in</html>") }, "not a JSON object"},
		"null":   {func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprint(w, "null") }, "not a JSON object"},
		"cut off": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = fmt.Fprint(w, "{}")
		}, "unexpected EOF"},
		"hang": {func(_ http.ResponseWriter, r *http.Request) {
			select {
			case <-hang:
			case <-r.Context().Done():
			}
		}, "Client.Timeout"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			url, _, _ := site(t, test.handler)
			url = strings.Replace(url, "http://", "http://user:hunter2@", 1)
			gate := conformGate(func(k *Kubeconform) { k.Schemas, k.IgnoreMissingSchemas = []string{url}, true })
			kept := openCache(t, t.TempDir())
			o := Options{Gates: []Gate{gate}, Cache: kept}
			if name == "hang" {
				o.Client = &http.Client{Timeout: 20 * time.Millisecond}
			}
			r := runGates(t, o, manifestApp("web", configMap)).Results[0]
			text := brief(r)
			if r.Status != finding.Broken || !strings.Contains(text, test.want) || strings.Contains(text, "hunter2") || r.Findings[0].Hint == "" {
				t.Errorf("got %s: %s", r.Status, text)
			}
			if stats, err := kept.Stats(); err != nil || stats.Results != 0 {
				t.Errorf("%d results are kept, %v", stats.Results, err)
			}
		})
	}
}

func TestConformTriesLocationsInOrder(t *testing.T) {
	dir := schemaDir(t)
	own := filepath.Join(dir, "own", "widget_v1.json")
	writeFile(t, own, `{"required": ["spec"]}`)
	gate := conformGate(func(k *Kubeconform) {
		k.Schemas = []string{"schemas", "own/{{.ResourceKind}}_{{.ResourceAPIVersion}}.json"}
	})
	app := manifestApp("web", configMap+"---\napiVersion: example.com/v1\nkind: Widget\n")
	report := runGates(t, Options{Gates: []Gate{gate}, Dir: dir}, app)
	if got := brief(report.Results[0]); !strings.Contains(got, "web/manifests.yaml:9: error: Widget: the field spec is missing") || len(report.Results[0].Findings) != 1 {
		t.Errorf("got %s", got)
	}
}

// Files that change while a gate looks at them never pass.
func TestContentChangesMeanwhile(t *testing.T) {
	content := []byte(configMap)
	url, _, _ := site(t, func(w http.ResponseWriter, _ *http.Request) {
		content[len(content)-2] = 'b'
		_, _ = fmt.Fprint(w, "{}")
	})
	files := artifact.Files{artifact.ManifestsFile: content}
	app := appWith("web", files)
	app.Files = func(context.Context) (artifact.Files, error) { return files, nil }
	r := runGates(t, Options{Gates: []Gate{conformGate(func(k *Kubeconform) { k.Schemas = []string{url} })}}, app).Results[0]
	if r.Status != finding.Broken || !strings.Contains(brief(r), "the files changed while gates looked at them") {
		t.Errorf("got %s: %s", r.Status, brief(r))
	}
}

func TestBadOptions(t *testing.T) {
	abs := t.TempDir()
	tests := map[string]Gate{
		"it has no name": {Run: &Run{Command: []string{"x"}, Dir: abs}},
		"it needs either kubeconform or a command":     {Name: "g"},
		`unknown severity "fatal"`:                     {Name: "g", Severity: "fatal", Run: &Run{Command: []string{"x"}, Dir: abs}},
		`kubernetes version "1.34": want one such as`:  conformGate(func(k *Kubeconform) { k.KubernetesVersion = "1.34" }),
		"a schema location is empty":                   conformGate(func(k *Kubeconform) { k.Schemas = []string{""} }),
		`schema location "{{.Nothing}}.json"`:          conformGate(func(k *Kubeconform) { k.Schemas = []string{"{{.Nothing}}.json"} }),
		`schema location "ftp://x/y.json": only`:       conformGate(func(k *Kubeconform) { k.Schemas = []string{"ftp://x/y.json"} }),
		`pattern "[" of files to ignore`:               conformGate(func(k *Kubeconform) { k.IgnoreFiles = []string{"["} }),
		"the command is empty":                         {Name: "g", Run: &Run{Dir: abs}},
		`the working directory "." has to be absolute`: {Name: "g", Run: &Run{Command: []string{"x"}, Dir: "."}},
		`unknown scope "all"`:                          {Name: "g", Run: &Run{Command: []string{"x"}, Dir: abs, Scope: "all"}},
		`unknown format "yaml"`:                        {Name: "g", Run: &Run{Command: []string{"x"}, Dir: abs, Format: "yaml"}},
		"the timeout -1s is negative":                  {Name: "g", Run: &Run{Command: []string{"x"}, Dir: abs, Timeout: -time.Second}},
		"there is no {app} for a gate":                 {Name: "g", Run: &Run{Command: []string{"x", "--app={app}"}, Dir: abs, Scope: PerFleet}},
		`"A=B" is no name of a variable`:               {Name: "g", Run: &Run{Command: []string{"x"}, Dir: abs, Env: []string{"A=B"}}},
	}
	var all []Gate
	for want, gate := range tests {
		if _, err := New(Options{Gates: []Gate{gate}, Dir: abs}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
		all = append(all, gate)
	}
	good := Gate{Name: "same", Run: &Run{Command: []string{"x"}, Dir: abs}}
	_, err := New(Options{Gates: append(all, good, good), Dir: abs})
	if err == nil || !strings.Contains(err.Error(), "there are two gates of this name") {
		t.Fatalf("got %v", err)
	}
	for want := range tests {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not among all that is wrong", want)
		}
	}
}

// What kubeconform's module says of its version, and what results are kept under.
func TestKubeconformVersion(t *testing.T) {
	content, err := os.ReadFile("../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(content), "github.com/yannh/kubeconform "+KubeconformVersion) {
		t.Errorf("go.mod has another version than %s", KubeconformVersion)
	}
}
