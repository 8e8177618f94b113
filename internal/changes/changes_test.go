package changes

import (
	"strings"
	"testing"

	"github.com/artifactctl/artifactctl/internal/artifact"
)

const configMap = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: web\n  namespace: prod\ndata:\n  a: \"1\"\n"

func one(content string) artifact.Files {
	return artifact.Files{artifact.ManifestsFile: []byte(content)}
}

// summary writes a result as the golden texts below do: one line an object, then its diff.
func summary(objects []Object) string {
	var out strings.Builder
	for _, o := range objects {
		line := []string{string(o.Op), o.APIVersion, o.Kind, o.Namespace, o.Name}
		for i, field := range line {
			if field == "" {
				line[i] = "-"
			}
		}
		out.WriteString(strings.Join(line, " ") + "\n" + o.Diff)
	}
	return out.String()
}

func TestCompare(t *testing.T) {
	deployment := func(version, image string) string {
		return "apiVersion: apps/" + version + "\nkind: Deployment\nmetadata:\n  name: web\nspec:\n  image: " + image + "\n"
	}
	named := func(name, value string) string {
		return "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: " + name + "\ndata:\n  a: " + value + "\n"
	}
	tests := []struct {
		name          string
		before, after artifact.Files
		want          string
	}{
		{"equal", one(configMap), one(configMap), ""},
		{"empty sets", nil, artifact.Files{}, ""},
		{
			"added", nil, one(named("new", "x")),
			"added v1 ConfigMap - new\n@@ -0,0 +1,6 @@\n+apiVersion: v1\n+kind: ConfigMap\n+metadata:\n+  name: new\n+data:\n+  a: x\n",
		},
		{
			"removed", one(named("x", "x") + "---\n" + named("y", "y")), one(named("x", "x")),
			"removed v1 ConfigMap - y\n@@ -1,6 +0,0 @@\n-apiVersion: v1\n-kind: ConfigMap\n-metadata:\n-  name: y\n-data:\n-  a: y\n",
		},
		{
			"changed, among others that moved",
			one(configMap + "---\n" + deployment("v1", "a:1")),
			one(deployment("v1", "a:2") + "---\n" + configMap),
			"changed apps/v1 Deployment - web\n@@ -3,4 +3,4 @@\n metadata:\n   name: web\n spec:\n-  image: a:1\n+  image: a:2\n",
		},
		{
			"another version of the same group is a change",
			one(deployment("v1beta1", "a:1")), one(deployment("v1", "a:1")),
			"changed apps/v1 Deployment - web\n@@ -1,4 +1,4 @@\n-apiVersion: apps/v1beta1\n+apiVersion: apps/v1\n kind: Deployment\n metadata:\n   name: web\n",
		},
		{
			"another group is another object",
			one("apiVersion: a.io/v1\nkind: X\nmetadata: {name: x}\n"), one("apiVersion: b.io/v1\nkind: X\nmetadata: {name: x}\n"),
			"removed a.io/v1 X - x\n@@ -1,4 +0,0 @@\n-apiVersion: a.io/v1\n-kind: X\n-metadata:\n-  name: x\n" +
				"added b.io/v1 X - x\n@@ -0,0 +1,4 @@\n+apiVersion: b.io/v1\n+kind: X\n+metadata:\n+  name: x\n",
		},
		{
			"list items are objects",
			one("apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: A, metadata: {name: a}, x: 1}\n- {apiVersion: v1, kind: B, metadata: {name: b}}\n"),
			one("apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: A, metadata: {name: a}, x: 2}\n- {apiVersion: v1, kind: B, metadata: {name: b}}\n"),
			"changed v1 A - a\n@@ -2,4 +2,4 @@\n kind: A\n metadata:\n   name: a\n-x: 1\n+x: 2\n",
		},
		{
			"a list is the same as its items",
			one("apiVersion: v1\nkind: ConfigMapList\nitems:\n- {metadata: {name: x}, data: {a: x}}\n- {metadata: {name: z}, data: {a: x}}\n"),
			one(named("x", "x")),
			"removed v1 ConfigMap - z\n@@ -1,6 +0,0 @@\n-apiVersion: v1\n-kind: ConfigMap\n-metadata:\n-  name: z\n-data:\n-  a: x\n",
		},
		{
			"style, comments and order of objects are no change",
			one(named("x", `"v"`) + "---\n" + configMap), one("# hello\n" + configMap + "---\n" + named("x", "v # c")),
			"changed - - - manifests.yaml\n… the objects are the same; only their order, place, comments or formatting differ\n",
		},
		{
			"quotes that matter", one(named("x", "on")), one(named("x", `"on"`)),
			"changed v1 ConfigMap - x\n@@ -3,4 +3,4 @@\n metadata:\n   name: x\n data:\n-  a: on\n+  a: \"on\"\n",
		},
		{
			"a moved object is no change",
			artifact.Files{"a.yaml": []byte(configMap)}, artifact.Files{"b.yml": []byte(configMap)},
			"removed - - - a.yaml\n… the objects are the same; only their order, place, comments or formatting differ\n" +
				"added - - - b.yml\n… the objects are the same; only their order, place, comments or formatting differ\n",
		},
		{
			"objects of one key are matched in order",
			one(named("x", "a") + "---\n" + named("x", "b")), one(named("x", "a") + "---\n" + named("x", "c") + "---\n" + named("x", "d")),
			"changed v1 ConfigMap - x\n@@ -3,4 +3,4 @@\n metadata:\n   name: x\n data:\n-  a: b\n+  a: c\n" +
				"added v1 ConfigMap - x\n@@ -0,0 +1,6 @@\n+apiVersion: v1\n+kind: ConfigMap\n+metadata:\n+  name: x\n+data:\n+  a: d\n",
		},
		{
			"generated names are one change",
			one(named("env-2b4d5f6g7h", "x")), one(named("env-8k9m2tcb4d", "x")),
			"changed v1 ConfigMap - env-8k9m2tcb4d\n@@ -1,6 +1,6 @@\n apiVersion: v1\n kind: ConfigMap\n metadata:\n-  name: env-2b4d5f6g7h\n+  name: env-8k9m2tcb4d\n data:\n   a: x\n",
		},
		{
			"generated names that are ambiguous are not paired",
			one(named("env-2b4d5f6g7h", "x")), one(named("env-8k9m2tcb4d", "x") + "---\n" + named("env-9k9m2tcb4d", "x")),
			"removed v1 ConfigMap - env-2b4d5f6g7h\n" + whole('-', named("env-2b4d5f6g7h", "x")) +
				"added v1 ConfigMap - env-8k9m2tcb4d\n" + whole('+', named("env-8k9m2tcb4d", "x")) +
				"added v1 ConfigMap - env-9k9m2tcb4d\n" + whole('+', named("env-9k9m2tcb4d", "x")),
		},
		{
			"order is kind, namespace, name, then files",
			artifact.Files{"z.txt": []byte("a\n")},
			artifact.Files{"z.txt": []byte("b\n"), "m.yaml": []byte("apiVersion: v1\nkind: Z\nmetadata: {name: a}\n---\napiVersion: v1\nkind: A\nmetadata: {name: b, namespace: y}\n---\napiVersion: v1\nkind: A\nmetadata: {name: c, namespace: x}\n")},
			"added v1 A x c\n" + whole('+', "apiVersion: v1\nkind: A\nmetadata:\n  name: c\n  namespace: x\n") +
				"added v1 A y b\n" + whole('+', "apiVersion: v1\nkind: A\nmetadata:\n  name: b\n  namespace: y\n") +
				"added v1 Z - a\n" + whole('+', "apiVersion: v1\nkind: Z\nmetadata:\n  name: a\n") +
				"changed - - - z.txt\n@@ -1 +1 @@\n-a\n+b\n",
		},
		{
			"plain files", artifact.Files{"values.yaml": []byte("a: 1\nb: 2\n"), "logo.png": {0, 1}},
			artifact.Files{"values.yaml": []byte("a: 1\nb: 3\n"), "logo.png": {0, 1, 2}},
			"changed - - - logo.png\n… binary: 2 bytes before, 3 after\nchanged - - - values.yaml\n@@ -1,2 +1,2 @@\n a: 1\n-b: 2\n+b: 3\n",
		},
		{
			"templates are files", artifact.Files{"t/d.yaml": []byte("kind: {{ .Kind }}\n  a: 1\n")}, artifact.Files{"t/d.yaml": []byte("kind: {{ .Kind }}\n  a: 2\n")},
			"changed - - - t/d.yaml\n@@ -1,2 +1,2 @@\n kind: {{ .Kind }}\n-  a: 1\n+  a: 2\n",
		},
		{
			"an object without a name goes by its file",
			artifact.Files{"kustomization.yaml": []byte("kind: Kustomization\nresources: [a]\n")}, artifact.Files{"kustomization.yaml": []byte("kind: Kustomization\nresources: [b]\n")},
			"changed - Kustomization - kustomization.yaml\n@@ -1,3 +1,3 @@\n kind: Kustomization\n resources:\n-- a\n+- b\n",
		},
		{
			"JSON", artifact.Files{"a.json": []byte(`{"apiVersion":"v1","kind":"A","metadata":{"name":"a"},"x":1}`)}, artifact.Files{"a.json": []byte(`{"apiVersion":"v1","kind":"A","metadata":{"name":"a"},"x":true}`)},
			"changed v1 A - a\n@@ -2,4 +2,4 @@\n kind: A\n metadata:\n   name: a\n-x: 1\n+x: true\n",
		},
		{
			"terminals are not commanded", artifact.Files{"a.txt": []byte("a\n")}, artifact.Files{"a.txt": []byte("a\x1b[2J\u202e\r\n")},
			"changed - - - a.txt\n@@ -1 +1 @@\n-a\n+a\\u001b[2J\\u202e\\u000d\n",
		},
		{
			"only the last line end", artifact.Files{"a.txt": []byte("a\n")}, artifact.Files{"a.txt": []byte("a")},
			"changed - - - a.txt\n… not shown: only the line ends differ\n",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := summary(New([]byte("k")).Compare(tt.before, tt.after)); got != tt.want {
				t.Errorf("got:\n%s\nwant:\n%s", got, tt.want)
			}
		})
	}
}

// whole is the diff of a text that is added or removed as a whole.
func whole(sign byte, text string) string {
	n := strings.Count(text, "\n")
	header := "@@ -0,0 +1," + string(rune('0'+n)) + " @@\n"
	if sign == '-' {
		header = "@@ -1," + string(rune('0'+n)) + " +0,0 @@\n"
	}
	return header + string(sign) + strings.ReplaceAll(strings.TrimSuffix(text, "\n"), "\n", "\n"+string(sign)) + "\n"
}

func TestSplit(t *testing.T) {
	tests := []struct {
		name, stream string
		want         []string
	}{
		{"one", "a: 1\n", []string{"a: 1\n"}},
		{"two", "---\na: 1\n---\nb: 2\n", []string{"a: 1\n", "b: 2\n"}},
		{"no last line feed", "a: 1\n---\nb: 2", []string{"a: 1\n", "b: 2"}},
		{"empty ones, comments and directives", "%YAML 1.2\n---\n# c\n---\n\n--- # d\na: 1\n...\n# e\n", []string{"a: 1\n"}},
		{"CRLF", "a: 1\r\n---\r\nb: 2\r\n", []string{"a: 1\r\n", "b: 2\r\n"}},
		{"content beside the marker", "--- {a: 1}\n--- |\n text\n", []string{"--- {a: 1}\n", "--- |\n text\n"}},
		{"looks like a marker", "a: |\n  ---\n  x\n---b: 1\n", []string{"a: |\n  ---\n  x\n---b: 1\n"}},
		{"nothing", "", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := split(tt.stream)
			if strings.Join(got, "|") != strings.Join(tt.want, "|") || len(got) != len(tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
