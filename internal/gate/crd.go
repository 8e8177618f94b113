package gate

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"

	"go.yaml.in/yaml/v3"

	"github.com/artifactctl/artifactctl/internal/artifact"
)

// crd is what a CustomResourceDefinition says of one version of its kind.
type crd struct {
	APIVersion string          `json:"apiVersion"` // "group/version"
	Kind       string          `json:"kind"`
	Open       bool            `json:"open,omitempty"` // spec.preserveUnknownFields
	Schema     json.RawMessage `json:"schema"`         // openAPIV3Schema
}

// definition is the part of a CustomResourceDefinition that is looked at: v1, and v1beta1 with its one schema for all
// versions.
type definition struct {
	APIVersion string `yaml:"apiVersion"`
	Kind       string `yaml:"kind"`
	Spec       struct {
		Group string `yaml:"group"`
		Names struct {
			Kind string `yaml:"kind"`
		} `yaml:"names"`
		PreserveUnknownFields bool       `yaml:"preserveUnknownFields"`
		Validation            validation `yaml:"validation"`
		Versions              []struct {
			Name   string     `yaml:"name"`
			Served *bool      `yaml:"served"`
			Schema validation `yaml:"schema"`
		} `yaml:"versions"`
	} `yaml:"spec"`
}

type validation struct {
	OpenAPIV3Schema map[string]any `yaml:"openAPIV3Schema"`
}

// crdKind is the kind that defines kinds.
const crdKind = "CustomResourceDefinition"

// definitions returns what the CustomResourceDefinitions among files define: the versions that are served and have a
// schema. One that cannot be understood defines nothing; whether it is valid is for its own schema to say.
func definitions(files artifact.Files) []crd {
	var all []crd
	for _, name := range manifestFiles(files) {
		if !bytes.Contains(files[name], []byte(crdKind)) {
			continue
		}
		for _, d := range documents(files[name]) {
			if !bytes.Contains(d.raw, []byte(crdKind)) {
				continue
			}
			var root yaml.Node
			if yaml.Unmarshal(d.raw, &root) != nil || len(root.Content) == 0 || root.Content[0].Kind != yaml.MappingNode {
				continue
			}
			o := object{node: root.Content[0]}
			o.describe()
			for _, item := range o.items(0) {
				all = append(all, defined(item.node)...)
			}
		}
	}
	return all
}

func defined(node *yaml.Node) []crd {
	var d definition
	if scalar(node, "kind") != crdKind || node.Decode(&d) != nil {
		return nil
	}
	var all []crd
	for _, version := range d.Spec.Versions {
		schema := version.Schema.OpenAPIV3Schema
		if schema == nil {
			schema = d.Spec.Validation.OpenAPIV3Schema
		}
		if schema == nil || version.Served != nil && !*version.Served {
			continue
		}
		encoded, err := json.Marshal(schema)
		if err != nil { // keys that are no strings
			continue
		}
		all = append(all, crd{
			APIVersion: d.Spec.Group + "/" + version.Name, Kind: d.Spec.Names.Kind,
			Open: d.Spec.PreserveUnknownFields, Schema: encoded,
		})
	}
	return all
}

// jsonSchema makes a JSON schema of what a CustomResourceDefinition says, as kubeconform's own converter does: where
// strict is set, an object that lists its properties has no others. Unlike the converter it reads the extensions of
// Kubernetes: x-kubernetes-preserve-unknown-fields, -int-or-string and -embedded-resource, and nullable. The root is
// closed, too, but for apiVersion, kind and metadata, which the API server adds to each schema.
func (c crd) jsonSchema(strict bool) ([]byte, error) {
	var schema map[string]any
	if err := json.Unmarshal(c.Schema, &schema); err != nil {
		return nil, err
	}
	converter := converter{strict: strict && !c.Open}
	converted := converter.object(schema, false)
	properties, _ := converted["properties"].(map[string]any)
	if properties == nil && converted["additionalProperties"] == false {
		properties = map[string]any{}
	}
	if properties != nil {
		properties["apiVersion"], properties["kind"] = map[string]any{"type": "string"}, map[string]any{"type": "string"}
		properties["metadata"] = map[string]any{"type": "object"} // its fields are those of every object
		converted["properties"] = properties
	}
	return json.Marshal(converted)
}

type converter struct{ strict bool }

// object converts a schema. Inside of a junctor (allOf, anyOf, oneOf, not) a schema is one constraint among others: it
// does not list all properties, so it is never closed.
func (c converter) object(in map[string]any, junctor bool) map[string]any {
	out := map[string]any{}
	for key, v := range in {
		switch key {
		case "properties", "patternProperties", "definitions":
			out[key] = c.each(v, junctor)
		case "items", "not":
			out[key] = c.schema(v, junctor || key == "not")
		case "additionalProperties":
			out[key] = c.schema(v, junctor)
		case "allOf", "anyOf", "oneOf":
			out[key] = c.schema(v, true)
		case "description", "default", "example", "externalDocs", "title", "nullable":
		default:
			out[key] = v
		}
	}
	c.extensions(in, out)
	if c.strict && !junctor && closes(in) {
		out["additionalProperties"] = false
	}
	return out
}

// closes tells whether a schema lists all properties there may be.
func closes(schema map[string]any) bool {
	_, listed := schema["properties"]
	_, others := schema["additionalProperties"]
	return listed && !others && schema["x-kubernetes-preserve-unknown-fields"] != true
}

// extensions says in JSON schema what in says in keywords of Kubernetes.
func (c converter) extensions(in, out map[string]any) {
	if in["x-kubernetes-int-or-string"] == true || in["format"] == "int-or-string" {
		delete(out, "type")
		delete(out, "format")
		if _, given := in["anyOf"]; !given {
			out["anyOf"] = []any{map[string]any{"type": "integer"}, map[string]any{"type": "string"}}
		}
	}
	if properties, ok := out["properties"].(map[string]any); ok && in["x-kubernetes-embedded-resource"] == true {
		for name, kind := range map[string]string{"apiVersion": "string", "kind": "string", "metadata": "object"} {
			if _, given := properties[name]; !given {
				properties[name] = map[string]any{"type": kind}
			}
		}
	}
	if in["nullable"] != true {
		return
	}
	if kind, ok := out["type"].(string); ok {
		out["type"] = []any{kind, "null"}
	}
	if values, ok := out["enum"].([]any); ok && !slices.Contains(values, nil) {
		out["enum"] = append(slices.Clone(values), nil)
	}
}

func (c converter) schema(v any, junctor bool) any {
	switch v := v.(type) {
	case map[string]any:
		return c.object(v, junctor)
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = c.schema(v[i], junctor)
		}
		return out
	}
	return v
}

// each converts the values of a map from names to schemas.
func (c converter) each(v any, junctor bool) any {
	named, ok := v.(map[string]any)
	if !ok {
		return v
	}
	out := maps.Clone(named)
	for name, schema := range named {
		out[name] = c.schema(schema, junctor)
	}
	return out
}
