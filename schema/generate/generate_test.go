package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/invopop/jsonschema"
)

const root = "../.."

// What is committed is what the types say. `go run ./schema/generate` puts it right.
func TestGeneratedFilesAreCurrent(t *testing.T) {
	files, err := generate(root, documents())
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 2 {
		t.Fatalf("only %d files", len(files))
	}
	for name, want := range files {
		got, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(name)))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s is out of date: run go run ./schema/generate", name)
		}
	}
}

// Every field has a description that came from its comment, in the schema and in the docs.
func TestEveryFieldIsDescribed(t *testing.T) {
	s, err := build(root, documents()[0])
	if err != nil {
		t.Fatal(err)
	}
	docs := string(reference(s))
	objects := map[string]*jsonschema.Schema{"": s}
	for name, def := range s.Definitions {
		objects[name] = def
	}
	for name, object := range objects {
		if object.AdditionalProperties != jsonschema.FalseSchema {
			t.Errorf("%s takes other properties", name)
		}
		for pair := object.Properties.Oldest(); pair != nil; pair = pair.Next() {
			if pair.Value.Description == "" {
				t.Errorf("%s.%s has no description", name, pair.Key)
			}
			if !strings.Contains(docs, pair.Value.Description) {
				t.Errorf("%s.%s is not in docs/config.md", name, pair.Key)
			}
		}
	}
}

type sample struct {
	// Name of the sample.
	Name string `json:"name"`
	// Note is optional.
	Note string `json:"note,omitempty"`
}

// Other documents are named by their json tags, and what cannot be omitted is required.
func TestGenerateOtherDocuments(t *testing.T) {
	d := document{file: "sample.v1.schema.json", title: "sample", value: sample{}, tag: "json", comments: []string{"schema/generate"}}
	files, err := generate(root, []document{d})
	if err != nil || len(files) != 1 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	var got struct {
		ID         string `json:"$id"`
		Required   []string
		Properties map[string]struct{ Type, Description string }
	}
	if err := json.Unmarshal(files["schema/sample.v1.schema.json"], &got); err != nil {
		t.Fatal(err)
	}
	if got.ID != "https://artifactctl.dev/schema/sample.v1.schema.json" || len(got.Required) != 1 || got.Properties["note"].Type != "string" {
		t.Errorf("got %+v", got)
	}
}
