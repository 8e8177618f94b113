package config

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// layer is one source of values, as koanf merges them, with the place of each value by its effective path.
type layer struct {
	values  map[string]any
	origins map[string]Origin
	bad     map[string]bool // paths whose value was refused and is not among the values
	unset   bool            // a variable that only this layer needs is not set
}

// walker turns nodes into a layer, by the types of the struct tree. It collects every problem it meets and goes on.
type walker struct {
	layer
	problems *problems
	warnings *problems
	from     Origin                      // what all origins of the layer share
	lookup   func(string) (string, bool) // for ${NAME}; nil leaves text as it is
	lenient  bool                        // unset variables are no problem: nobody asked for this layer
}

func (w *walker) start() {
	w.layer = layer{values: map[string]any{}, origins: map[string]Origin{}, bad: map[string]bool{}}
}

// note remembers where a value stands.
func (w *walker) note(n *yaml.Node, at place) Origin {
	o := w.from
	o.Line, o.Column, o.source = n.Line, n.Column, at.source
	if n.Kind == yaml.ScalarNode {
		o.text = n.Value
	}
	w.origins[at.path] = o
	return o
}

// refuse adds a problem with the value at a place.
func (w *walker) refuse(n *yaml.Node, at place, hint, format string, args ...any) {
	w.bad[at.path] = true
	w.problems.add(w.note(n, at).problem(fmt.Sprintf(format, args...), hint))
}

// value converts a node to the type of a field; ok is false when it was refused.
func (w *walker) value(n *yaml.Node, f field, at place) (v any, ok bool) {
	w.note(n, at)
	switch {
	case f.typ == reflect.TypeFor[any]():
		return w.free(n, at)
	case isNull(n):
		w.refuse(n, at, "", "there is no value; give one, or remove the key")
		return nil, false
	case mayBeOne(f.typ) && n.Kind == yaml.ScalarNode:
		f.typ = f.typ.Elem()
		w.note(n, at.index(0))
		text, ok := w.scalar(n, f, at)
		return []any{text}, ok
	}
	switch f.typ.Kind() {
	case reflect.Struct:
		return w.structure(n, f, at)
	case reflect.Map:
		return w.table(n, f, at)
	case reflect.Slice:
		return w.list(n, f, at)
	}
	return w.scalar(n, f, at)
}

// want refuses a node of another kind.
func (w *walker) want(n *yaml.Node, kind yaml.Kind, what string, at place) bool {
	if n.Kind != kind {
		w.refuse(n, at, "", "must be %s, is %s", what, describe(n))
	}
	return n.Kind == kind
}

func describe(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a map"
	case yaml.SequenceNode:
		return "a list"
	}
	switch n.ShortTag() {
	case "!!int", "!!float":
		return "a number"
	case "!!bool":
		return "a boolean"
	case "!!timestamp":
		return "a date"
	case "!!null":
		return "empty"
	}
	return "a string"
}

func (w *walker) structure(n *yaml.Node, f field, at place) (any, bool) {
	if !w.want(n, yaml.MappingNode, "a map", at) {
		return nil, false
	}
	fields := fieldsOf(f.typ)
	out := map[string]any{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		name := resolve(key).Value
		inner, known := fieldNamed(fields, name)
		if !known {
			w.refuse(key, at.member(name), "known keys here: "+strings.Join(names(fields), ", "),
				"unknown key%s", didYouMean(name, names(fields)))
			continue
		}
		inner.references = inner.references || f.references
		if v, ok := w.value(value, inner, at.member(name)); ok {
			out[name] = v
		}
	}
	return out, true
}

func (w *walker) table(n *yaml.Node, f field, at place) (any, bool) {
	if !w.want(n, yaml.MappingNode, "a map", at) {
		return nil, false
	}
	out := map[string]any{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		name := resolve(key).Value
		if f.typ.Elem() != reflect.TypeFor[any]() && !w.key(key, name, f, at.member(name)) {
			continue
		}
		inner := field{typ: f.typ.Elem(), check: f.check, references: f.references}
		if v, ok := w.value(value, inner, at.member(name)); ok {
			out[name] = v
		}
	}
	return out, true
}

// key checks a key of a map.
func (w *walker) key(n *yaml.Node, name string, f field, at place) bool {
	if strings.Contains(name, "${") {
		w.refuse(n, at, "", "${…} is replaced in values only, never in keys")
		return false
	}
	rule, ok := checks[f.keys]
	if !ok {
		return true
	}
	message, hint := rule.explain(name, name)
	if message != "" {
		w.refuse(n, at, hint, "%s", message)
	}
	return message == ""
}

func (w *walker) list(n *yaml.Node, f field, at place) (any, bool) {
	if !w.want(n, yaml.SequenceNode, "a list", at) {
		return nil, false
	}
	out, seen := []any{}, map[any]bool{}
	for i, item := range n.Content {
		v, ok := w.value(item, field{typ: f.typ.Elem(), check: f.check, references: f.references}, at.index(i))
		if ok && f.check != "" {
			if seen[v] {
				w.refuse(item, at.index(i), "", "the same entry stands above")
			}
			seen[v] = true
		}
		out = append(out, v) // a refused entry keeps its place, so that the paths of the others are right
	}
	if mayBeOne(f.typ) && len(out) == 0 {
		w.refuse(n, at, "", "the list is empty")
	}
	return out, true
}

// scalar converts a string, boolean, number or duration.
func (w *walker) scalar(n *yaml.Node, f field, at place) (any, bool) {
	want := map[reflect.Kind]string{reflect.Bool: "true or false", reflect.Int: "a whole number"}[f.typ.Kind()]
	hint := ""
	switch {
	case f.typ == reflect.TypeFor[time.Duration]():
		want = "a duration such as 30s"
	case want == "":
		want, hint = "a string", "put it into quotes"
	}
	if !w.want(n, yaml.ScalarNode, want, at) {
		return nil, false
	}
	text, replaced, ok := w.text(n, f, at)
	if !ok {
		return nil, false
	}
	switch f.typ.Kind() {
	case reflect.Bool:
		v, err := strconv.ParseBool(text)
		if n.ShortTag() != "!!bool" && !replaced || err != nil || len(text) == 1 {
			w.refuse(n, at, "", "must be %s, is %s", want, describe(n))
			return nil, false
		}
		return v, true
	case reflect.Int:
		v, err := strconv.Atoi(text)
		if n.ShortTag() != "!!int" && !replaced || err != nil {
			w.refuse(n, at, "", "must be %s, is %s", want, describe(n))
			return nil, false
		}
		return v, w.within(n, f, v, at)
	}
	if n.ShortTag() != "!!str" && !replaced {
		w.refuse(n, at, hint, "must be %s, is %s", want, describe(n))
		return nil, false
	}
	return text, w.rules(n, f, text, at)
}

// text returns a scalar with its variables replaced.
func (w *walker) text(n *yaml.Node, f field, at place) (text string, replaced, ok bool) {
	if looksLikeKey(n.Value) {
		w.refuse(n, at, "name a file or a variable that holds it: file://PATH or env://NAME", "this looks like a private key")
		return "", false, false
	}
	if w.lookup == nil || f.references || !strings.Contains(n.Value, "${") {
		return n.Value, false, true
	}
	text, err := interpolate(n.Value, w.lookup)
	if unset, isUnset := errors.AsType[unsetVariable](err); isUnset && w.lenient {
		w.unset = true
		return "", false, false
	} else if isUnset {
		w.refuse(n, at, fmt.Sprintf("set it, or write ${%s:-default}", unset.name), "%s", unset.Error())
		return "", false, false
	}
	if err != nil {
		w.refuse(n, at, "write $${ for a literal ${", "%s", err.Error())
		return "", false, false
	}
	return text, text != n.Value, true
}

func (w *walker) within(n *yaml.Node, f field, v int, at place) bool {
	if f.minimum != nil && v < *f.minimum || f.maximum != nil && v > *f.maximum {
		w.refuse(n, at, "", "must be from %d to %d", *f.minimum, *f.maximum)
		return false
	}
	return true
}

// rules applies the enum and the check of a field to a string. Messages quote the text of the source only.
func (w *walker) rules(n *yaml.Node, f field, text string, at place) bool {
	if len(f.enum) > 0 && !slices.Contains(f.enum, text) {
		w.refuse(n, at, "", "%q is not one of %s%s", n.Value, strings.Join(f.enum, ", "), didYouMean(n.Value, f.enum))
		return false
	}
	rule, ok := checks[f.check]
	if !ok {
		return true
	}
	message, hint := rule.explain(text, n.Value)
	if message != "" {
		w.refuse(n, at, hint, "%s", message)
	}
	return message == ""
}
