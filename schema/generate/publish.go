package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"strings"
	"time"

	"github.com/invopop/jsonschema"
	"go.yaml.in/yaml/v3"

	"github.com/artifactctl/artifactctl/config"
)

const (
	// interpolated is text in which the loader replaces variables: what comes of it only the loader can judge.
	interpolated = `\$\{`
	// variable is a value that is nothing but one variable.
	variable = `^\$\{[^{}]+\}$`
	// glob is a path that stands for many directories. The brace of a variable makes none.
	glob = `[*?\[]|(?:^|[^$])\{`
	// suffix names the definitions of what an environment changes: as the others, but with nothing required.
	suffix = "Overlay"
)

// refinePublish makes the schema of publish.yaml as strict as a schema can be.
func (g *generator) refinePublish(root *jsonschema.Schema) error {
	overlay := g.reflect(reflect.TypeFor[config.Environment](), func(t reflect.Type) string {
		if t.Name() == "" || t == reflect.TypeFor[config.Environment]() {
			return t.Name()
		}
		return t.Name() + suffix
	})
	defs := overlay.Definitions
	overlay.Definitions, overlay.Version = nil, ""
	if err := refineAll(overlay, defs, reflect.TypeFor[config.Environment](), true); err != nil {
		return err
	}
	if err := refineAll(root, root.Definitions, reflect.TypeFor[config.Publish](), false); err != nil {
		return err
	}
	maps.Copy(root.Definitions, defs)
	root.Definitions["Environment"] = overlay
	delete(root.Definitions, "Paths")
	delete(root.Definitions, "Paths"+suffix)
	delete(root.Definitions, "Words")
	crossRules(root.Definitions)
	return nil
}

// refineAll refines the schema of a struct type and those of the struct types below it.
func refineAll(s *jsonschema.Schema, defs jsonschema.Definitions, t reflect.Type, overlay bool) error {
	for sf := range t.Fields() {
		name := sf.Tag.Get("koanf")
		property, ok := s.Properties.Get(name)
		if !ok {
			return fmt.Errorf("%s has no schema", name)
		}
		if err := refineField(property, sf, overlay); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		below := sf.Type
		if below.Kind() == reflect.Slice || below.Kind() == reflect.Map || below.Kind() == reflect.Pointer {
			below = below.Elem()
		}
		if below.Kind() != reflect.Struct || below == reflect.TypeFor[config.Environment]() {
			continue
		}
		key := below.Name()
		if overlay {
			key += suffix
		}
		if def := defs[key]; def != nil && def.Comments == "" {
			def.Comments = "refined" // a type may be reached twice
			if err := refineAll(def, defs, below, overlay); err != nil {
				return err
			}
			def.Comments = ""
		}
	}
	if overlay {
		s.Required = nil
	}
	return nil
}

// refineField adds what the tags of a field say and the reflector does not know.
func refineField(p *jsonschema.Schema, sf reflect.StructField, overlay bool) error {
	fixed := sf.Tag.Get("koanf") == "version" || sf.Tag.Get("check") == "reference"
	switch {
	case sf.Type == reflect.TypeFor[config.Paths](), sf.Type == reflect.TypeFor[config.Words]():
		union(p, sf)
	case sf.Type == reflect.TypeFor[time.Duration]():
		p.Type = "string"
		restrict(p, sf.Tag.Get("check"), true)
	case sf.Type == reflect.TypeFor[map[string]any]():
		options(p)
	case sf.Type.Kind() == reflect.Bool, sf.Type.Kind() == reflect.Int:
		orVariable(p)
	case sf.Type.Kind() == reflect.String:
		if len(p.Enum) > 0 && !fixed {
			p.AnyOf = []*jsonschema.Schema{{Enum: p.Enum}, {Pattern: interpolated}}
			p.Enum = nil
		}
		restrict(p, sf.Tag.Get("check"), !fixed)
	case sf.Type.Kind() == reflect.Slice && p.Items.Ref == "":
		p.UniqueItems = true
		restrict(p.Items, sf.Tag.Get("check"), true)
	case sf.Type.Kind() == reflect.Map && p.AdditionalProperties.Ref == "":
		restrict(p.AdditionalProperties, sf.Tag.Get("check"), true)
	}
	if pattern, not, _ := config.Pattern(sf.Tag.Get("keys")); pattern != "" {
		if not != "" {
			not += "|"
		}
		p.PropertyNames = &jsonschema.Schema{Pattern: pattern, Not: &jsonschema.Schema{Pattern: not + interpolated}}
	}
	return illustrate(p, sf, overlay)
}

// restrict adds the pattern of a rule to the schema of a string, or at least keeps private keys out of it.
func restrict(p *jsonschema.Schema, rule string, variables bool) {
	pattern, not, empty := config.Pattern(rule)
	if pattern == "" && len(p.Enum) == 0 && len(p.AnyOf) == 0 {
		not = config.PrivateKey
	}
	if pattern != "" && empty {
		pattern = "^$|" + pattern
	}
	if pattern != "" && variables {
		pattern += "|" + interpolated
	}
	p.Pattern = pattern
	if not != "" {
		p.Not = &jsonschema.Schema{Pattern: not}
	}
}

// union is one string or a list of them.
func union(p *jsonschema.Schema, sf reflect.StructField) {
	one := &jsonschema.Schema{Type: "string"}
	restrict(one, sf.Tag.Get("check"), true)
	least := uint64(1)
	many := &jsonschema.Schema{Type: "array", Items: one, MinItems: &least, UniqueItems: sf.Type == reflect.TypeFor[config.Paths]()}
	p.Ref, p.Type, p.Items, p.OneOf = "", "", nil, []*jsonschema.Schema{one, many}
}

// options keeps secrets out of a plugin's options, as far as the first level goes.
func options(p *jsonschema.Schema) {
	reference, _, _ := config.Pattern("reference")
	p.Type = "object"
	p.PatternProperties = map[string]*jsonschema.Schema{
		config.SecretKey: {Not: &jsonschema.Schema{AnyOf: []*jsonschema.Schema{
			{Type: "number"},
			{Type: "string", Not: &jsonschema.Schema{Pattern: `^$|^true$|^false$|` + reference}},
		}}},
	}
	p.AdditionalProperties = &jsonschema.Schema{Not: &jsonschema.Schema{Type: "string", Pattern: config.PrivateKey}}
}

// orVariable lets a boolean or a number be given by a variable.
func orVariable(p *jsonschema.Schema) {
	p.AnyOf = []*jsonschema.Schema{
		{Type: p.Type, Minimum: p.Minimum, Maximum: p.Maximum},
		{Type: "string", Pattern: variable},
	}
	p.Type, p.Minimum, p.Maximum = "", "", ""
}

// illustrate adds default and examples in the type of the field. An overlay has no defaults.
func illustrate(p *jsonschema.Schema, sf reflect.StructField, overlay bool) error {
	if text := sf.Tag.Get("default"); text != "" && !overlay {
		v, err := plainValue(text, sf.Type)
		if err != nil {
			return err
		}
		p.Default = v
	}
	if text := sf.Tag.Get("example"); text != "" {
		v, err := plainValue(text, sf.Type)
		if err != nil {
			return err
		}
		p.Examples = []any{v}
	}
	return nil
}

// plainValue reads the YAML of a tag. A template begins with a brace and is text nevertheless.
func plainValue(text string, t reflect.Type) (any, error) {
	if t.Kind() == reflect.String && !strings.HasPrefix(text, `"`) {
		return text, nil
	}
	var v any
	if err := yaml.Unmarshal([]byte(text), &v); err != nil {
		return nil, err
	}
	return v, nil
}

// crossRules adds the rules that tie fields of one entry together. Overlays hold single values, and have none.
func crossRules(defs jsonschema.Definitions) {
	none := func(names ...string) *jsonschema.Schema {
		s := &jsonschema.Schema{Properties: jsonschema.NewProperties()}
		for _, name := range names {
			s.Properties.Set(name, &jsonschema.Schema{Enum: []any{false}})
		}
		return s
	}
	when := func(name string, value *jsonschema.Schema, required ...string) *jsonschema.Schema {
		s := &jsonschema.Schema{Properties: jsonschema.NewProperties(), Required: required}
		s.Properties.Set(name, value)
		return s
	}
	zero := uint64(0)
	unnamed := &jsonschema.Schema{Not: &jsonschema.Schema{Required: []string{"name"}}}
	defs["AppRule"].AllOf = []*jsonschema.Schema{
		{If: when("render", &jsonschema.Schema{Const: "none"}, "render"), Then: none("helm", "remoteBases")},
		{If: when("render", &jsonschema.Schema{Const: "kustomize"}), Then: when("ignore", &jsonschema.Schema{MaxItems: &zero})},
		{If: when("path", &jsonschema.Schema{Pattern: glob}, "path"), Then: unnamed},
		{If: when("path", &jsonschema.Schema{Pattern: `^\.$`}, "path"), Then: &jsonschema.Schema{Required: []string{"name"}}},
	}
	defs["Credentials"].DependentRequired = map[string][]string{"username": {"password"}, "password": {"username"}}
	defs["TLS"].DependentRequired = map[string][]string{"cert": {"key"}, "key": {"cert"}}
	defs["Trust"].AllOf = trustRules()
}

// trustRules say that trust is keys, or one whole identity.
func trustRules() []*jsonschema.Schema {
	some := func(names ...string) *jsonschema.Schema {
		s := &jsonschema.Schema{}
		for _, name := range names {
			s.AnyOf = append(s.AnyOf, &jsonschema.Schema{Required: []string{name}})
		}
		return s
	}
	both := func(names ...string) *jsonschema.Schema { return &jsonschema.Schema{Required: names} }
	identity := some("issuer", "issuerRegExp", "subject", "subjectRegExp", "trustedRoot")
	return []*jsonschema.Schema{
		{If: both("publicKey"), Then: &jsonschema.Schema{Not: identity}},
		{If: identity, Then: &jsonschema.Schema{AllOf: []*jsonschema.Schema{some("issuer", "issuerRegExp"), some("subject", "subjectRegExp")}}},
		{Not: both("issuer", "issuerRegExp")},
		{Not: both("subject", "subjectRegExp")},
	}
}

// text gives a value as one line, for people.
func text(v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(b)
}
