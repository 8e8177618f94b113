package config

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

func TestReferenceResolve(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "token", "hunter2\r\n")
	write(t, dir, "lines", "a\n\n")
	write(t, dir, "empty", "\n")
	write(t, dir, "large", strings.Repeat("x", maxSecret+1))
	lookup := func(name string) (string, bool) {
		value, ok := map[string]string{"TOKEN": "hunter2", "EMPTY": ""}[name]
		return value, ok
	}
	for _, tc := range []struct{ ref, want, wantErr string }{
		{"", "", ""},
		{"env://TOKEN", "hunter2", ""},
		{"file://token", "hunter2", ""},
		{"file://" + filepath.Join(dir, "lines"), "a\n", ""},
		{"env://NONE", "", "resolve env://NONE: the variable is not set"},
		{"env://EMPTY", "", "resolve env://EMPTY: it is empty"},
		{"file://empty", "", "resolve file://empty: it is empty"},
		{"file://none", "", "resolve file://none: no such file or directory"},
		{"file://large", "", "resolve file://large: the file is larger than 64 KiB"},
		{"hunter2", "", "resolve a reference: it is neither env://NAME nor file://PATH"},
		{"env://hunter2 x", "", "resolve a reference: it is neither env://NAME nor file://PATH"},
	} {
		got, err := Reference(tc.ref).Resolve(lookup, dir)
		if text := fmt.Sprint(err); got != tc.want || tc.wantErr != "" && text != tc.wantErr || tc.wantErr == "" && err != nil {
			t.Errorf("%s: got %q, %v; want %q, %s", tc.ref, got, err, tc.want, tc.wantErr)
		}
	}
}

func TestReferenceIsNotPrintedUnlessItIsOne(t *testing.T) {
	c := Credentials{Username: "env://USER", Password: "hunter2"}
	encoded, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	for _, got := range []string{fmt.Sprintf("%v %+v %#v %s %q", c, c, c, c, c), string(encoded)} {
		if strings.Contains(got, "hunter2") || !strings.Contains(got, "env://USER") {
			t.Error(got)
		}
	}
}

func TestInterpolate(t *testing.T) {
	lookup := func(name string) (string, bool) {
		value, ok := map[string]string{"A": "one", "EMPTY": "", "NESTED": "${A}"}[name]
		return value, ok
	}
	for _, tc := range []struct{ text, want, wantErr string }{
		{"plain $ and $A {x}", "plain $ and $A {x}", ""},
		{"${A}-${A}", "one-one", ""},
		{"${NONE:-two} ${EMPTY:-three} ${A:-four} ${NONE:-}", "two three one ", ""},
		{"${EMPTY}", "", ""},
		{"$${A} $$${A} $$", "${A} $${A} $$", ""},
		{"${NESTED}", "${A}", ""},
		{"${NONE}", "", "the variable NONE is not set"},
		{"${A", "", "${ is never closed"},
		{"${}", "", "${…} does not hold the name of a variable, or NAME:-default"},
		{"${A-b}", "", "${…} does not hold the name of a variable, or NAME:-default"},
		{"${NONE:-${A}}", "", "${NONE:-…} holds another ${"},
	} {
		got, err := interpolate(tc.text, lookup)
		if got != tc.want || tc.wantErr != "" && fmt.Sprint(err) != tc.wantErr || tc.wantErr == "" && err != nil {
			t.Errorf("%s: got %q, %v; want %q, %s", tc.text, got, err, tc.want, tc.wantErr)
		}
	}
}

func TestDidYouMean(t *testing.T) {
	words := []string{"repository", "render", "path", "name"}
	for word, want := range map[string]string{
		"repo": "", "repositry": "repository", "Path": "path", "nam": "name", "x": "", "rendre": "render", "annotations": "",
	} {
		got := didYouMean(word, words)
		if want == "" && got != "" || want != "" && !strings.Contains(got, `"`+want+`"`) {
			t.Errorf("%s: got %q, want %q", word, got, want)
		}
	}
}

func TestSteps(t *testing.T) {
	for path, want := range map[string]string{
		"a": "a", "a.b.c": "a|b|c", `a["x.y/z"].b`: "a|x.y/z|b", `["k"]`: "k",
		"": "-", ".": "-", "a.": "-", "a..b": "-", "a[": "-", `a["`: "-", `a[""]`: "-", "a[0]": "-", "a b": "-",
	} {
		got := "-"
		if s := steps(path); s != nil {
			got = strings.Join(s, "|")
		}
		if got != want {
			t.Errorf("%q: got %s, want %s", path, got, want)
		}
	}
}
