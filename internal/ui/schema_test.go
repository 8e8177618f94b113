package ui

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"

	generate "github.com/invopop/jsonschema"
	validate "github.com/santhosh-tekuri/jsonschema/v6"
)

// The report's types must be fit for the generator of the published schema, and what is printed must be what that
// schema promises.
func TestReportsAreValidBySchema(t *testing.T) {
	reflector := generate.Reflector{ExpandedStruct: true}
	text, err := json.Marshal(reflector.Reflect(Envelope{}))
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := validate.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	root := parsed.(map[string]any)
	for _, name := range []string{"$schema", "apiVersion", "kind", "generator", "source", "summary", "apps"} {
		if !slices.Contains(root["required"].([]any), any(name)) {
			t.Errorf("%s is not required", name)
		}
	}
	compiler := validate.NewCompiler()
	if err := compiler.AddResource("report.json", parsed); err != nil {
		t.Fatal(err)
	}
	schema, err := compiler.Compile("report.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"plan.json", "publish.json"} {
		report, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(decode(t, report)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for _, bad := range []string{`"kind": "Plans"`, `"kind": 1`} {
			kind := []byte(`"kind": "Plan"`)
			if name == "publish.json" {
				kind = []byte(`"kind": "Publish"`)
			}
			if schema.Validate(decode(t, bytes.Replace(report, kind, []byte(bad), 1))) == nil {
				t.Errorf("%s with %s is valid", name, bad)
			}
		}
		for _, word := range []string{`"failed": `, `"stage": "`, `"pushed": `} {
			if schema.Validate(decode(t, bytes.Replace(report, []byte(word), []byte(`"x`+word[1:]), 1))) == nil {
				t.Errorf("%s is valid without %s", name, word)
			}
		}
	}
}

func decode(t *testing.T, text []byte) any {
	t.Helper()
	v, err := validate.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return v
}
