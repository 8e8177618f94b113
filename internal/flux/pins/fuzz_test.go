package pins_test

import (
	"bytes"
	"reflect"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/artifactctl/artifactctl/internal/flux/manifest"
	"github.com/artifactctl/artifactctl/internal/flux/pins"
)

// Whatever the file, the edited one parses to the same but for the pins' values, the number of changes is the number of
// values that differ, and a second edit changes nothing.
func FuzzEdit(f *testing.F) {
	for _, spec := range []string{
		"  ref:\n    tag: edge # why\n", "  ref: {tag: 'edge', digest: \"" + oldDigest + "\"}\n", "  ref: &a {tag: edge}\n  x: *a\n",
		"  ref:\r\n    semver: '>=1'\r\n", "  # ü\u2028\n  ref: {a: \"\u0085\", tag: x}\n", "  ref:\n    tag: |\n      edge\n", "  ref: {}\n",
	} {
		f.Add([]byte(object(spec)+"---\n"+object(spec)), false, false)
		f.Add([]byte("\ufeff"+object(spec)), true, true)
	}
	f.Fuzz(func(t *testing.T, content []byte, byDigest, semver bool) {
		o := pins.Options{Semver: semver}
		if byDigest {
			o.Form = pins.ByDigest
		}
		before := manifest.File{Path: "x.yaml", Content: content}
		r, err := pins.Edit([]manifest.File{before}, []pins.Pin{web}, o)
		if err != nil {
			t.Skip(err) // it refuses the file as a whole
		}
		if len(r.Files) == 0 {
			if len(r.Changes) > 0 {
				t.Fatalf("changes without a file: %+v", r.Changes)
			}
			return
		}
		if bytes.Equal(r.Files[0].Content, content) {
			t.Fatal("a changed file is the same")
		}
		old, now := values(before), values(r.Files[0])
		if !reflect.DeepEqual(old, now) {
			t.Fatalf("more than pins changed:\n%q\n%q\n%v\n%v", content, r.Files[0].Content, old, now)
		}
		again, err := pins.Edit(r.Files, []pins.Pin{web}, o)
		if err != nil || len(again.Changes) > 0 {
			t.Fatalf("a second time: %+v, %v\n%q", again, err, r.Files[0].Content)
		}
	})
}

// values returns all documents without the values of pins: what must stay, comments included.
func values(f manifest.File) []string {
	docs, _ := manifest.Documents(f)
	var all []string
	for i := range docs {
		for _, o := range docs[i].Objects() {
			ref := manifest.Get(o.Node, "spec", "ref")
			if ref == nil || ref.Kind != yaml.MappingNode {
				continue
			}
			var kept []*yaml.Node
			for j := 0; j+1 < len(ref.Content); j += 2 {
				switch ref.Content[j].Value {
				case "tag", "digest", "semver":
				default:
					kept = append(kept, ref.Content[j], ref.Content[j+1])
				}
			}
			ref.Content, ref.HeadComment, ref.LineComment, ref.FootComment = kept, "", "", ""
		}
		var text bytes.Buffer
		dump(&text, docs[i].Root, 0)
		all = append(all, text.String())
	}
	return all
}

func dump(b *bytes.Buffer, n *yaml.Node, depth int) {
	if depth > 100 {
		return
	}
	b.WriteString(n.Tag + " " + n.Value + " " + n.Anchor + " " + n.HeadComment + n.LineComment + n.FootComment + "\n")
	for _, c := range n.Content {
		dump(b, c, depth+1)
	}
}
