package manifest

import (
	"path"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Patch is a change that a kustomization makes to objects when it is built: a strategic-merge patch or a list of JSON
// patch operations (RFC 6902), in a file of its own or inline.
type Patch struct {
	File string
	Line int
	// Kind and Name select the objects, as regular expressions that match all of the text. Empty is any.
	Kind, Name string
	// Body is the partial object, or the sequence of operations.
	Body *yaml.Node
	// By is the kustomization that applies it, empty for a document that nothing in the files names.
	By string
}

// Patches finds the patches in files: those of kustomizations, of Flux's own Kustomizations and FluxInstances, and
// documents that look like one. A partial OCIRepository, one without a url, is a patch and not a source.
func Patches(files []File) []Patch {
	var patches []Patch
	used := map[string]bool{} // files that a kustomization names as patches
	byPath, documents := map[string]File{}, make([][]Document, len(files))
	for i, f := range files {
		byPath[f.Path] = f
		documents[i], _ = Documents(f)
	}
	for n, f := range files {
		docs := documents[n]
		for i := range docs {
			for _, o := range docs[i].Objects() {
				patches = append(patches, declared(o, byPath, used)...)
			}
			if isKustomization(f, docs[i].Root) { // its kind may be left out
				o := Object{File: f.Path, Line: docs[i].Line, Kind: "Kustomization", Node: docs[i].Root, Document: &docs[i]}
				patches = append(patches, declared(o, byPath, used)...)
			}
		}
	}
	for i, f := range files {
		if !used[f.Path] {
			patches = append(patches, loose(f, documents[i])...)
		}
	}
	return patches
}

func isKustomization(f File, root *yaml.Node) bool {
	switch path.Base(f.Path) {
	case "kustomization.yaml", "kustomization.yml", "Kustomization":
		return root.Kind == yaml.MappingNode && Text(root, "kind") == ""
	}
	return false
}

// declared returns the patches that a kustomization names.
func declared(o Object, files map[string]File, used map[string]bool) []Patch {
	var lists [][]*yaml.Node
	switch {
	case o.Kind == "Kustomization" && o.Group() == "kustomize.toolkit.fluxcd.io":
		lists = append(lists, Items(o.Node, "spec", "patches"))
	case o.Kind == "FluxInstance":
		lists = append(lists, Items(o.Node, "spec", "kustomize", "patches"))
	case o.Kind == "Kustomization" || o.Kind == "Component":
		lists = append(lists, Items(o.Node, "patches"), Items(o.Node, "patchesJson6902"), Items(o.Node, "patchesStrategicMerge"))
	default:
		return nil
	}
	var patches []Patch
	for _, list := range lists {
		for _, item := range list {
			patches = append(patches, entry(o, item, files, used)...)
		}
	}
	return patches
}

// entry reads one item of a list of patches: {target, patch | path}, or the path or text alone.
func entry(o Object, item *yaml.Node, files map[string]File, used map[string]bool) []Patch {
	kind, name := Text(item, "target", "kind"), Text(item, "target", "name")
	text, file := Get(item, "patch"), Text(item, "path")
	if item.Kind == yaml.ScalarNode {
		if strings.ContainsAny(item.Value, "\n{") {
			text = item
		} else {
			file = item.Value
		}
	}
	if file != "" {
		at := path.Join(path.Dir(o.File), file)
		f, ok := files[at]
		if !ok {
			return nil
		}
		used[at] = true
		return bodies(f, kind, name, o.ID())
	}
	if text == nil || text.Kind != yaml.ScalarNode {
		return nil
	}
	patches := bodies(File{Path: o.File, Content: []byte(text.Value)}, kind, name, o.ID())
	for i := range patches {
		patches[i].Line = o.LineOf(text)
	}
	return patches
}

// bodies reads a patch's text: each document is one.
func bodies(f File, kind, name, by string) []Patch {
	docs, _ := Documents(f)
	var patches []Patch
	for _, d := range docs {
		p := Patch{File: f.Path, Line: d.Line, Kind: kind, Name: name, Body: d.Root, By: by}
		if p.Kind == "" {
			p.Kind = regexp.QuoteMeta(Text(d.Root, "kind"))
		}
		if p.Name == "" && kind == "" {
			p.Name = regexp.QuoteMeta(Text(d.Root, "metadata", "name"))
		}
		patches = append(patches, p)
	}
	return patches
}

// loose returns the documents of a file that look like patches although no kustomization names them.
func loose(f File, docs []Document) []Patch {
	var patches []Patch
	for i := range docs {
		d := &docs[i]
		if d.Root.Kind == yaml.SequenceNode && len(operations(d.Root)) > 0 {
			patches = append(patches, Patch{File: f.Path, Line: d.Line, Body: d.Root})
		}
		for _, o := range d.Objects() {
			if o.IsPartial() {
				patches = append(patches, Patch{File: f.Path, Line: o.Line, Body: o.Node, Kind: regexp.QuoteMeta(o.Kind), Name: regexp.QuoteMeta(o.Name)})
			}
		}
	}
	return patches
}

// IsPartial reports whether an object of Flux's source group lacks what no source can be without, so that it can only be
// a patch.
func (o Object) IsPartial() bool {
	if o.Group() != "source.toolkit.fluxcd.io" {
		return false
	}
	switch o.Kind {
	case "OCIRepository", "GitRepository", "HelmRepository":
		return Text(o.Node, "spec", "url") == ""
	case "Bucket":
		return Text(o.Node, "spec", "bucketName") == ""
	case "HelmChart":
		return Text(o.Node, "spec", "chart") == ""
	}
	return false
}

// Selects reports whether a patch may apply to an object of this kind and name.
func (p Patch) Selects(kind, name string) bool { return full(p.Kind, kind) && full(p.Name, name) }

func full(pattern, text string) bool {
	if pattern == "" || pattern == text {
		return true
	}
	if !strings.ContainsAny(pattern, `\.+*?()|[]{}^$`) {
		return false
	}
	re, err := regexp.Compile("^(?:" + pattern + ")$")
	return err == nil && re.MatchString(text)
}

// Sets returns what a patch puts at a path below the object, and whether it touches the path at all; a nil node with
// true means that it removes it.
func (p Patch) Sets(path ...string) (*yaml.Node, bool) {
	if p.Body.Kind == yaml.SequenceNode {
		return p.operated(path)
	}
	n := p.Body
	for _, key := range path {
		if n = Get(n, key); n == nil {
			return nil, false
		}
		if Text(n, "$patch") == "delete" || IsNull(n) {
			return nil, true
		}
	}
	return n, true
}

// operated goes through JSON patch operations in order; the last one that touches the path counts.
func (p Patch) operated(path []string) (*yaml.Node, bool) {
	var value *yaml.Node
	touched := false
	for _, op := range operations(p.Body) {
		at := pointer(Text(op, "path"))
		below, ok := within(at, path)
		if !ok {
			continue
		}
		v := Get(op, "value")
		switch {
		case Text(op, "op") == "test":
			continue
		case Text(op, "op") == "remove" && len(at) <= len(path):
			value, touched = nil, true
		case len(at) <= len(path): // the value holds the path
			if v = Get(v, below...); v != nil {
				value, touched = v, true
			}
		default: // something below the path
			touched = true
			if value == nil {
				value = p.Body
			}
		}
	}
	return value, touched
}

// within says whether one of two pointers leads to the other, and what of path is left below at.
func within(at, path []string) ([]string, bool) {
	for i := range min(len(at), len(path)) {
		if at[i] != path[i] {
			return nil, false
		}
	}
	if len(at) < len(path) {
		return path[len(at):], true
	}
	return nil, true
}

// pointer splits a JSON pointer (RFC 6901).
func pointer(text string) []string {
	parts := strings.Split(strings.TrimPrefix(text, "/"), "/")
	for i := range parts {
		parts[i] = strings.ReplaceAll(strings.ReplaceAll(parts[i], "~1", "/"), "~0", "~")
	}
	return parts
}

// operations returns the JSON patch operations of a sequence, none when it is something else.
func operations(n *yaml.Node) []*yaml.Node {
	var ops []*yaml.Node
	for _, item := range n.Content {
		item = Follow(item)
		if Text(item, "op") == "" || !strings.HasPrefix(Text(item, "path"), "/") {
			return nil
		}
		ops = append(ops, item)
	}
	return ops
}

// NameOr returns a name that the patch selects: its own when that is one name, else the given one.
func (p Patch) NameOr(other string) string {
	if plain := strings.ReplaceAll(p.Name, `\`, ""); p.Name != "" && full(p.Name, plain) {
		return plain
	}
	if p.Name == "" || full(p.Name, other) {
		return other
	}
	return ""
}
