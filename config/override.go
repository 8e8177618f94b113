package config

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v3"
)

// Override is a value from the command line.
type Override struct {
	Flag  string // as the user typed it, for messages and origins: "--registry"
	Path  string // registry.url, tags.rolling.main, annotations["a.b/c"]
	Value string // text of a scalar, or YAML of a list or map
}

// prefix begins the variables that set values of the configuration.
const prefix = "ARTIFACTCTL_"

// ownVariable matches what follows the prefix in the variables that the program reads itself.
var ownVariable = regexp.MustCompile(`^(?:FILE|ENV|VERSION|CONFIG|OUTPUT|DEBUG|CACHE|CACHE_DIR|PLUGIN.*|LOG.*|SIGNER_.*)$`)

// Variables lists the variables that set values of the configuration, with the paths that they set: every scalar that
// is not part of a list or of a map. registry.url is set by ARTIFACTCTL_REGISTRY_URL.
func Variables() map[string]string {
	out := map[string]string{}
	collectVariables(reflect.TypeFor[Publish](), "", prefix, out)
	delete(out, prefix+"VERSION")
	return out
}

func collectVariables(t reflect.Type, path, name string, out map[string]string) {
	for _, f := range fieldsOf(t) {
		own := name + screaming(f.name)
		switch f.typ.Kind() {
		case reflect.Struct:
			collectVariables(f.typ, member(path, f.name), own+"_", out)
		case reflect.Map, reflect.Slice:
		default:
			out[own] = member(path, f.name)
		}
	}
}

// screaming turns remoteBases into REMOTE_BASES.
func screaming(name string) string {
	var b strings.Builder
	for _, r := range name {
		if unicode.IsUpper(r) {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToUpper(r))
	}
	return b.String()
}

// variableLayer reads the ARTIFACTCTL_* variables. An empty one counts as unset.
func (l *loader) variableLayer() layer {
	known := Variables()
	w := l.walker(Origin{Kind: FromVariable})
	for _, name := range keysOf(l.environ) {
		if !strings.HasPrefix(name, prefix) || l.environ[name] == "" {
			continue
		}
		path, ok := known[name]
		if !ok {
			l.unknownVariable(name, known)
			continue
		}
		w.from.Name = name
		w.set(steps(path), l.environ[name], path)
	}
	return w.layer
}

func (l *loader) unknownVariable(name string, known map[string]string) {
	rest := strings.TrimPrefix(name, prefix)
	if ownVariable.MatchString(rest) {
		return
	}
	var others []string
	for _, other := range keysOf(known) {
		others = append(others, strings.TrimPrefix(other, prefix))
	}
	message := "the variable sets nothing"
	if other := closest(rest, others); other != "" {
		message = fmt.Sprintf("%s, did you mean %q?", message, prefix+other)
	}
	l.warnings.add(Problem{File: name, Message: message})
}

// flagLayer reads the overrides of the command line; a later one wins.
func (l *loader) flagLayer(set []Override) layer {
	w := l.walker(Origin{Kind: FromFlag})
	for _, o := range set {
		w.from.Name = o.Flag
		s := steps(o.Path)
		if s == nil {
			l.problems.add(Problem{File: o.Flag, Message: "the path is malformed", Hint: `write it like registry.url or annotations["a.b/c"]`})
			continue
		}
		w.set(s, o.Value, o.Path)
	}
	return w.layer
}

// steps splits a path into its keys, or returns nil for a malformed one.
func steps(path string) []string {
	var out []string
	for rest := path; ; {
		if quoted, ok := strings.CutPrefix(rest, `["`); ok {
			key, after, closed := strings.Cut(quoted, `"]`)
			if !closed || key == "" {
				return nil
			}
			out, rest = append(out, key), after
		} else {
			end := strings.IndexAny(rest, ".[")
			if end < 0 {
				end = len(rest)
			}
			if !isPlain(rest[:end]) {
				return nil
			}
			out, rest = append(out, rest[:end]), rest[end:]
		}
		if rest == "" {
			return out
		}
		if next, ok := strings.CutPrefix(rest, "."); ok {
			rest = next
		} else if !strings.HasPrefix(rest, `["`) {
			return nil
		}
	}
}

// set puts text at a path, by wrapping it into the maps that a file would hold, and walks it like those of a file.
func (w *walker) set(path []string, text, source string) {
	t, ok := w.target(path, source)
	if !ok {
		return
	}
	n, err := valueNode(t, text)
	if err != nil {
		w.problems.add(w.from.problem(fmt.Sprintf("%s: the value is not valid YAML", source), ""))
		return
	}
	for _, key := range slices.Backward(path) {
		n = &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Content: []*yaml.Node{{Kind: yaml.ScalarNode, Tag: "!!str", Value: key}, n}}
	}
	v, _ := w.value(n, field{typ: reflect.TypeFor[Publish]()}, place{})
	if m, ok := v.(map[string]any); ok {
		mergeInto(w.values, m)
	}
}

// target finds the type of what a path names, and refuses paths that cannot be set one by one.
func (w *walker) target(path []string, source string) (reflect.Type, bool) {
	t := reflect.TypeFor[Publish]()
	refuse := func(message, hint string) (reflect.Type, bool) {
		w.problems.add(w.from.problem(source+": "+message, hint))
		return nil, false
	}
	for i, key := range path {
		switch t.Kind() {
		case reflect.Struct:
			fields := fieldsOf(t)
			f, ok := fieldNamed(fields, key)
			if !ok {
				return refuse("unknown key"+didYouMean(key, names(fields)), "known keys here: "+strings.Join(names(fields), ", "))
			}
			if i == 0 && slices.Contains([]string{"version", "apps", "environments"}, key) {
				return refuse("this can only be set in the file", "")
			}
			t = f.typ
		case reflect.Map:
			t = t.Elem()
		case reflect.Interface:
		default:
			return refuse(member("", key)+" is below a value, not in a map", "")
		}
	}
	return t, true
}

// valueNode makes a node of a value's text: YAML for lists, maps and free values, and the text itself for the rest.
func valueNode(t reflect.Type, text string) (*yaml.Node, error) {
	plain := &yaml.Node{Kind: yaml.ScalarNode, Value: text}
	switch t.Kind() {
	case reflect.Bool, reflect.Int:
		return plain, nil
	case reflect.Struct, reflect.Map, reflect.Slice, reflect.Interface:
		var doc yaml.Node
		if err := yaml.Unmarshal([]byte(text), &doc); err != nil {
			return nil, err
		}
		if doc.Kind != yaml.DocumentNode {
			return plain, nil
		}
		var ps problems
		if n := flatten("", doc.Content[0], &ps); n != nil && ps.err() == nil {
			unplaced(n)
			return n, nil
		}
		return nil, ps.err()
	}
	plain.Tag = "!!str"
	return plain, nil
}

// unplaced forgets the lines of a value that is no part of a file.
func unplaced(n *yaml.Node) {
	n.Line, n.Column = 0, 0
	for _, c := range n.Content {
		unplaced(c)
	}
}
