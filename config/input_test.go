package config

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
)

const minimal = "version: v1\nregistry: {url: oci-layout:./out}\napps: [{path: apps/one}]\n"

func TestLoadRefusesWhatIsNoText(t *testing.T) {
	for _, tc := range []struct{ name, content, want string }{
		{"control character", minimal + "annotations: {a: \"x\x07\"}\n", "publish.yaml:4:20: there is a control character, U+0007"},
		{"binary", "\x7fELF\x02\x01", "publish.yaml:1:1: there is a control character, U+007F"},
		{"no UTF-8", "version: v1\n# caf\xe9\n", "publish.yaml:2:6: the file is not UTF-8 text"},
		{"UTF-16", "\xff\xfev\x001\x00", "publish.yaml:1:1: the file is not UTF-8 text"},
		{"nothing", "", "publish.yaml:1:1: the file is empty"},
		{"values below a long key", minimal + "signers:\n  f:\n    plugin: p\n    with:\n      ? " + strings.Repeat("k", 100_000) + "\n      : [" + strings.Repeat("a,", 2000) + "]\n", "publish.yaml:9:1348: the file has too many values below long keys"},
		{"too large", minimal + "#" + strings.Repeat("x", 1<<20), "publish.yaml: larger than 1 MiB"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := fromTree(t, tc.content, Options{})
			if got := invalid(t, err); got != tc.want {
				t.Errorf("got %s, want %s", got, tc.want)
			}
		})
	}
}

func TestLoadBoundsTheReport(t *testing.T) {
	var b strings.Builder
	b.WriteString(minimal)
	for i := range 2000 {
		fmt.Fprintf(&b, "unknown%d: 1\n", i)
	}
	_, err := fromTree(t, b.String(), Options{})
	lines := strings.Split(invalid(t, err), "\n")
	if last := lines[len(lines)-1]; len(lines) != 1001 || last != "publish.yaml: there are more than these 1000 problems" {
		t.Errorf("%d lines, the last is %s", len(lines), last)
	}
}

func TestLoadTakesByteOrderMarkAndWindowsLines(t *testing.T) {
	must(t, "\uFEFF"+strings.ReplaceAll(minimal, "\n", "\r\n"), Options{})
}

func TestLoadFromStdin(t *testing.T) {
	dir := tree(t, "not this")
	c, err := Load(Options{File: "-", Stdin: strings.NewReader(minimal), Dir: dir})
	if err != nil || c.Fleet[0].Dir != filepath.Join(dir, "apps", "one") || c.File != "<stdin>" {
		t.Fatalf("%+v, %v", c, err)
	}
	_, err = Load(Options{File: "-", Stdin: strings.NewReader("version: v3\n"), Dir: dir})
	if got := invalid(t, err); !strings.HasPrefix(got, "<stdin>:1:10: version: ") {
		t.Error(got)
	}
	_, err = Load(Options{File: "-", Stdin: iotest.ErrReader(io.ErrUnexpectedEOF), Dir: dir})
	if got := invalid(t, err); !strings.HasPrefix(got, "<stdin>: cannot be read") {
		t.Error(got)
	}
	if _, err = Load(Options{File: "-"}); err == nil {
		t.Error("no standard input, and no error")
	}
}

func TestLoadFindsTheFile(t *testing.T) {
	dir := tree(t, minimal)
	_, err := Load(Options{File: "other.yaml", Dir: dir})
	if got := invalid(t, err); got != "other.yaml: there is no such file" {
		t.Error(got)
	}
	_, err = Load(Options{File: "apps", Dir: dir})
	if got := invalid(t, err); !strings.HasPrefix(got, "apps: cannot be read") {
		t.Error(got)
	}
	absolute := filepath.Join(dir, DefaultFile)
	c, err := Load(Options{File: absolute})
	if err != nil || c.File != absolute || c.Dir != dir {
		t.Errorf("%+v, %v", c, err)
	}
	t.Chdir(dir)
	if _, err := Load(Options{}); err != nil {
		t.Error(err)
	}
}

func TestSymlinksStayWithinTheTree(t *testing.T) {
	outside := t.TempDir()
	load := func(path string) (*Config, error) {
		dir := tree(t, strings.Replace(minimal, "apps/one", path, 1))
		for from, to := range map[string]string{"apps/out": outside, "apps/in": filepath.Join(dir, "clusters"), "apps/gone": filepath.Join(dir, "none")} {
			if err := os.Symlink(to, filepath.Join(dir, from)); err != nil {
				t.Skip("no symlinks here")
			}
		}
		return Load(Options{Dir: dir})
	}
	_, err := load("apps/out")
	if got := invalid(t, err); !strings.HasSuffix(got, "apps[0].path: leaves the directory of the file by a symlink") {
		t.Error(got)
	}
	c, err := load("'apps/*'")
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range c.Fleet {
		if a.Name == "out" || a.Name == "gone" {
			t.Errorf("the glob found %s", a.Path)
		}
	}
	// A tree that is itself reached by a symlink is no other tree.
	linked := filepath.Join(outside, "linked")
	if err := os.Symlink(tree(t, minimal), linked); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(Options{Dir: linked}); err != nil {
		t.Error(err)
	}
}

func TestStarter(t *testing.T) {
	for name, o := range map[string]StarterOptions{
		"default": {},
		"filled": {Schema: "schema.json", Registry: "oci://localhost:5000/fleet", Branch: "release/1.x", Apps: []StarterApp{
			{Path: "{apps,odd}/[a-z]*"}, {Name: "null", Path: "clusters/prod", Render: RenderNone},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			content, err := Starter(o)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.HasPrefix(string(content), "# yaml-language-server: $schema=") {
				t.Errorf("no line for editors:\n%s", content)
			}
			c := must(t, string(content), Options{})
			if _, err := c.ActiveSigner(); err != nil || len(c.Warnings) > 0 {
				t.Errorf("%v, %v", err, c.Warnings)
			}
		})
	}
	for _, o := range []StarterOptions{{Registry: "ghcr.io"}, {Branch: "a b"}, {Apps: []StarterApp{{Path: "../x"}}}, {Schema: "a\nb: c"}} {
		if content, err := Starter(o); err == nil {
			t.Errorf("%+v gave\n%s", o, content)
		}
	}
}
