package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
	"go.yaml.in/yaml/v3"
)

// FuzzLoad feeds files to the loader. It must answer, either with a usable configuration or with problems that all have
// a message and a place that exists.
func FuzzLoad(f *testing.F) {
	bad, err := filepath.Glob("testdata/bad/*.txtar")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range bad {
		archive, err := txtar.ParseFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(archive.Files[0].Data)
	}
	good, err := filepath.Glob("testdata/good/*.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range good {
		content, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(content)
	}
	dir := tree(f, "")
	f.Fuzz(func(t *testing.T, data []byte) {
		o := Options{File: "-", Stdin: strings.NewReader(string(data)), Dir: dir, Environ: []string{"A=b"}}
		c, err := Load(o)
		if err != nil {
			checkProblems(t, data, err)
			return
		}
		view, err := c.View(true)
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range c.Fleet {
			if rel, err := filepath.Rel(dir, a.Dir); err != nil || !filepath.IsLocal(rel) {
				t.Errorf("app %s is at %s", a.Name, a.Dir)
			}
		}
		if len(view) == 0 {
			t.Error("nothing to view")
		}
	})
}

func checkProblems(t *testing.T, data []byte, err error) {
	t.Helper()
	e, ok := errors.AsType[*Invalid](err)
	if !ok || len(e.Problems) == 0 {
		t.Fatalf("no Invalid with problems: %v", err)
	}
	lines := strings.Count(string(data), "\n") + strings.Count(string(data), "\r") + 2
	for _, p := range e.Problems {
		if p.Message == "" || p.File == "" || p.Line < 0 || p.Line > lines || p.Line > 0 && p.Column < 1 {
			t.Errorf("bad problem %+v", p)
		}
	}
}

// FuzzSecrets puts a secret with anything around it where secrets do not belong, and looks for it in what is printed.
func FuzzSecrets(f *testing.F) {
	const secret = "S3cr3tV4lue"
	places := []string{
		"version: v1\nregistry: {url: oci://h/r, credentials: {username: env://U, password: %s}}\napps: [{path: apps/one}]\n",
		"version: v1\nregistry: {url: oci://h/r, credentials: {username: %s, password: env://P}}\napps: [{path: apps/one}]\n",
		"version: v1\nregistry: {url: %s}\napps: [{path: apps/one}]\n",
		"version: v1\nregistry: {url: oci://h/r}\napps: [{path: apps/one}]\nsigners: {f: {plugin: p, with: {password: %s}}}\n",
		"version: v1\nregistry: {url: oci://h/r}\napps: [{path: apps/one}]\nsigners: {f: {plugin: p, env: [%s]}}\n",
		"version: v1\nregistry: {url: oci://h/r}\napps: [{path: apps/one}]\nenvironments: {e: {registry: {credentials: {username: %s}}}}\n",
	}
	for place := range places {
		for _, around := range [][2]string{{"", ""}, {"oci://bob:", "@host/x"}, {"oci://bob:a/", "@host"}, {"https://u:", "@h"}, {"NAME=", ""}, {"-----BEGIN PRIVATE KEY-----", "\n"}} {
			f.Add(uint8(place), around[0], around[1])
		}
	}
	dir := tree(f, "")
	f.Fuzz(func(t *testing.T, place uint8, before, after string) {
		if strings.Contains(before, "${") {
			t.Skip("the name of a variable is no secret")
		}
		var n yaml.Node
		n.SetString(before + secret + after)
		n.Style = yaml.DoubleQuotedStyle
		value, err := yaml.Marshal(&n)
		if err != nil {
			t.Skip()
		}
		content := fmt.Sprintf(places[int(place)%len(places)], strings.TrimSpace(string(value)))
		_, err = Load(Options{File: "-", Stdin: strings.NewReader(content), Dir: dir})
		e, ok := errors.AsType[*Invalid](err)
		if !ok {
			return // a place may hold it: as the name of a variable or file, or of a directory
		}
		if text := e.Error() + e.Hint(); strings.Contains(text, secret) {
			t.Errorf("printed:\n%s\nfor\n%s", text, content)
		}
	})
}
