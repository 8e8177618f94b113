package tree

import (
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/artifactctl/artifactctl/internal/render/fault"
)

// unpack writes the files of an archive below a new directory.
func unpack(t testing.TB, text string) string {
	t.Helper()
	root := t.TempDir()
	for _, f := range txtar.Parse([]byte(text)).Files {
		path := filepath.Join(root, filepath.FromSlash(f.Name))
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, f.Data, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func options(root string) Options { return Options{Dir: filepath.Join(root, "app"), Root: root} }

func TestIgnore(t *testing.T) {
	const archive = `
-- app/.git/config --
-- app/sub/.git --
gitdir: /home/somebody/repo
-- app/.gitignore --
-- app/.hidden --
-- app/a.yaml --
-- app/logo.png --
-- app/docs/a.md --
-- app/docs/keep.md --
-- app/sub/secret.yaml --
-- app/sub/deep/secret.yaml --
-- app/sub/deep/release.tar.gz --
-- app/other/secret.yaml --
-- outside.yaml --
`
	for name, test := range map[string]struct {
		more   string
		ignore []string
		want   []string
	}{
		"defaults": {
			want: []string{
				".hidden", "a.yaml", "docs/a.md", "docs/keep.md", "other/secret.yaml", "sub/deep/secret.yaml", "sub/secret.yaml",
			},
		},
		"own patterns win": {
			ignore: []string{"# a comment", "", "/docs/*", "!docs/keep.md", "secret.yaml", "!/other/secret.yaml", "!logo.png", ".hidden"},
			want:   []string{"a.yaml", "docs/keep.md", "logo.png", "other/secret.yaml"},
		},
		"a directory": {
			ignore: []string{"sub/", "docs/", "!docs/keep.md"}, // unlike git, Flux lets a file of it back in
			want:   []string{".hidden", "a.yaml", "docs/keep.md", "other/secret.yaml"},
		},
		"everything but": {
			ignore: []string{"/*", "!/a.yaml", "!/sub"},
			want:   []string{"a.yaml", "sub/deep/release.tar.gz", "sub/deep/secret.yaml", "sub/secret.yaml"},
		},
		"sourceignore": {
			more: "-- app/.sourceignore --\n*.md\n\n# x\n/a.yaml\n-- app/sub/.sourceignore --\n/secret.yaml\r\n!*.tar.gz\n",
			want: []string{
				".hidden", ".sourceignore", "other/secret.yaml", "sub/.sourceignore", "sub/deep/release.tar.gz",
				"sub/deep/secret.yaml",
			},
		},
		"sourceignore is below own patterns": {
			more:   "-- app/.sourceignore --\n*\n",
			ignore: []string{"!a.yaml"},
			want:   []string{"a.yaml"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			o := options(unpack(t, archive+test.more))
			o.Ignore = test.ignore
			files, err := Read(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			if got := slices.Sorted(maps.Keys(files)); !slices.Equal(got, test.want) {
				t.Errorf("got %q\nwant %q", got, test.want)
			}
		})
	}
}

func TestContentIsReadAsItIs(t *testing.T) {
	root := unpack(t, "-- app/a --\nx\r\n\x00\xff\n-- app/empty --\n")
	files, err := Read(t.Context(), options(root))
	if err != nil {
		t.Fatal(err)
	}
	if got := string(files["a"]); got != "x\r\n\x00\xff\n" || files["empty"] == nil {
		t.Errorf("got %q, %v", got, files["empty"])
	}
}

// refused reads and returns the error that has to come, one line a problem.
func refused(t *testing.T, o Options, reason fault.Reason) string {
	t.Helper()
	files, err := Read(t.Context(), o)
	var f *fault.Error
	if !errors.As(err, &f) {
		t.Fatalf("got error %v and %d files, want a *fault.Error", err, len(files))
	}
	if f.Reason != reason {
		t.Errorf("got %s, want %s: %v", f.Reason, reason, err)
	}
	if strings.Contains(err.Error(), o.Root) {
		t.Errorf("names a path of this machine: %v", err)
	}
	return err.Error()
}

func TestUnfit(t *testing.T) {
	for name, test := range map[string]struct {
		make   func(app string) error
		change func(*Options)
		reason fault.Reason
		want   string
	}{
		"symbolic link": {
			make: func(app string) error { return os.Symlink("a.yaml", filepath.Join(app, "b.yaml")) },
			want: "app/b.yaml: is a symbolic link: Flux would skip it; publish a copy, or ignore it",
		},
		"link to a directory": {
			make: func(app string) error { return os.Symlink("/etc", filepath.Join(app, "etc")) },
			want: "app/etc: is a symbolic link: Flux would skip it; publish a copy, or ignore it",
		},
		"pipe": {
			make: func(app string) error { return syscall.Mkfifo(filepath.Join(app, "pipe"), 0o666) },
			want: "app/pipe: is neither a file nor a directory",
		},
		"two problems": {
			make: func(app string) error {
				return errors.Join(os.Symlink("a.yaml", filepath.Join(app, "b.yaml")),
					os.Symlink("a.yaml", filepath.Join(app, "c.yaml")))
			},
			want: "app/b.yaml: is a symbolic link: Flux would skip it; publish a copy, or ignore it\n" +
				"app/c.yaml: is a symbolic link: Flux would skip it; publish a copy, or ignore it",
		},
		"backslash": {
			make: func(app string) error { return os.WriteFile(filepath.Join(app, `a\b`), nil, 0o600) },
			want: `app/a\b: the name has a backslash or a control character`,
		},
		"control character": {
			make: func(app string) error { return os.WriteFile(filepath.Join(app, "a\nb"), nil, 0o600) },
			want: "app/a\nb: the name has a backslash or a control character",
		},
		"not UTF-8": {
			make: func(app string) error { return os.WriteFile(filepath.Join(app, "a\xffb"), nil, 0o600) },
			want: "app/a?b: the name is not UTF-8",
		},
		"case": {
			make: func(app string) error { return os.WriteFile(filepath.Join(app, "A.yaml"), nil, 0o600) },
			want: "app/a.yaml: differs from app/A.yaml only in case: they are one file on some machines",
		},
		"case of a directory": {
			make: func(app string) error {
				return errors.Join(os.Mkdir(filepath.Join(app, "D"), 0o700), os.Mkdir(filepath.Join(app, "d"), 0o700),
					os.WriteFile(filepath.Join(app, "D", "x"), nil, 0o600), os.WriteFile(filepath.Join(app, "d", "y"), nil, 0o600))
			},
			want: "app/d: differs from app/D only in case: they are one file on some machines",
		},
		"big file": {
			make:   func(app string) error { return os.WriteFile(filepath.Join(app, "big"), make([]byte, 1<<20+1), 0o600) },
			change: func(o *Options) { o.MaxFile = 1 << 20 },
			want:   "app/big: is bigger than 1 MiB",
		},
		"big tree": {
			make: func(app string) error {
				return errors.Join(os.WriteFile(filepath.Join(app, "b"), make([]byte, 1<<20), 0o600),
					os.WriteFile(filepath.Join(app, "c"), make([]byte, 1<<20+1), 0o600))
			},
			change: func(o *Options) { o.MaxTotal = 2 << 20 },
			want:   "app/c: with this file the tree has more than 2 MiB",
		},
		"unreadable": {
			make: func(app string) error {
				if os.Geteuid() == 0 {
					return errors.New("root reads everything")
				}
				return os.WriteFile(filepath.Join(app, "b"), nil, 0)
			},
			want: "app/b: cannot be read: permission denied",
		},
		"unreadable directory": {
			make: func(app string) error {
				if os.Geteuid() == 0 {
					return errors.New("root reads everything")
				}
				return os.Mkdir(filepath.Join(app, "b"), 0)
			},
			want: "app/b: cannot be listed: permission denied",
		},
		"bad pattern": {
			change: func(o *Options) { o.Ignore = []string{"a", "b[/c"} },
			reason: fault.Syntax, want: `the ignore pattern "b[/c" is malformed`,
		},
		"bad sourceignore": {
			make: func(app string) error {
				return os.WriteFile(filepath.Join(app, ".sourceignore"), []byte("x\n[\n"), 0o600)
			},
			reason: fault.Syntax, want: `app/.sourceignore:2: the ignore pattern "[" is malformed`,
		},
		"nothing": {
			change: func(o *Options) { o.Ignore = []string{"*"} },
			reason: fault.Empty, want: "app: no files to publish",
		},
		"no directory": {
			change: func(o *Options) { o.Dir += "lication" },
			reason: fault.Missing, want: "application: no such directory",
		},
		"file": {
			change: func(o *Options) { o.Dir = filepath.Join(o.Dir, "a.yaml") },
			reason: fault.Missing, want: "app/a.yaml: is not a directory that can be read",
		},
		"outside": {
			change: func(o *Options) { o.Dir = filepath.Dir(o.Root) },
			reason: fault.Outside, want: "..: is outside of the root",
		},
		"link to outside": {
			make:   func(app string) error { return os.Symlink(filepath.Dir(filepath.Dir(app)), filepath.Dir(app)+"/link") },
			change: func(o *Options) { o.Dir = filepath.Join(o.Root, "link") },
			reason: fault.Outside, want: "link: is outside of the root",
		},
	} {
		t.Run(name, func(t *testing.T) {
			o := options(unpack(t, "-- app/a.yaml --\n"))
			if test.make != nil {
				if err := test.make(o.Dir); err != nil {
					t.Skip(err)
				}
			}
			if test.change != nil {
				test.change(&o)
			}
			if test.reason == "" {
				test.reason = fault.Unfit
			}
			if got := refused(t, o, test.reason); got != test.want {
				t.Errorf("got %s\nwant %s", got, test.want)
			}
		})
	}
}

func TestIgnoredThingsMayBeUnfit(t *testing.T) {
	o := options(unpack(t, "-- app/a.yaml --\n-- app/x/b.yaml --\n"))
	if err := os.Symlink("a.yaml", filepath.Join(o.Dir, "link")); err != nil {
		t.Skip(err)
	}
	if err := os.Symlink("..", filepath.Join(o.Dir, "x", "up")); err != nil {
		t.Skip(err)
	}
	o.Ignore = []string{"link", "x/"}
	files, err := Read(t.Context(), o)
	if err != nil || len(files) != 1 {
		t.Errorf("%d files, %v", len(files), err)
	}
}

func TestCancel(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Read(ctx, options(unpack(t, "-- app/a.yaml --\n"))); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
