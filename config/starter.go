package config

import (
	"bytes"
	"cmp"
	_ "embed"
	"fmt"
	"strings"
	"text/template"

	"go.yaml.in/yaml/v3"
)

// SchemaURL is where the JSON Schema of publish.yaml is published.
const SchemaURL = "https://artifactctl.dev/schema/publish.v1.schema.json"

//go:embed starter.yaml.tmpl
var starter string

// StarterOptions fill in the file that `artifactctl init` writes. Each has a default.
type StarterOptions struct {
	Schema   string // URL or path of the JSON Schema, for editors; default SchemaURL
	Registry string // default oci-layout:./out
	Branch   string // the branch that the rolling tag follows; default main
	Apps     []StarterApp
}

// StarterApp is an entry under `apps` of a starter file.
type StarterApp struct {
	Name   string // empty for a glob
	Path   string
	Render Render // default kustomize
}

// Starter returns a commented publish.yaml to start from. Without apps it has one entry for the directories under apps/.
// What it returns loads without a problem where the directories of its apps exist; options that Load would refuse are an
// error.
func Starter(o StarterOptions) ([]byte, error) {
	o.Schema = cmp.Or(o.Schema, SchemaURL)
	o.Registry = cmp.Or(o.Registry, "oci-layout:./out")
	o.Branch = cmp.Or(o.Branch, "main")
	if len(o.Apps) == 0 {
		o.Apps = []StarterApp{{Path: "apps/*"}}
	}
	if err := o.check(); err != nil {
		return nil, fmt.Errorf("write a starter file: %w", err)
	}
	t, err := template.New("publish.yaml").Funcs(template.FuncMap{"yaml": quoted}).Parse(starter)
	if err != nil {
		return nil, fmt.Errorf("write a starter file: %w", err)
	}
	var b bytes.Buffer
	if err := t.Execute(&b, o); err != nil {
		return nil, fmt.Errorf("write a starter file: %w", err)
	}
	return b.Bytes(), nil
}

// check applies the rules of the file to what is put into it.
func (o StarterOptions) check() error {
	rules := []struct{ rule, what, value string }{
		{"url", "registry", o.Registry}, {"branch", "branch", o.Branch}, {"file", "schema", o.Schema},
	}
	for _, a := range o.Apps {
		rules = append(rules, struct{ rule, what, value string }{"path", "path of an app", a.Path})
		if a.Name != "" {
			rules = append(rules, struct{ rule, what, value string }{"app", "name of an app", a.Name})
		}
	}
	for _, r := range rules {
		if message, _ := checks[r.rule].explain(r.value, r.value); message != "" {
			return fmt.Errorf("%s: %s", r.what, message)
		}
	}
	return nil
}

// quoted writes text as a YAML scalar, quoted where it would be read as anything else.
func quoted(text any) (string, error) {
	out, err := yaml.Marshal(fmt.Sprint(text))
	return strings.TrimSpace(string(out)), err
}
