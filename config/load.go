package config

import (
	"fmt"
	"reflect"

	"github.com/knadh/koanf/providers/confmap"
	"github.com/knadh/koanf/v2"
	"go.yaml.in/yaml/v3"
)

// loader is the state of one Load.
type loader struct {
	file, dir string
	environ   map[string]string
	problems  problems
	warnings  problems

	environments map[string]bool // names of all environments in the file
}

func (l *loader) lookup(name string) (string, bool) {
	value, ok := l.environ[name]
	return value, ok
}

func (l *loader) load(data []byte, env string, set []Override) (*Config, error) {
	root := l.document(data)
	if root == nil {
		return nil, l.problems.err()
	}
	root, overlays := l.splitEnvironments(root)
	file := l.fileLayer(root)
	environments := l.environmentLayers(overlays, env)
	over := []layer{l.variableLayer(), l.flagLayer(set)}

	layers := []layer{file}
	if env != "" {
		chosen, ok := environments[env]
		if !ok {
			l.unknownEnvironment(env, root, overlays, environments)
		}
		layers = append(layers, chosen)
	}
	e, err := l.merge(append(layers, over...))
	if err != nil {
		return nil, err
	}
	e.required(e.values, reflect.TypeFor[Publish](), place{})
	e.resolveApps(l.dir)
	e.check()
	if err := l.others(file, environments, env, e.apps); err != nil {
		return nil, err
	}
	if err := l.problems.err(); err != nil {
		return nil, err
	}
	return l.config(e, env, environments), nil
}

// config puts together what was loaded without a problem.
func (l *loader) config(e *effective, env string, environments map[string]layer) *Config {
	c := &Config{Publish: e.publish, File: l.file, Dir: l.dir, Env: env, Fleet: e.apps, effective: e}
	_ = l.warnings.err() // sorts
	c.Warnings = l.warnings.list
	c.Environments = map[string]Environment{}
	for name, layer := range environments {
		var overlay Environment
		if decode(layer.values, &overlay) == nil {
			c.Environments[name] = overlay
		}
	}
	for branch, tag := range c.Tags.Rolling {
		if tag == "" {
			delete(c.Tags.Rolling, branch)
		}
	}
	return c
}

// document parses the file and looks at its version, before anything else in it is judged.
func (l *loader) document(data []byte) *yaml.Node {
	raw := parse(l.file, data, &l.problems)
	if raw == nil || !l.versionIsKnown(raw) {
		return nil
	}
	return flatten(l.file, raw, &l.problems)
}

func (l *loader) versionIsKnown(root *yaml.Node) bool {
	p := Problem{File: l.file, Line: root.Line, Column: root.Column, Hint: "write version: v1 as the first line"}
	if root.Kind != yaml.MappingNode {
		p.Message, p.Hint = "the file must hold a map, is "+describe(root), "artifactctl init writes a file to start from"
		l.problems.add(p)
		return false
	}
	p.Path = "version"
	for i := 0; i+1 < len(root.Content); i += 2 {
		if root.Content[i].Value != "version" {
			continue
		}
		v := resolve(root.Content[i+1])
		if v.Kind == yaml.ScalarNode && v.Value == "v1" {
			return true
		}
		p.Line, p.Column, p.Message = v.Line, v.Column, "this version is not supported; this artifactctl reads v1"
		p.Hint = "write version: v1, or use the artifactctl that the file was written for"
		l.problems.add(p)
		return false
	}
	p.Message = "the version is missing"
	l.problems.add(p)
	return false
}

// splitEnvironments takes the overlays out of the file, as they are layers of their own.
func (l *loader) splitEnvironments(root *yaml.Node) (rest, overlays *yaml.Node) {
	rest = shell(root)
	for i := 0; i+1 < len(root.Content); i += 2 {
		if root.Content[i].Value == "environments" {
			overlays = root.Content[i+1]
			continue
		}
		rest.Content = append(rest.Content, root.Content[i], root.Content[i+1])
	}
	return rest, overlays
}

func (l *loader) walker(from Origin) *walker {
	w := &walker{problems: &l.problems, warnings: &l.warnings, from: from}
	w.start()
	return w
}

func (l *loader) fileLayer(root *yaml.Node) layer {
	w := l.walker(Origin{Kind: FromFile, File: l.file})
	w.lookup = l.lookup
	if v, ok := w.value(root, field{typ: reflect.TypeFor[Publish]()}, place{}); ok {
		w.values = v.(map[string]any)
	}
	return w.layer
}

// environmentLayers walks every overlay. Only in the chosen one an unset variable is a problem.
func (l *loader) environmentLayers(overlays *yaml.Node, chosen string) map[string]layer {
	out := map[string]layer{}
	if overlays == nil {
		return out
	}
	names := l.walker(Origin{Kind: FromFile, File: l.file})
	at := place{"environments", "environments"}
	if isNull(overlays) || !names.want(overlays, yaml.MappingNode, "a map", at) {
		if isNull(overlays) {
			names.refuse(overlays, at, "", "there is no value; give one, or remove the key")
		}
		return out
	}
	for i := 0; i+1 < len(overlays.Content); i += 2 {
		key := overlays.Content[i]
		name := resolve(key).Value
		if !names.key(key, name, field{keys: "environment"}, at.member(name)) {
			continue
		}
		l.environments[name] = true
		w := l.walker(Origin{Kind: FromEnvironment, Name: name, File: l.file})
		w.lookup, w.lenient = l.lookup, name != chosen
		v, ok := w.value(overlays.Content[i+1], field{typ: reflect.TypeFor[Environment]()}, place{"", member("environments", name)})
		if ok {
			w.values = v.(map[string]any)
		}
		out[name] = w.layer
	}
	return out
}

func (l *loader) unknownEnvironment(env string, root, overlays *yaml.Node, known map[string]layer) {
	at := root
	if overlays != nil {
		at = overlays
	}
	message := fmt.Sprintf("there is no environment %q%s", env, listed("; there are ", keysOf(known)))
	l.problems.add(Problem{File: l.file, Line: at.Line, Column: at.Column, Path: "environments", Message: message,
		Hint: "name one of them by --env, or add it under environments:"})
}

// merge builds the effective configuration of some layers, weakest first.
func (l *loader) merge(layers []layer) (*effective, error) {
	t := reflect.TypeFor[Publish]()
	base := defaults(t)
	dropOverridden(base, layers[0].values, t)
	k := koanf.NewWithConf(koanf.Conf{Delim: "\x00"}) // no key holds this, so dots in keys stay what they are
	for _, values := range append([]map[string]any{base}, valuesOf(layers)...) {
		if err := k.Load(confmap.Provider(values, ""), nil); err != nil {
			return nil, fmt.Errorf("merge the configuration: %w", err)
		}
	}
	e := &effective{loader: l, layers: layers, values: k.Raw()}
	fill(e.values, t)
	if err := decode(e.values, &e.publish); err != nil {
		return nil, fmt.Errorf("read the configuration: %w", err)
	}
	return e, nil
}

func valuesOf(layers []layer) []map[string]any {
	out := make([]map[string]any, len(layers))
	for i, l := range layers {
		out[i] = l.values
	}
	return out
}

// mergeInto merges maps as koanf merges layers.
func mergeInto(dst, src map[string]any) {
	for key, value := range src {
		below, isMap := value.(map[string]any)
		if own, ok := dst[key].(map[string]any); ok && isMap {
			mergeInto(own, below)
			continue
		}
		dst[key] = value
	}
}

// decode turns merged values into the struct tree.
func decode(values map[string]any, into any) error {
	k := koanf.New("\x00")
	if err := k.Load(confmap.Provider(values, ""), nil); err != nil {
		return err
	}
	return k.Unmarshal("", into)
}

// others checks the overlays that were not asked for, as far as they need no variable that is not set.
func (l *loader) others(file layer, environments map[string]layer, chosen string, apps []App) error {
	for _, name := range keysOf(environments) {
		if name == chosen || environments[name].unset || file.unset {
			continue
		}
		e, err := l.merge([]layer{file, environments[name]})
		if err != nil {
			return err
		}
		e.apps = apps
		e.check()
	}
	return nil
}
