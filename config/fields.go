package config

import (
	"reflect"
	"strconv"
	"strings"
	"sync"

	"go.yaml.in/yaml/v3"
)

// field is what the tags of a struct's field say.
type field struct {
	name       string
	typ        reflect.Type
	required   bool
	enum       []string
	check      string // rule for strings, elements and values of maps included
	keys       string // rule for keys of a map
	fallback   string // default as YAML text; empty means none
	references bool   // nothing below may be interpolated
	minimum    *int
	maximum    *int
}

// tables has the fields of all struct types of publish.yaml: they are looked up for each app.
//
//nolint:gochecknoglobals // a read-only table, made when it is first needed
var tables = sync.OnceValue(func() map[reflect.Type][]field {
	known := map[reflect.Type][]field{}
	var visit func(t reflect.Type)
	visit = func(t reflect.Type) {
		switch t.Kind() {
		case reflect.Slice, reflect.Map, reflect.Pointer:
			visit(t.Elem())
		case reflect.Struct:
			if _, ok := known[t]; ok {
				return
			}
			known[t] = readFields(t)
			for _, f := range known[t] {
				visit(f.typ)
			}
		}
	}
	visit(reflect.TypeFor[Publish]())
	visit(reflect.TypeFor[Environment]())
	return known
})

// fieldsOf lists the fields of a struct type in the order of its declaration. The list is shared.
func fieldsOf(t reflect.Type) []field {
	if known, ok := tables()[t]; ok {
		return known
	}
	return readFields(t)
}

func readFields(t reflect.Type) []field {
	var out []field
	for sf := range t.Fields() {
		f := field{
			name: sf.Tag.Get("koanf"), typ: pointed(sf.Type),
			check: sf.Tag.Get("check"), keys: sf.Tag.Get("keys"), fallback: sf.Tag.Get("default"),
			references: sf.Tag.Get("references") == "true",
		}
		for word := range strings.SplitSeq(sf.Tag.Get("jsonschema"), ",") {
			f.keyword(word)
		}
		out = append(out, f)
	}
	return out
}

// pointed is what a pointer points to: a pointer only tells whether there is a value at all.
func pointed(t reflect.Type) reflect.Type {
	if t.Kind() == reflect.Pointer {
		return t.Elem()
	}
	return t
}

// mayBeOne reports a list that may be written as its one element.
func mayBeOne(t reflect.Type) bool {
	return t == reflect.TypeFor[Paths]() || t == reflect.TypeFor[Words]()
}

// keyword takes over one word of a jsonschema tag.
func (f *field) keyword(word string) {
	name, value, _ := strings.Cut(word, "=")
	switch name {
	case "required":
		f.required = true
	case "enum":
		f.enum = append(f.enum, value)
	case "minimum", "maximum":
		if n, err := strconv.Atoi(value); err == nil && name == "minimum" {
			f.minimum = &n
		} else if err == nil {
			f.maximum = &n
		}
	}
}

// defaultValue returns the default in the form that layers hold, and whether there is one.
func (f field) defaultValue() (any, bool) {
	if f.fallback == "" {
		return nil, false
	}
	if f.typ.Kind() == reflect.String && !strings.HasPrefix(f.fallback, `"`) {
		return f.fallback, true // a template begins with a brace, which YAML would take for a map
	}
	var v any
	if err := yaml.Unmarshal([]byte(f.fallback), &v); err != nil {
		return f.fallback, true
	}
	return v, true
}

func names(fields []field) []string {
	out := make([]string, len(fields))
	for i, f := range fields {
		out[i] = f.name
	}
	return out
}

func fieldNamed(fields []field, name string) (field, bool) {
	for _, f := range fields {
		if f.name == name {
			return f, true
		}
	}
	return field{}, false
}

// defaults builds the lowest layer: the defaults of all fields that do not belong to an element of a list or map.
func defaults(t reflect.Type) map[string]any {
	out := map[string]any{}
	for _, f := range fieldsOf(t) {
		if v, ok := f.defaultValue(); ok {
			out[f.name] = v
		} else if f.typ.Kind() == reflect.Struct {
			if inner := defaults(f.typ); len(inner) > 0 {
				out[f.name] = inner
			}
		}
	}
	return out
}

// dropOverridden removes the defaults of maps that the file has its own of: such a default is a whole, not a first entry.
func dropOverridden(base, file map[string]any, t reflect.Type) {
	for _, f := range fieldsOf(t) {
		inner, ok := file[f.name].(map[string]any)
		switch {
		case !ok:
		case f.typ.Kind() == reflect.Map:
			delete(base, f.name)
		case f.typ.Kind() == reflect.Struct:
			if b, ok := base[f.name].(map[string]any); ok {
				dropOverridden(b, inner, f.typ)
			}
		}
	}
}

// fill adds the defaults of elements of lists and maps.
func fill(v any, t reflect.Type) {
	switch t.Kind() {
	case reflect.Struct:
		m, ok := v.(map[string]any)
		if !ok {
			return
		}
		for _, f := range fieldsOf(t) {
			if _, set := m[f.name]; !set {
				if value, ok := f.defaultValue(); ok {
					m[f.name] = value
				}
			}
			fill(m[f.name], f.typ)
		}
	case reflect.Slice:
		list, _ := v.([]any)
		for _, item := range list {
			fill(item, t.Elem())
		}
	case reflect.Map:
		m, _ := v.(map[string]any)
		for _, item := range m {
			fill(item, t.Elem())
		}
	}
}
