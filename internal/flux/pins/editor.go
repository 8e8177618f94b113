package pins

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"github.com/aymanbagabas/go-udiff"
	"go.yaml.in/yaml/v3"

	"github.com/artifactctl/artifactctl/internal/flux/manifest"
)

// editor edits one file.
type editor struct {
	file    manifest.File
	wanted  map[string]Pin
	options Options
	result  *Result
	seen    map[string]bool
	splices []splice
}

// splice replaces bytes of the file; an empty range inserts.
type splice struct {
	start, end int
	text       string
}

// errUnsafe is why a value cannot be edited by its bytes.
type errUnsafe string

func (e errUnsafe) Error() string { return string(e) }

func (e *editor) edit() error {
	docs, _ := manifest.Documents(e.file)
	for i := range docs {
		for _, o := range docs[i].Objects() {
			e.object(o)
		}
	}
	if len(e.splices) == 0 {
		return nil
	}
	slices.SortFunc(e.splices, func(a, b splice) int { return a.start - b.start })
	var b bytes.Buffer
	pos := 0
	for _, s := range e.splices {
		if s.start < pos {
			return errors.New("two changes meet in one place") // two objects share a ref: anchors are refused before
		}
		b.Write(e.file.Content[pos:s.start])
		b.WriteString(s.text)
		pos = s.end
	}
	b.Write(e.file.Content[pos:])
	edited := manifest.File{Path: e.file.Path, Content: b.Bytes()}
	e.result.Diff += udiff.Unified("a/"+e.file.Path, "b/"+e.file.Path, string(e.file.Content), b.String())
	e.result.Files = append(e.result.Files, edited)
	return e.check(edited)
}

// check reads the edited file and refuses it when any object says something else than was planned: a file is rather left
// alone than damaged.
func (e *editor) check(edited manifest.File) error {
	before, _ := manifest.Read([]manifest.File{e.file})
	after, _ := manifest.Read([]manifest.File{edited})
	if len(before) != len(after) {
		return errors.New("the edited file would hold other objects: it is left as it is")
	}
	for i := range before {
		was, _ := pinOf(before[i])
		is, _ := pinOf(after[i])
		for _, c := range e.result.Changes {
			if c.File != was.File || c.Object != was.Object || normal(c.Repository) != normal(was.Repository) {
				continue
			}
			if c.Field == "digest" && is.Digest != c.To || c.Field == "tag" && is.Tag != c.To {
				return fmt.Errorf("the edited file would not say %s %s for %s: it is left as it is", c.Field, c.To, c.Object)
			}
		}
		if is.Repository != was.Repository || before[i].ID() != after[i].ID() {
			return fmt.Errorf("the edited file would hold another %s: it is left as it is", was.Object)
		}
	}
	return nil
}

// object edits one object, or notes why it does not.
func (e *editor) object(o manifest.Object) {
	f, ok := pinOf(o)
	if !ok {
		return
	}
	if f.Repository == "" {
		e.skip(f, "its url has a variable: which repository it is cannot be told")
		return
	}
	pin, ok := e.wanted[normal(f.Repository)]
	if !ok {
		return
	}
	e.seen[normal(f.Repository)] = true
	if !isOCIRepository(o) {
		if f.Digest != pin.Digest && (f.Tag == "" || f.Tag != pin.tagFor(f.Tag)) {
			e.skip(f, "a FluxInstance is not edited: change spec.sync.ref by hand")
		}
		return
	}
	changes, splices, err := e.plan(o, f, pin)
	switch {
	case err != nil:
		e.skip(f, err.Error())
	case len(changes) == 0:
		e.result.Current = append(e.result.Current, f)
	default:
		e.result.Changes = append(e.result.Changes, changes...)
		e.splices = append(e.splices, splices...)
	}
}

func (e *editor) skip(f Found, reason string) {
	e.result.Skipped = append(e.result.Skipped, Skip{File: f.File, Line: f.Line, Object: f.Object, Repository: f.Repository, Reason: reason})
}

// plan says which values of an object change.
func (e *editor) plan(o manifest.Object, f Found, pin Pin) ([]Change, []splice, error) {
	ref, err := direct(o.Node, "spec", "ref")
	if err != nil {
		return nil, nil, err
	}
	if ref == nil || ref.Kind != yaml.MappingNode || len(ref.Content) == 0 {
		return nil, nil, errUnsafe("it has no ref and follows the tag latest: add one by hand")
	}
	p := planner{object: o, found: f, ref: ref}
	tag := pin.tagFor(f.Tag)
	tagged, ranged, pinned := p.has("tag"), p.has("semver"), p.has("digest")
	switch {
	case pinned && pin.Digest == "":
		return nil, nil, errUnsafe("it is pinned by digest, and the pin has only a tag")
	case pinned:
		p.set("digest", pin.Digest)
	case ranged && !e.options.Semver:
		return nil, nil, errUnsafe(fmt.Sprintf("it follows the versions %s", f.describe()))
	case ranged && pin.Digest != "":
		p.rename("semver", "digest", pin.Digest)
	case ranged && tag == "":
		return nil, nil, errUnsafe(fmt.Sprintf("it follows the versions %s, and the pin has neither a tag nor a digest for it", f.describe()))
	case ranged && tagged:
		return nil, nil, errUnsafe("it has a range of versions and a tag: remove one by hand")
	case ranged:
		p.rename("semver", "tag", tag)
		tagged = false
	case e.options.Form == ByDigest && pin.Digest == "":
		return nil, nil, errUnsafe("it should name a digest, and the pin has only a tag")
	case e.options.Form == ByDigest:
		p.insert("digest", pin.Digest, "tag")
	case tag == "":
		return nil, nil, errUnsafe(fmt.Sprintf("it follows the tag %s, and the pin has only a digest", f.Tag))
	}
	if tagged && tag != "" {
		p.set("tag", tag)
	}
	return p.changes, p.splices, p.err
}

// direct returns the value at a path of keys and refuses what stands elsewhere or twice in the text.
func direct(n *yaml.Node, path ...string) (*yaml.Node, error) {
	for _, key := range path {
		var found *yaml.Node
		for i := 0; i+1 < len(n.Content); i += 2 {
			switch k := n.Content[i]; {
			case k.Tag == "!!merge":
				return nil, errUnsafe("it merges other mappings (<<)")
			case k.Value == key && found != nil:
				return nil, errUnsafe("it has " + key + " twice")
			case k.Value == key:
				found = n.Content[i+1]
			}
		}
		if found == nil {
			return nil, nil
		}
		if err := plain(found); err != nil {
			return nil, err
		}
		n = found
	}
	return n, nil
}

// plain refuses nodes whose text serves other places, too.
func plain(n *yaml.Node) error {
	switch {
	case n.Kind == yaml.AliasNode:
		return errUnsafe("its ref is an alias (*" + n.Value + "): change what it stands for by hand")
	case n.Anchor != "":
		return errUnsafe("its ref has an anchor (&" + n.Anchor + ") that other places may use")
	}
	return nil
}
