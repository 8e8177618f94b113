package main

import (
	"bytes"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

var updateDocs = flag.Bool("update-docs", false, "write docs/cli")

// docs/cli is generated from the commands; this test keeps it true.
func TestCLIDocs(t *testing.T) {
	want := pages(t)
	dir := filepath.Join("..", "..", "docs", "cli")
	if *updateDocs {
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		for name, text := range want {
			if err := os.WriteFile(filepath.Join(dir, name), text, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if _, ok := want[e.Name()]; !ok {
			t.Errorf("docs/cli/%s is of no command: run make generate", e.Name())
		}
	}
	for name, text := range want {
		have, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil || !bytes.Equal(have, text) {
			t.Errorf("docs/cli/%s is stale: run make generate", name)
		}
	}
}

// pages renders the documentation of every command.
func pages(t *testing.T) map[string][]byte {
	t.Helper()
	p := &program{stdio: stdio{in: strings.NewReader(""), out: io.Discard, err: io.Discard}}
	root := p.root()
	root.InitDefaultCompletionCmd()
	out := map[string][]byte{}
	var walk func(*cobra.Command)
	walk = func(cmd *cobra.Command) {
		if cmd.Hidden || cmd.Name() == "help" {
			return
		}
		cmd.DisableAutoGenTag = true
		var b bytes.Buffer
		if err := doc.GenMarkdown(cmd, &b); err != nil {
			t.Fatal(err)
		}
		out[strings.ReplaceAll(cmd.CommandPath(), " ", "_")+".md"] = b.Bytes()
		for _, c := range cmd.Commands() {
			walk(c)
		}
	}
	walk(root)
	return out
}
