package inputs

import (
	"crypto/sha256"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func TestRecordsComeBack(t *testing.T) {
	for _, record := range [][]Input{
		{},
		{{Path: ".", Kind: Directory, Target: "."}},
		{
			{Path: "a/kustomization.yaml", Kind: File, Target: "a/kustomization.yaml", Read: true, Sum: sha256.Sum256([]byte("x"))},
			{Path: "a/kustomization.yml", Kind: Absent},
			{Path: "a\xff\n\"", Kind: NotDirectory}, {Path: strings.Repeat("x", 300), Kind: TooLong},
			{Path: "link", Kind: File, Target: "a/b", Read: true}, {Path: "dir", Kind: Directory, Target: "b"},
			{Path: "pipe", Kind: File, Target: "pipe"},
		},
	} {
		got, err := Decode(Encode(record))
		if err != nil || len(got) != len(record) || len(got) > 0 && !reflect.DeepEqual(got, record) {
			t.Errorf("got %+v, %v, want %+v", got, err, record)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(Encode([]Input{{Path: "a", Kind: File, Target: "b", Read: true}, {Path: "c", Kind: Absent}}))
	f.Add([]byte{2, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1})
	f.Fuzz(func(t *testing.T, data []byte) {
		record, err := Decode(data)
		if err != nil {
			return
		}
		again, err := Decode(Encode(record))
		if err != nil || len(again) != len(record) {
			t.Fatalf("got %+v, %v, want %+v", again, err, record)
		}
	})
}

// tree writes files (name → content; "-> target" is a link; "" below a name that ends in "/" is a directory).
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, content := range files {
		path := filepath.Join(root, filepath.FromSlash(name))
		err := os.MkdirAll(filepath.Dir(path), 0o777)
		if target, link := strings.CutPrefix(content, "-> "); link {
			err = errors.Join(err, os.Symlink(strings.ReplaceAll(target, "ROOT", root), path))
		} else if !strings.HasSuffix(name, "/") {
			err = errors.Join(err, os.WriteFile(path, []byte(content), 0o666))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func TestHolds(t *testing.T) {
	root := tree(t, map[string]string{
		"a/x": "content", "a/link": "-> x", "b": "-> a", "c": "-> b", "out": "-> ../elsewhere", "hang": "-> nowhere",
		"loop": "-> loop", "abs": "-> ROOT/a/x",
	})
	sum := sha256.Sum256([]byte("content"))
	for in, want := range map[*Input]bool{
		{Path: ".", Kind: Directory, Target: "."}:                                true,
		{Path: "a", Kind: Directory, Target: "a"}:                                true,
		{Path: "a", Kind: File, Target: "a"}:                                     false,
		{Path: "a", Kind: Absent}:                                                false,
		{Path: "a/x", Kind: File, Target: "a/x"}:                                 true,
		{Path: "a/x", Kind: File, Target: "a/x", Read: true, Sum: sum}:           true,
		{Path: "a/x", Kind: File, Target: "a/x", Read: true}:                     false,
		{Path: "a/x", Kind: Directory, Target: "a/x"}:                            false,
		{Path: "a/link", Kind: File, Target: "a/x", Read: true, Sum: sum}:        true,
		{Path: "a/link", Kind: File, Target: "a/link", Read: true, Sum: sum}:     false,
		{Path: "b/x", Kind: File, Target: "a/x", Read: true, Sum: sum}:           true,
		{Path: "c/link", Kind: File, Target: "a/x", Read: true, Sum: sum}:        true,
		{Path: "c/link", Kind: File, Target: "b/x", Read: true, Sum: sum}:        false,
		{Path: "c", Kind: Directory, Target: "a"}:                                true,
		{Path: "c", Kind: Directory, Target: "b"}:                                false,
		{Path: "abs", Kind: File, Target: "a/x", Read: true, Sum: sum}:           true,
		{Path: "a/y", Kind: Absent}:                                              true,
		{Path: "no/where/at/all", Kind: Absent}:                                  true,
		{Path: "a/x/y", Kind: NotDirectory}:                                      true,
		{Path: "a/x/y/z", Kind: NotDirectory}:                                    true,
		{Path: "a/x/y", Kind: Absent}:                                            false,
		{Path: "hang", Kind: Absent}:                                             true,
		{Path: "hang/x", Kind: Absent}:                                           true,
		{Path: strings.Repeat("x", 300), Kind: TooLong}:                          true,
		{Path: "a/" + strings.Repeat("x", 300) + "/y", Kind: TooLong}:            true,
		{Path: "out", Kind: Unknown}:                                             false,
		{Path: "loop", Kind: Unknown}:                                            false,
		{Path: "loop", Kind: Absent}:                                             false,
		{Path: "../" + filepath.Base(root) + "/a", Kind: Directory, Target: "a"}: false,
	} {
		s, err := NewSnapshot(root)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 { // the second answer is remembered
			if got := s.Holds([]Input{*in}); got != want {
				t.Errorf("%+v holds: %t", *in, got)
			}
		}
	}
	if _, err := NewSnapshot(filepath.Join(root, "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

func TestSetOfLinks(t *testing.T) {
	root := tree(t, map[string]string{
		"real/x": "", "one": "-> two", "two": "-> ROOT/three", "three": "-> ./real/../real", "out": "-> /", "back": "-> ../../x",
		"loop": "-> loop/x",
	})
	s, err := NewSnapshot(root)
	if err != nil {
		t.Fatal(err)
	}
	set, err := s.Set([]Input{{Path: "one/x", Kind: File, Target: "real/x"}, {Path: "one/y/z", Kind: Absent}})
	if got, want := strings.Join(set.Paths(), " "), "one one/x one/y/z real/x three two"; err != nil || got != want {
		t.Errorf("got %q, %v", got, err)
	}
	for changed, want := range map[string]bool{"two": true, "three": true, "real": true, "one/y": true, "real/x": true, "real/y": false, "thr": false} {
		if set.Touched(changed) != want {
			t.Errorf("%s: not %t", changed, want)
		}
	}
	for _, path := range []string{"out/x", "back/x", "loop"} {
		if set, err := s.Set([]Input{{Path: path, Kind: Absent}}); err == nil {
			t.Errorf("%s: got %q", path, set.Paths())
		}
		if set, err := s.Directory(path); err == nil {
			t.Errorf("%s: got %q", path, set.Paths())
		}
	}
	if set, err := s.Directory("one"); err != nil || !set.Touched("real/new") || !set.Touched("two") || set.Touched("new") {
		t.Errorf("got %q, %v", set.Paths(), err)
	}
	if new(Set).Touched("x") {
		t.Error("nothing is touched")
	}
}
