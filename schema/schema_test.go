package schema_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
	"go.yaml.in/yaml/v3"

	"github.com/artifactctl/artifactctl/config"
	"github.com/artifactctl/artifactctl/schema"
)

func compiled(t *testing.T) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(schema.Publish()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource(config.SchemaURL, doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile(config.SchemaURL)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// instance reads YAML as an editor does, or says why that cannot be done.
func instance(t *testing.T, content []byte) (any, error) {
	t.Helper()
	var v any
	if err := yaml.Unmarshal(content, &v); err != nil {
		return nil, err
	}
	encoded, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	return jsonschema.UnmarshalJSON(bytes.NewReader(encoded))
}

func valid(t *testing.T, s *jsonschema.Schema, name string, content []byte) {
	t.Helper()
	v, err := instance(t, content)
	if err == nil {
		err = s.Validate(v)
	}
	if err != nil {
		t.Errorf("%s: %v", name, err)
	}
}

func TestSchemaAcceptsGoodFiles(t *testing.T) {
	s := compiled(t)
	var files []string
	for _, pattern := range []string{"../config/testdata/good/*.yaml", "../examples/*.yaml"} {
		found, err := filepath.Glob(pattern)
		if err != nil || len(found) == 0 {
			t.Fatalf("%s: %v, %v", pattern, found, err)
		}
		files = append(files, found...)
	}
	for _, name := range files {
		content, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		valid(t, s, name, content)
		if strings.Contains(name, "testdata") {
			continue // the loader's own tests load these where their directories exist
		}
		if _, err := config.Load(config.Options{File: name}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	starter, err := config.Starter(config.StarterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	valid(t, s, "starter", starter)
}

// Each example that a schema shows for a field is one that the schema accepts there.
func TestExamplesInTheSchemaAreValid(t *testing.T) {
	s := compiled(t)
	var visit func(path string, s *jsonschema.Schema)
	seen := map[*jsonschema.Schema]bool{}
	visit = func(path string, s *jsonschema.Schema) {
		if s == nil || seen[s] {
			return
		}
		seen[s] = true
		values := s.Examples
		if s.Default != nil {
			values = append(values, *s.Default)
		}
		for _, v := range values {
			if err := s.Validate(v); err != nil {
				t.Errorf("%s: %v: %v", path, v, err)
			}
		}
		visit(path, s.Ref)
		visit(path+"[]", s.Items2020)
		if below, ok := s.AdditionalProperties.(*jsonschema.Schema); ok {
			visit(path+".*", below)
		}
		for name, p := range s.Properties {
			visit(path+"."+name, p)
		}
	}
	visit("", s)
	if len(seen) < 40 {
		t.Errorf("only %d schemas were seen", len(seen))
	}
}

// The loader refuses every bad file (its own test says how); here the schema does what the head of the file says.
func TestSchemaRefusesBadFiles(t *testing.T) {
	s := compiled(t)
	files, err := filepath.Glob("../config/testdata/bad/*.txtar")
	if err != nil || len(files) < 40 {
		t.Fatalf("%d bad files, %v", len(files), err)
	}
	for _, name := range files {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(name)
			if err != nil {
				t.Fatal(err)
			}
			v, err := instance(t, archive.Files[0].Data)
			noYAML := err != nil
			if err == nil {
				err = s.Validate(v)
			}
			switch expected := strings.TrimSpace(string(archive.Comment)); {
			case strings.HasPrefix(expected, "schema: refuses"):
				if err == nil || noYAML {
					t.Fatalf("not refused by the schema: %v", err)
				}
				for _, path := range missed(t, string(archive.Files[1].Data), err) {
					if expected == "schema: refuses" {
						t.Errorf("the schema has nothing against %s", path)
					}
				}
			case strings.HasPrefix(expected, "schema: accepts"):
				if err != nil && !noYAML {
					t.Errorf("refused by the schema, which the file does not say: %v", err)
				}
			default:
				t.Errorf("the file does not say what the schema does: %q", expected)
			}
		})
	}
}

var problemPath = regexp.MustCompile(`(?m)^publish\.yaml:\d+:\d+: ([a-z][^ :]*): `)

// missed returns the paths of the loader's problems that the schema did not find, there or in what holds them.
func missed(t *testing.T, want string, err error) []string {
	t.Helper()
	var invalid *jsonschema.ValidationError
	if !errors.As(err, &invalid) {
		t.Fatal(err)
	}
	found, keys := map[string]bool{}, map[string]bool{}
	var visit func(e *jsonschema.ValidationError)
	visit = func(e *jsonschema.ValidationError) {
		if len(e.Causes) == 0 {
			found[strings.Join(e.InstanceLocation, "|")] = true
		}
		if key, ok := e.ErrorKind.(*kind.PropertyNames); ok {
			keys[key.Property] = true // where the map stands is not to be relied on in this error
		}
		for _, cause := range e.Causes {
			visit(cause)
		}
	}
	visit(invalid)
	var out []string
	for _, m := range problemPath.FindAllStringSubmatch(want, -1) {
		path := regexp.MustCompile(`\["?([^"\]]*)"?\]|\.`).ReplaceAllString(m[1], "|$1")
		last := strings.LastIndex(path, "|")
		if !found[path] && !found[path[:max(last, 0)]] && !keys[path[last+1:]] {
			out = append(out, m[1])
		}
	}
	return out
}
