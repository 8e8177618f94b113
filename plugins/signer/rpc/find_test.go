package rpc

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/artifactctl/artifactctl/plugins/signer"
)

// tree makes one directory a place, with the named executables in it.
func tree(t *testing.T, files map[string][]string) SearchOptions {
	t.Helper()
	root := resolved(t, t.TempDir())
	o := SearchOptions{PluginDir: filepath.Join(root, "plugins"), ExecutableDir: filepath.Join(root, "bin"), DataHome: filepath.Join(root, "data")}
	dirs := map[string]string{"plugins": o.PluginDir, "bin": o.ExecutableDir, "data": filepath.Join(o.DataHome, "artifactctl", "plugins")}
	for place, names := range files {
		if err := os.MkdirAll(dirs[place], 0o755); err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			writeExecutable(t, filepath.Join(dirs[place], name), place)
		}
	}
	return o
}

func writeExecutable(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o755); err != nil {
		t.Fatal(err)
	}
}

func TestFindOrder(t *testing.T) {
	everywhere := map[string][]string{"plugins": {"signer-a"}, "bin": {"signer-a", "signer-b", "tool"}, "data": {"signer-a", "signer-b", "signer-c"}}
	o := tree(t, everywhere)
	explicit := filepath.Join(t.TempDir(), "anything")
	writeExecutable(t, explicit, "x")
	tests := []struct {
		name, path string
		want       string
		origin     Origin
		mustPin    bool
	}{
		{"signer-a", "", filepath.Join(o.PluginDir, "signer-a"), OriginPluginDir, true},
		{"signer-b", "", filepath.Join(o.ExecutableDir, "signer-b"), OriginExecutable, false},
		{"signer-c", "", filepath.Join(o.DataHome, "artifactctl/plugins/signer-c"), OriginDataHome, true},
		{"tool", "", filepath.Join(o.ExecutableDir, "tool"), OriginExecutable, true}, // whatever else lies in /usr/bin
		{"signer-a", explicit, resolved(t, explicit), OriginPath, true},
		{"signer-a", filepath.Join(o.ExecutableDir, "signer-a"), filepath.Join(o.ExecutableDir, "signer-a"), OriginPath, true},
	}
	for _, tt := range tests {
		t.Run(tt.name+" "+tt.path, func(t *testing.T) {
			o := o
			o.Path = tt.path
			got, err := Find(o, tt.name)
			if want := (Found{Name: tt.name, Path: tt.want, Origin: tt.origin, MustPin: tt.mustPin}); err != nil || got != want {
				t.Errorf("got  %+v, %v\nwant %+v", got, err, want)
			}
		})
	}
}

func TestFindResolvesLinks(t *testing.T) {
	o := tree(t, map[string][]string{"bin": {"signer-real"}, "data": {"signer-far"}})
	far := filepath.Join(o.DataHome, "artifactctl/plugins/signer-far")
	for link, target := range map[string]string{"signer-near": "signer-real", "signer-link": far} {
		if err := os.Symlink(target, filepath.Join(o.ExecutableDir, link)); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := Find(o, "signer-near"); err != nil || got.MustPin || filepath.Base(got.Path) != "signer-real" {
		t.Errorf("link to a neighbour: %+v, %v", got, err)
	}
	if got, err := Find(o, "signer-link"); err != nil || !got.MustPin || got.Path != far {
		t.Errorf("a link beside the executable does not make a plugin part of the release: %+v, %v", got, err)
	}
}

func TestFindErrors(t *testing.T) {
	o := tree(t, map[string][]string{"bin": {"signer-a"}, "data": {"signer-b"}})
	if err := os.MkdirAll(filepath.Join(o.PluginDir, "signer-b"), 0o755); err != nil {
		t.Fatal(err)
	}
	here := tree(t, map[string][]string{"bin": {"signer-here"}})
	t.Chdir(here.ExecutableDir)
	t.Setenv("PATH", here.ExecutableDir)
	relative := o
	relative.PluginDir = "."
	dangling := o
	dangling.Path = filepath.Join(o.ExecutableDir, "nothing")
	tests := map[string]struct {
		o                SearchOptions
		name, want, hint string
	}{
		"missing":               {o, "signer-x", "plugin signer-x was not found: looked in " + o.PluginDir + ", " + o.ExecutableDir, "beside artifactctl"},
		"nowhere to look":       {SearchOptions{}, "signer-x", "there is no place to look in", "beside artifactctl"},
		"working directory":     {o, "signer-here", "was not found", ""},
		"first one is unusable": {o, "signer-b", "is a directory", "name the executable"},
		"relative directory":    {relative, "signer-here", `$ARTIFACTCTL_PLUGIN_DIR: "." is not an absolute path`, "relative to the working directory"},
		"path is missing":       {dangling, "signer-a", "does not exist", "artifactctl plugins"},
		"path as a name":        {o, "../signer-a", "is not a name of small letters", "`path:`"},
		"capital letters":       {o, "Signer-A", "is not a name of small letters", ""},
		"empty name":            {o, "", "is not a name of small letters", ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := Find(tt.o, tt.name)
			if err == nil || !errors.Is(err, signer.ErrInvalid) || !strings.Contains(err.Error(), tt.want) || !strings.Contains(hint(err), tt.hint) {
				t.Errorf("got %+v, %v (hint: %s)\nwant %s (hint: %s)", got, err, hint(err), tt.want, tt.hint)
			}
		})
	}
}

func TestSearchFromEnvironment(t *testing.T) {
	o := tree(t, map[string][]string{"bin": {"artifactctl"}})
	link := filepath.Join(t.TempDir(), "actl")
	if err := os.Symlink(filepath.Join(o.ExecutableDir, "artifactctl"), link); err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		env  map[string]string
		want SearchOptions
	}{
		"nothing set":   {nil, SearchOptions{ExecutableDir: o.ExecutableDir}},
		"home":          {map[string]string{"HOME": "/h"}, SearchOptions{ExecutableDir: o.ExecutableDir, DataHome: "/h/.local/share"}},
		"XDG":           {map[string]string{"HOME": "/h", "XDG_DATA_HOME": "/x"}, SearchOptions{ExecutableDir: o.ExecutableDir, DataHome: "/x"}},
		"relative XDG":  {map[string]string{"HOME": "/h", "XDG_DATA_HOME": "x"}, SearchOptions{ExecutableDir: o.ExecutableDir, DataHome: "/h/.local/share"}},
		"relative home": {map[string]string{"HOME": "."}, SearchOptions{ExecutableDir: o.ExecutableDir}},
		"plugin dir":    {map[string]string{"ARTIFACTCTL_PLUGIN_DIR": "/p"}, SearchOptions{ExecutableDir: o.ExecutableDir, PluginDir: "/p"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := SearchFromEnvironment(link, func(k string) string { return tt.env[k] }); got != tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
}

func TestList(t *testing.T) {
	o := tree(t, map[string][]string{"plugins": {"signer-a", "other", "signer-A"}, "bin": {"signer-a", "signer-b"}})
	if err := os.Chmod(filepath.Join(o.ExecutableDir, "signer-b"), 0o644); err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(self, filepath.Join(o.ExecutableDir, "signer-c")); err != nil {
		t.Fatal(err)
	}
	got, err := List(o)
	if err != nil || len(got) != 4 {
		t.Fatalf("got %+v, %v", got, err)
	}
	// The checksum is that of "plugins", the file's content.
	if a := got[0]; a.Name != "signer-a" || a.Origin != OriginPluginDir || a.Shadowed || !a.MustPin || a.Err != nil || a.SHA256 != "92cd10e6b8b068a931196d1d73a032543d5ca1a5bf445e27a1af74258254517c" {
		t.Errorf("first: %+v", a)
	}
	if a := got[1]; a.Name != "signer-a" || a.Origin != OriginExecutable || !a.Shadowed || a.MustPin || a.Err != nil || a.SHA256 == got[0].SHA256 {
		t.Errorf("second: %+v", a)
	}
	if b := got[2]; b.Name != "signer-b" || b.Err == nil || !strings.Contains(b.Err.Error(), "not executable") || b.SHA256 != "" {
		t.Errorf("third: %+v", b)
	}
	if c := got[3]; c.Name != "signer-c" || c.Err != nil || !c.MustPin || c.Path != resolved(t, self) {
		t.Errorf("fourth: %+v", c)
	}
	if none, err := List(SearchOptions{}); err != nil || len(none) != 0 {
		t.Errorf("nowhere: %v, %v", none, err)
	}
	if _, err := List(SearchOptions{PluginDir: "here"}); err == nil {
		t.Error("a relative directory was searched")
	}
}
