package cluster_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/artifactctl/artifactctl/test/fixture"
	"github.com/artifactctl/artifactctl/test/oracle"
	"github.com/artifactctl/artifactctl/test/peers"
)

// threeGates are kubeconform with schemas of the fleet's own, a script, and the API server.
const threeGates = `gates:
  - kubeconform: {strict: true, schemas: ["schemas/{{ .ResourceKind }}.json"], ignoreMissingSchemas: true}
  - name: script
    run: sh -c 'grep -q "^kind:"'
    env: [PATH]
    inputs: []
  - name: dry-run
    run: kubectl apply --dry-run=server -f -
    env: [PATH, HOME, KUBECONFIG]
`

// doubtful are apps that render and pass the first two gates, with what the API server says of each: that a value is not
// valid, that it has no such field, that it has no such kind.
func doubtful() map[string]struct{ manifest, message string } {
	return map[string]struct{ manifest, message string }{
		"range": {"apiVersion: v1\nkind: Service\nmetadata: {name: range}\nspec: {selector: {app: range}, ports: [{port: 80, targetPort: 70000}]}\n",
			`The Service "range" is invalid: spec.ports[0].targetPort: Invalid value: 70000`},
		"field": {"apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: field}\nspec:\n  replica: 3\n  selector: {matchLabels: {app: field}}\n" +
			"  template:\n    metadata: {labels: {app: field}}\n    spec: {containers: [{name: web, image: nginx}]}\n",
			`strict decoding error: unknown field "spec.replica"`},
		"kind": {"apiVersion: example.com/v1\nkind: Widget\nmetadata: {name: kind}\n",
			`no matches for kind "Widget" in version "example.com/v1"`},
	}
}

// What the API server would not take is not published, in the server's own words in every report. All else is, and the
// server is left as it was. A server that does not answer lets nothing pass.
func testGate(t *testing.T, w *world) {
	f := newFleet(t, w, peers.Distribution(t), "gate", withKey(fixture.NewKey(t, "p256")), "web", "database")
	f.must(t, "publish")
	f.follow(t)
	for _, app := range f.apps {
		f.runs(t, app, f.digest(t, app, channel), "1")
	}
	f.guard(t, w.Kubeconfig)
	for app, d := range doubtful() {
		f.write(t, "apps/"+app+"/kustomization.yaml", fmt.Sprintf("namespace: %s\nresources: [objects.yaml]\n", f.name))
		f.write(t, "apps/"+app+"/objects.yaml", d.manifest)
	}
	f.change(t, "web", "2")
	f.change(t, "queue", "1")
	before := f.objects(t)

	t.Run("reports", f.reported)
	t.Run("gone", func(t *testing.T) { f.gone(t, w) })
	t.Run("publish", f.sifted)
	if after := f.objects(t); after != before {
		t.Errorf("the server had\n%s\nand has\n%s", before, after)
	}
	f.look(t, "web")
	f.runs(t, "web", f.digest(t, "web", channel), "2")
}

// guard has the fleet's apps pass the gates, the last of them at the API server of this kubeconfig.
func (f *fleet) guard(t *testing.T, kubeconfig string) {
	t.Helper()
	bin := t.TempDir()
	if err := os.Symlink(f.world.Program(), filepath.Join(bin, "kubectl")); err != nil {
		t.Fatal(err)
	}
	f.write(t, "schemas/configmap.json", `{"type": "object", "properties": {"data": {"type": "object", "additionalProperties": {"type": "string"}}}}`)
	f.write(t, "publish.yaml", f.read(t, "publish.yaml")+threeGates)
	f.commit(t, "gates")
	f.env = append(slices.Clone(f.env), "PATH="+bin+string(os.PathListSeparator)+os.Getenv("PATH"), "KUBECONFIG="+kubeconfig)
}

func (f *fleet) read(t *testing.T, name string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(f.dir, filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// objects are all objects of the fleet's apps that the server has, each with its version.
func (f *fleet) objects(t *testing.T) string {
	t.Helper()
	text, err := f.world.Kubectl(t.Context(), nil, "--namespace", f.name, "get", "configmaps,services,serviceaccounts,deployments",
		"-o", `jsonpath={range .items[*]}{.kind} {.metadata.name} {.metadata.resourceVersion}{"\n"}{end}`)
	if err != nil || !strings.Contains(text, "ConfigMap web ") {
		t.Fatalf("%v: %s", err, text)
	}
	return text
}

// reported checks that every format names the apps that the server refuses, its gate and its words, and no other app.
func (f *fleet) reported(t *testing.T) {
	for format, check := range map[string]func(*testing.T, []byte) map[string]string{
		"text": inText, "json": inJSON, "junit": inJUnit, "sarif": inSARIF, "github": inGitHub,
	} {
		t.Run(format, func(t *testing.T) {
			code, result, said := f.run(t, "gate", "-o", format)
			if code != 1 {
				t.Fatalf("exit code %d\n%s%s", code, result, said)
			}
			refused := check(t, result)
			for app, d := range doubtful() {
				if !strings.Contains(refused[app], d.message) {
					t.Errorf("%s is refused with %q, want %q", app, refused[app], d.message)
				}
			}
			if len(refused) != len(doubtful()) {
				t.Errorf("refused are %v\n%s", slices.Sorted(maps.Keys(refused)), result)
			}
		})
	}
}

// sifted publishes what the server would take, and nothing else.
func (f *fleet) sifted(t *testing.T) {
	code, result, said := f.run(t, "publish", "-o", "json")
	refused := inJSON(t, result)
	if code != 1 || len(refused) != len(doubtful()) {
		t.Errorf("exit code %d, refused are %v\n%s", code, refused, said)
	}
	for app, d := range doubtful() {
		if !strings.Contains(refused[app], d.message) {
			t.Errorf("%s is refused with %q, want %q", app, refused[app], d.message)
		}
		f.absent(t, app)
	}
	for _, app := range []string{"web", "database", "queue"} {
		f.digest(t, app, channel)
	}
}

// gone asks a server that is not there: no app passes, and no tag moves.
func (f *fleet) gone(t *testing.T, w *world) {
	config, err := w.Kubectl(t.Context(), nil, "config", "view", "--raw", "-o", "json")
	if err != nil {
		t.Fatal(err)
	}
	var document map[string]any
	if err := json.Unmarshal([]byte(config), &document); err != nil {
		t.Fatal(err)
	}
	document["clusters"].([]any)[0].(map[string]any)["cluster"].(map[string]any)["server"] = "https://127.0.0.1:1"
	content, err := json.Marshal(document)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "kubeconfig")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	known := f.env
	defer func() { f.env = known }()
	f.env = append(slices.Clone(known), "KUBECONFIG="+path)

	before := f.digest(t, "web", channel)
	code, result, said := f.run(t, "publish", "-o", "json")
	refused := inJSON(t, result)
	if code != 1 || len(refused) != 6 {
		t.Errorf("exit code %d, refused are %v\n%s", code, refused, said)
	}
	for app, message := range refused {
		if !strings.Contains(message, "127.0.0.1:1") || !strings.Contains(message, "refused") {
			t.Errorf("%s is refused with %q", app, message)
		}
	}
	if after := f.digest(t, "web", channel); after != before {
		t.Errorf("web has moved from %s to %s", before, after)
	}
	f.absent(t, "queue")
}

// absent checks that an app was never published.
func (f *fleet) absent(t *testing.T, app string) {
	t.Helper()
	if tags, err := oracle.Tags(t.Context(), f.repository(app)); err != nil || len(tags) != 0 {
		t.Errorf("%s has the tags %v, %v", app, tags, err)
	}
}
