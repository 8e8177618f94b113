// Command generate writes the JSON Schemas and docs/config.md from the Go types and their comments. Run it from the root
// of the repository: go run ./schema/generate.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/invopop/jsonschema"

	"github.com/artifactctl/artifactctl/config"
	"github.com/artifactctl/artifactctl/internal/ui"
)

// document is a JSON Schema to generate.
type document struct {
	file     string // below schema/; its URL is baseURL and this
	title    string
	value    any      // zero value of the type
	tag      string   // struct tag that holds the names of fields
	comments []string // directories whose doc comments become descriptions
	// refine makes the schema as strict as the program; may be nil.
	refine func(*generator, *jsonschema.Schema) error
}

// documents are all the schemas.
func documents() []document {
	return []document{
		{
			file: "publish.v1.schema.json", title: "publish.yaml of artifactctl", value: config.Publish{}, tag: "koanf",
			comments: []string{"config"}, refine: (*generator).refinePublish,
		},
		{
			file: "report.v1.schema.json", title: "result of artifactctl plan and publish", value: ui.Envelope{}, tag: "json",
			comments: []string{"internal/ui", "internal/engine", "internal/changes", "internal/finding"},
		},
		{
			file: "gates.v1.schema.json", title: "result of artifactctl gate", value: ui.GatesEnvelope{}, tag: "json",
			comments: []string{"internal/ui", "internal/engine", "internal/finding"},
		},
		{
			file: "verification.v1.schema.json", title: "result of artifactctl verify", value: ui.VerificationEnvelope{}, tag: "json",
			comments: []string{"internal/ui", "internal/engine"},
		},
		{
			file: "promotion.v1.schema.json", title: "result of artifactctl promote", value: ui.PromotionEnvelope{}, tag: "json",
			comments: []string{"internal/ui", "internal/engine", "internal/flux/pins"},
		},
		{
			file: "pruning.v1.schema.json", title: "result of artifactctl prune", value: ui.PruningEnvelope{}, tag: "json",
			comments: []string{"internal/ui", "internal/engine"},
		},
		{
			file: "generation.v1.schema.json", title: "result of artifactctl generate", value: ui.GenerationEnvelope{}, tag: "json",
			comments: []string{"internal/ui", "internal/flux/generate"},
		},
		{
			file: "audit.v1.schema.json", title: "result of artifactctl audit", value: ui.AuditEnvelope{}, tag: "json",
			comments: []string{"internal/ui", "internal/flux/audit", "internal/flux/manifest"},
		},
		{
			file: "status.v1.schema.json", title: "result of artifactctl status", value: ui.StatusEnvelope{}, tag: "json",
			comments: []string{"internal/ui", "internal/engine"},
		},
	}
}

func main() {
	if err := write("."); err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
}

// write writes every generated file below the root of the repository.
func write(root string) error {
	files, err := generate(root, documents())
	if err != nil {
		return err
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(root, filepath.FromSlash(name)), content, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// generate returns the content of every generated file by its path from the root, and writes nothing.
func generate(root string, documents []document) (map[string][]byte, error) {
	files := map[string][]byte{}
	for _, d := range documents {
		s, err := build(root, d)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", d.file, err)
		}
		if files["schema/"+d.file], err = encode(s); err != nil {
			return nil, fmt.Errorf("%s: %w", d.file, err)
		}
		if _, ok := d.value.(config.Publish); ok {
			files["docs/config.md"] = reference(s)
		}
	}
	return files, nil
}
