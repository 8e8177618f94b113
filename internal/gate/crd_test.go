package gate

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/artifactctl/artifactctl/internal/artifact"
	"github.com/artifactctl/artifactctl/internal/finding"
)

const widgetCRD = `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.example.com}
spec:
  group: example.com
  names: {kind: Widget}
  versions:
  - name: v1
    served: true
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec:
            type: object
            required: [size]
            properties:
              size: {type: integer, minimum: 1, exclusiveMinimum: true}
              port: {x-kubernetes-int-or-string: true}
              free: {type: object, x-kubernetes-preserve-unknown-fields: true, properties: {a: {type: string}}}
              maybe: {type: string, nullable: true, enum: [a, b]}
  - name: v1alpha1
    served: false
    schema: {openAPIV3Schema: {type: object}}
`

func widget(spec string) string {
	return "apiVersion: example.com/v1\nkind: Widget\nmetadata: {name: w, labels: {a: b}}\nspec: {" + spec + "}\n"
}

func TestFleetDefinitions(t *testing.T) {
	tests := []struct{ name, manifests, want string }{
		{"valid", widget("size: 2, port: http, free: {a: x, b: 1}, maybe: null"), ""},
		{"valid, other forms", widget("size: 2, port: 80, maybe: a"), ""},
		{"limit", widget("size: 1"), "spec.size: exclusiveMinimum: got 1, want 1 (kubeconform: exclusiveMinimum)\n"},
		{"unknown field", widget("size: 2, sise: 1"), "spec.sise: there is no such field (kubeconform: additionalProperties)\n"},
		{"unknown field of the root", widget("size: 2") + "sepc: {}\n", "sepc: there is no such field (kubeconform: additionalProperties)\n"},
		{"neither integer nor string", widget("size: 2, port: true"), "spec.port: got boolean, want integer, or got boolean, want string (kubeconform: anyOf)\n"},
		{"known field of a free object", widget("size: 2, free: {a: 1}"), "spec.free.a: got number, want string (kubeconform: type)\n"},
		{"not among the values", widget("size: 2, maybe: c"), "spec.maybe: value must be one of 'a', 'b', <nil> (kubeconform: enum)\n"},
		{"not served", strings.Replace(widget("size: 2"), "/v1", "/v1alpha1", 1),
			"there is no schema for example.com/v1alpha1 Widget (kubeconform: missing-schema)\n  hint: name a place that has it in schemas, or the kind in ignoreKinds\n"},
	}
	gate := conformGate(func(k *Kubeconform) { k.FleetCRDs, k.IgnoreKinds = true, []string{crdKind} })
	gate.Apps = []string{"web"}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := runGates(t, Options{Gates: []Gate{gate}, Dir: schemaDir(t)}, manifestApp("web", test.manifests), manifestApp("crds", widgetCRD)).Results[0]
			_, got, _ := strings.Cut(brief(r), "Widget/w: ")
			if got != test.want {
				t.Errorf("got\n%swant\n%s", brief(r), test.want)
			}
		})
	}
	r := runGates(t, Options{Gates: []Gate{conformGate(func(k *Kubeconform) { k.IgnoreKinds = []string{crdKind} })}, Dir: schemaDir(t)},
		manifestApp("web", widget("size: 2")), manifestApp("crds", widgetCRD)).Results[0]
	if !strings.Contains(brief(r), "there is no schema") {
		t.Errorf("a gate that is not to look at the fleet's definitions says %q", brief(r))
	}
}

// An app that brings a definition of its own is judged by that one; others by the first in order.
func TestOwnDefinitionFirst(t *testing.T) {
	gate := conformGate(func(k *Kubeconform) { k.FleetCRDs, k.IgnoreKinds = true, []string{crdKind} })
	newer := strings.ReplaceAll(widgetCRD, "size", "width")
	report := runGates(t, Options{Gates: []Gate{gate}, Dir: schemaDir(t)},
		manifestApp("plain", widget("size: 2")), manifestApp("first", widgetCRD), manifestApp("own", newer+"---\n"+widget("width: 2")),
		manifestApp("wrong", newer+"---\n"+widget("size: 2")))
	for app, blocked := range map[string]bool{"plain": false, "first": false, "own": false, "wrong": true} {
		if got := blocking(report, app); len(got) > 0 != blocked {
			t.Errorf("%s: blocked by %s", app, finding.Lines(got))
		}
	}
}

// An app in the background is not judged by any gate, and what it defines counts.
func TestBackground(t *testing.T) {
	gate := conformGate(func(k *Kubeconform) { k.FleetCRDs, k.IgnoreKinds = true, []string{crdKind} })
	fleet := command(t, "grep")
	fleet.Run.Scope = PerFleet
	crds := manifestApp("crds", widgetCRD+"---\n"+widget("size: wrong"))
	crds.Background = true
	report := runGates(t, Options{Gates: []Gate{gate, fleet}, Dir: schemaDir(t)}, manifestApp("web", widget("size: 2")), crds)
	if len(report.Results) != 2 || len(blocking(report, "web")) != 0 || report.Results[0].App != "web" || !slices.Equal(report.Results[1].Apps, []string{"web"}) {
		t.Errorf("got %+v", report.Results)
	}
}

func TestConversion(t *testing.T) {
	tests := []struct {
		name, in, want string
		open, lax      bool
	}{
		{name: "closed", in: `{"type":"object","properties":{"spec":{"type":"object","properties":{"a":{"type":"string","description":"x","default":"y"}}}}}`,
			want: `{"type":"object","additionalProperties":false,"properties":{META,"spec":{"type":"object","additionalProperties":false,"properties":{"a":{"type":"string"}}}}}`},
		{name: "lax", lax: true, in: `{"type":"object","properties":{"spec":{"type":"object","properties":{}}}}`,
			want: `{"type":"object","properties":{META,"spec":{"type":"object","properties":{}}}}`},
		{name: "open by the definition", open: true, in: `{"type":"object","properties":{"spec":{"properties":{}}}}`,
			want: `{"type":"object","properties":{META,"spec":{"properties":{}}}}`},
		{name: "without properties", in: `{"type":"object","x-kubernetes-preserve-unknown-fields":true}`,
			want: `{"type":"object","x-kubernetes-preserve-unknown-fields":true}`},
		{name: "maps and lists", in: `{"properties":{"m":{"type":"object","additionalProperties":{"properties":{"a":{}}}},"l":{"items":{"properties":{"b":{}}}}}}`,
			want: `{"additionalProperties":false,"properties":{META,"m":{"type":"object","additionalProperties":{"additionalProperties":false,"properties":{"a":{}}}},"l":{"items":{"additionalProperties":false,"properties":{"b":{}}}}}}`},
		{name: "a field called properties", in: `{"properties":{"properties":{"type":"object"},"description":{"type":"string"},"nullable":{"type":"string"}}}`,
			want: `{"additionalProperties":false,"properties":{META,"properties":{"type":"object"},"description":{"type":"string"},"nullable":{"type":"string"}}}`},
		{name: "alternatives stay open", in: `{"properties":{"s":{"type":"object","properties":{"a":{},"b":{}},"oneOf":[{"required":["a"],"properties":{"a":{"enum":[1]}}},{"not":{"properties":{"b":{}}}}]}}}`,
			want: `{"additionalProperties":false,"properties":{META,"s":{"type":"object","additionalProperties":false,"properties":{"a":{},"b":{}},"oneOf":[{"required":["a"],"properties":{"a":{"enum":[1]}}},{"not":{"properties":{"b":{}}}}]}}}`},
		{name: "embedded", in: `{"properties":{"t":{"type":"object","x-kubernetes-embedded-resource":true,"properties":{"spec":{},"metadata":{"type":"object","nullable":true}}}}}`,
			want: `{"additionalProperties":false,"properties":{META,"t":{"type":"object","x-kubernetes-embedded-resource":true,"additionalProperties":false,"properties":{"spec":{},"apiVersion":{"type":"string"},"kind":{"type":"string"},"metadata":{"type":["object","null"]}}}}}`},
		{name: "integer or string, in both spellings", in: `{"properties":{"a":{"format":"int-or-string","type":"string"},"b":{"x-kubernetes-int-or-string":true,"anyOf":[{"type":"string"}]}}}`,
			want: `{"additionalProperties":false,"properties":{META,"a":{"anyOf":[{"type":"integer"},{"type":"string"}]},"b":{"x-kubernetes-int-or-string":true,"anyOf":[{"type":"string"}]}}}`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := crd{Open: test.open, Schema: json.RawMessage(test.in)}.jsonSchema(!test.lax)
			if err != nil {
				t.Fatal(err)
			}
			want := strings.Replace(test.want, "META", `"apiVersion":{"type":"string"},"kind":{"type":"string"},"metadata":{"type":"object"}`, 1)
			var a, b any
			if json.Unmarshal(got, &a) != nil || json.Unmarshal([]byte(want), &b) != nil || !reflect.DeepEqual(a, b) {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

func TestDefinitionForms(t *testing.T) {
	old := `apiVersion: apiextensions.k8s.io/v1beta1
kind: CustomResourceDefinition
spec:
  group: old.example.com
  names: {kind: Old}
  preserveUnknownFields: true
  validation: {openAPIV3Schema: {type: object}}
  versions: [{name: v1, served: true}, {name: v2, served: true, schema: {openAPIV3Schema: {type: array}}}]
`
	list := "apiVersion: v1\nkind: List\nitems:\n- " + strings.ReplaceAll(strings.TrimSpace(widgetCRD), "\n", "\n  ") + "\n"
	rubbish := "kind: CustomResourceDefinition\nspec: 1\n---\nCustomResourceDefinition: [\n---\nkind: ConfigMap\ndata: {a: CustomResourceDefinition}\n---\n" +
		"kind: CustomResourceDefinition\nspec: {group: g, names: {kind: K}, versions: [{name: v1}, {name: v2, schema: {openAPIV3Schema: {properties: {1: 2}}}}]}\n"
	var got []string
	for _, c := range definitions(artifact.Files{"a.yaml": []byte(old), "b.yml": []byte(list), "c.json": []byte(rubbish), "d.txt": []byte(old)}) {
		got = append(got, c.APIVersion+" "+c.Kind+" "+string(c.Schema[:min(len(c.Schema), 18)]))
	}
	want := []string{`old.example.com/v1 Old {"type":"object"}`, `old.example.com/v2 Old {"type":"array"}`, `example.com/v1 Widget {"properties":{"sp`}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%q\nwant\n%q", got, want)
	}
}
