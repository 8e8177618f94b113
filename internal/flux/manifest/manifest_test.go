package manifest_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/artifactctl/artifactctl/internal/flux/manifest"
)

func TestRead(t *testing.T) {
	text := "# comment\n---\nkind: A\nmetadata: {name: a}\n---\n\n# c\nkind: [\n--- # c\n{apiVersion: v1, kind: List, items: [{kind: B, metadata: {name: b, namespace: n}},\n  {kind: CList, items: [{kind: C}]}]}\n" +
		"...\n---not: a marker\n---\n--- {kind: D}\n---\n- no object\n---\ntoolkit.fluxcd.io/: [\n"
	objects, problems := manifest.Read([]manifest.File{{Path: "x.yaml", Content: []byte(text)}})
	var got []string
	for _, o := range objects {
		got = append(got, fmt.Sprintf("%s@%d", o.ID(), o.Line))
	}
	if want := []string{"A/a@3", "B/n/b@10", "C/@11", "D/@15"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if len(problems) != 2 || problems[0].Line != 6 || problems[0].Flux || !problems[1].Flux {
		t.Errorf("problems %+v", problems)
	}
}

func TestGet(t *testing.T) {
	var doc yaml.Node
	text := "base: &base {a: 1, deep: {b: two}}\nx: {<<: *base, a: 3}\ny: {<<: [{c: 4}, *base]}\nz: *base\nnone: ~\n"
	if err := yaml.Unmarshal([]byte(text), &doc); err != nil {
		t.Fatal(err)
	}
	root := doc.Content[0]
	for path, want := range map[string]string{"x a": "3", "x deep b": "two", "y a": "1", "y c": "4", "z deep b": "two", "none": "", "x nope": "", "x a b": ""} {
		if got := manifest.Text(root, strings.Fields(path)...); got != want {
			t.Errorf("%s: got %q, want %q", path, got, want)
		}
	}
	if !manifest.IsNull(manifest.Get(root, "none")) || manifest.Get(root, "nope") != nil {
		t.Error("null and nothing are not told apart")
	}
}

// An anchor that refers to itself must not be followed forever.
func TestSelfReference(t *testing.T) {
	for _, text := range []string{"a: &a\n  <<: *a\n  kind: X\n", "kind: List\nitems: &i\n- {kind: List, items: *i}\n", "a: &a [*a]\n"} {
		manifest.Read([]manifest.File{{Path: "x", Content: []byte(text)}})
		manifest.Patches([]manifest.File{{Path: "x", Content: []byte(text)}})
	}
}

func TestOffset(t *testing.T) {
	for _, text := range []string{"a: b\nkey: here", "# ü\u2028# x\u0085\r\nкл: {ü: 1, key: here}", "\ufeffkey:   here", "a: \"1\r  2\"\rkey: here"} {
		docs, _ := manifest.Documents(manifest.File{Content: []byte(text)})
		if len(docs) != 1 {
			t.Fatalf("%q: %d documents", text, len(docs))
		}
		node := manifest.Get(docs[0].Root, "key")
		if node == nil {
			node = manifest.Get(docs[0].Root, "кл", "key")
		}
		if at, ok := docs[0].Offset(node); !ok || !strings.HasPrefix(text[at:], "here") {
			t.Errorf("%q: offset %d, %v", text, at, ok)
		}
	}
}

func TestSets(t *testing.T) {
	for name, tt := range map[string]struct {
		patch, value string
		touches      bool
	}{
		"strategic":            {"spec: {verify: {provider: x}}", "x", true},
		"strategic, other":     {"spec: {interval: 1m}", "", false},
		"strategic, null":      {"spec: {verify: null}", "", true},
		"strategic, deleted":   {"spec: {verify: {$patch: delete}}", "", true},
		"json":                 {"[{op: add, path: /spec/verify, value: {provider: x}}]", "x", true},
		"json, whole spec":     {"[{op: replace, path: /spec, value: {verify: {provider: x}}}]", "x", true},
		"json, spec without":   {"[{op: replace, path: /spec, value: {url: x}}]", "", false},
		"json, removed":        {"[{op: remove, path: /spec/verify}]", "", true},
		"json, tested":         {"[{op: test, path: /spec/verify, value: {provider: x}}]", "", false},
		"json, other":          {"[{op: add, path: /spec/verifyMore, value: x}]", "", false},
		"json, set and gone":   {"[{op: add, path: /spec/verify, value: {provider: x}}, {op: remove, path: /spec/verify}]", "", true},
		"json, escaped":        {"[{op: add, path: /spec/ver~0ify, value: x}]", "", false},
		"json, below the path": {"[{op: add, path: /spec/verify/secretRef, value: {name: a}}]", "", true},
	} {
		t.Run(name, func(t *testing.T) {
			var doc yaml.Node
			if err := yaml.Unmarshal([]byte(tt.patch), &doc); err != nil {
				t.Fatal(err)
			}
			value, touches := manifest.Patch{Body: doc.Content[0]}.Sets("spec", "verify")
			if touches != tt.touches || manifest.Text(value, "provider") != tt.value {
				t.Errorf("got %v, %v", value, touches)
			}
		})
	}
}
