package gate

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/artifactctl/artifactctl/internal/artifact"
)

func TestDocuments(t *testing.T) {
	tests := []struct {
		name, content string
		offsets       []int
	}{
		{"one", "a: 1\n", []int{0}},
		{"two", "a: 1\n---\nb: 2\n", []int{0, 1}},
		{"separator first", "---\na: 1\n--- # second\nb: 2", []int{0, 0, 2}},
		{"end of document", "a: 1\n...\nb: 2\n...\n---\nc: 3\n", []int{0, 2, 4, 4}},
		{"no separator", "a: |\n  ---\n  x\n-----BEGIN\n", []int{0}},
		{"carriage returns", "a: 1\r\n---\r\nb: 2\r\n", []int{0, 1}},
		{"empty", "", []int{0}},
	}
	for _, test := range tests {
		var joined []byte
		var offsets []int
		for _, d := range documents([]byte(test.content)) {
			joined = append(joined, d.raw...)
			offsets = append(offsets, d.offset)
		}
		if string(joined) != test.content {
			t.Errorf("%s: together they are %q", test.name, joined)
		}
		if len(offsets) != len(test.offsets) {
			t.Errorf("%s: got offsets %v, want %v", test.name, offsets, test.offsets)
			continue
		}
		for i, want := range test.offsets {
			if offsets[i] != want {
				t.Errorf("%s: got offsets %v, want %v", test.name, offsets, test.offsets)
			}
		}
	}
}

func TestLines(t *testing.T) {
	content := "# head\n---\n" + deployment + "---\nkind: X\nref: &a {b: {c: 1}}\nother: *a\n"
	objects, problems := parse("m.yaml", []byte(content))
	if len(objects) != 2 || len(problems) != 0 {
		t.Fatalf("%d objects, %v", len(objects), problems)
	}
	tests := []struct {
		object int
		at     []string
		want   int
	}{
		{0, nil, 3},
		{0, []string{"metadata", "name"}, 5},
		{0, []string{"spec", "replicas"}, 7},
		{0, []string{"spec", "template", "containers", "0", "image"}, 12},
		{0, []string{"spec", "template", "containers", "7", "image"}, 10},
		{0, []string{"spec", "nothing", "below"}, 6},
		{1, []string{"other", "b", "c"}, 15},
		{1, []string{"kind", "no", "mapping"}, 14},
	}
	for _, test := range tests {
		if got := objects[test.object].line(test.at); got != test.want {
			t.Errorf("%v: got line %d, want %d", test.at, got, test.want)
		}
	}
	if got := objectAt(objects, 9); got != "Deployment/web/api" {
		t.Errorf("at line 9 is %q", got)
	}
	if got := objectAt(objects, 1); got != "" {
		t.Errorf("at line 1 is %q", got)
	}
}

func TestStream(t *testing.T) {
	s := newStream(artifact.Files{"b.yaml": []byte("b: 1\nbb: 2\n"), "a.yaml": []byte("a: 1"), "c.txt": []byte("c")})
	if want := "a: 1\n---\nb: 1\nbb: 2\n"; string(s.content) != want {
		t.Errorf("got %q, want %q", s.content, want)
	}
	for line, want := range map[int]struct {
		file string
		line int
	}{1: {"a.yaml", 1}, 3: {"b.yaml", 1}, 4: {"b.yaml", 2}, 0: {"", 0}} {
		if file, n := s.place(line); file != want.file || n != want.line {
			t.Errorf("line %d: got %s:%d", line, file, n)
		}
	}
	single := []byte("---\na: 1\n\n")
	if s := newStream(artifact.Files{"a.yaml": single}); !bytes.Equal(s.content, single) {
		t.Errorf("a single file became %q", s.content)
	}
}

// Whatever is parsed, nothing panics, lines lie in the file, and the objects are those that a YAML decoder sees.
func FuzzParse(f *testing.F) {
	f.Add([]byte(configMap + "---\n" + deployment))
	f.Add([]byte("apiVersion: v1\nkind: List\nitems:\n- &a {kind: X}\n- *a\n"))
	f.Add([]byte("a: 1\n...\nb: 2\n"))
	f.Add([]byte("a: &a [*a]\n---\n? [x]\n: y\n... \n--- |\n  x\n"))
	f.Fuzz(func(t *testing.T, content []byte) {
		objects, problems := parse("m.yaml", content)
		last := bytes.Count(content, []byte("\n")) + 1
		for _, o := range objects {
			if line := o.line([]string{"spec", "0", "x"}); line < 1 || line > last {
				t.Errorf("%s is at line %d of %d", o.title(), line, last)
			}
		}
		definitions(artifact.Files{"m.yaml": content})
		if len(problems) > 0 || bytes.Contains(content, []byte("items")) {
			return
		}
		decoder, count := yaml.NewDecoder(bytes.NewReader(content)), 0
		for {
			var node yaml.Node
			err := decoder.Decode(&node)
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return
			}
			if len(node.Content) > 0 && node.Content[0].Kind == yaml.MappingNode {
				count++
			}
		}
		if count > len(objects) {
			t.Errorf("%d objects, a decoder sees %d", len(objects), count)
		}
	})
}
