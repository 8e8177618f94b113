package config

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

var update = flag.Bool("update", false, "rewrite what the bad files are expected to say")

// tree makes the directories that the files under testdata speak of, and a publish.yaml beside them.
func tree(t testing.TB, content string) string {
	t.Helper()
	dir := t.TempDir()
	for _, d := range []string{"apps/one", "apps/two", "apps/.hidden", "clusters/prod", "odd/Upper"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	write(t, dir, "notes.txt", "no directory")
	write(t, dir, DefaultFile, content)
	return dir
}

func write(t testing.TB, dir, name, content string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// fromTree loads publish.yaml of a fresh tree.
func fromTree(t testing.TB, content string, o Options) (*Config, error) {
	t.Helper()
	o.Dir = tree(t, content)
	return Load(o)
}

// must loads what has to be right.
func must(t testing.TB, content string, o Options) *Config {
	t.Helper()
	c, err := fromTree(t, content, o)
	if err != nil {
		t.Fatalf("refused:\n%v", err)
	}
	return c
}

// invalid returns the problems of what has to be wrong, a line each.
func invalid(t testing.TB, err error) string {
	t.Helper()
	e, ok := errors.AsType[*Invalid](err)
	if !ok {
		t.Fatalf("want an Invalid, got %v", err)
	}
	return e.Error()
}

func TestLoadRefusesBadFiles(t *testing.T) {
	files, err := filepath.Glob("testdata/bad/*.txtar")
	if err != nil || len(files) < 40 {
		t.Fatalf("%d bad files, %v", len(files), err)
	}
	for _, name := range files {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(name)
			if err != nil {
				t.Fatal(err)
			}
			_, err = fromTree(t, string(archive.Files[0].Data), Options{Environ: []string{"SECRET=hunter2"}})
			got := describeProblems(t, err)
			if strings.Contains(got, "hunter2") {
				t.Errorf("a secret was printed:\n%s", got)
			}
			if *update {
				archive.Files[1].Data = []byte(got)
				if err := os.WriteFile(name, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if want := string(archive.Files[1].Data); got != want {
				t.Errorf("got\n%swant\n%s", got, want)
			}
		})
	}
}

// describeProblems gives each problem as a line, followed by its hint.
func describeProblems(t *testing.T, err error) string {
	t.Helper()
	invalid(t, err)
	e, _ := errors.AsType[*Invalid](err)
	var b strings.Builder
	for _, p := range e.Problems {
		b.WriteString(p.String() + "\n")
		if p.Hint != "" {
			b.WriteString("  hint: " + p.Hint + "\n")
		}
	}
	return b.String()
}
