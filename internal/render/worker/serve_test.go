package worker

import (
	"context"
	"encoding/gob"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const roleVariable = "WORKER_TEST_ROLE"

func TestMain(m *testing.M) {
	if os.Getenv(roleVariable) == "" {
		os.Exit(m.Run())
	}
	if err := Serve(context.Background(), os.Stdin, os.Stdout); err != nil {
		_, _ = os.Stderr.WriteString(err.Error())
		os.Exit(1)
	}
	os.Exit(0)
}

// start starts a worker.
func start(t *testing.T, setup any) (in *gob.Encoder, out *gob.Decoder, stdin io.Closer, wait func() string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = []string{roleVariable + "=worker"}
	var stderr strings.Builder
	cmd.Stderr = &stderr
	w, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	r, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	in, out = gob.NewEncoder(w), gob.NewDecoder(r)
	if err := in.Encode(setup); err != nil {
		t.Fatal(err)
	}
	var hello Hello
	if err := out.Decode(&hello); err != nil || hello != (Hello{Protocol: Protocol, Kustomize: Kustomize}) {
		t.Fatalf("got %+v, %v", hello, err)
	}
	return in, out, w, func() string {
		_ = cmd.Wait()
		return stderr.String()
	}
}

// app writes a directory to render, with one file besides its kustomization.
func app(t *testing.T, content string) Request {
	t.Helper()
	root := t.TempDir()
	dir := filepath.Join(root, "app")
	if err := os.Mkdir(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{"kustomization.yaml": "resources: [a.yaml]\n", "a.yaml": content} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return Request{Dir: dir, Root: root}
}

func TestServeEndsWithItsInput(t *testing.T) {
	const (
		good    = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"
		endless = good + "data: &data {again: *data}\n"
	)
	setup := Setup{Protocol: Protocol, Memory: 1 << 30}
	t.Run("idle", func(t *testing.T) {
		in, out, stdin, wait := start(t, setup)
		if err := in.Encode(app(t, good)); err != nil {
			t.Fatal(err)
		}
		var response Response
		if err := out.Decode(&response); err != nil || response.Err != nil || len(response.YAML) == 0 {
			t.Fatalf("got %+v, %v", response, err)
		}
		_ = stdin.Close()
		if words := strings.TrimSpace(strings.ReplaceAll(wait(), RequestMark, "")); words != "" {
			t.Errorf("got %q", words)
		}
	})
	t.Run("busy", func(t *testing.T) { // as when the parent is killed; without the help of the kernel
		in, _, stdin, wait := start(t, setup)
		if err := in.Encode(app(t, endless)); err != nil {
			t.Fatal(err)
		}
		_ = stdin.Close()
		wait()
	})
	t.Run("another protocol", func(t *testing.T) {
		_, _, _, wait := start(t, Setup{Protocol: 99, Memory: 1 << 30})
		if words := wait(); words != "protocol 99 is not 2" {
			t.Errorf("got %q", words)
		}
	})
}

func TestServeNeedsASetup(t *testing.T) {
	err := Serve(t.Context(), strings.NewReader(""), io.Discard)
	if err == nil || !strings.Contains(err.Error(), "started by artifactctl, not by hand") {
		t.Errorf("got %v", err)
	}
}

func TestWords(t *testing.T) {
	s := story{jail: &jail{cells: []cell{
		{given: "/link", dir: "/real/root"},
		{given: "/tmp/scratch", dir: "/private/tmp/scratch"},
	}}}
	for text, want := range map[string]string{
		"in '/real/root/a/b.yaml'":                                "in 'a/b.yaml'",
		"in /real/root, /real/root/ or":                           "in ., ./ or",
		"/link/a and '/link'":                                     "a and '.'",
		"/real/rooted /x/real/root/a":                             "/real/rooted /x/real/root/a",
		"/real/root.old /real/root-a":                             "/real/root.old /real/root-a",
		"/private/tmp/scratch/kustomize-1/":                       "<clone>/",
		"/tmp/scratch/kustomize-helm-12/v.yaml of /tmp/scratch/x": "<clone>/v.yaml of <clone>/x",
		" https://u:p@h/x\n":                                      "https://h/x",
	} {
		if got := s.words(text); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
	if got := (&story{jail: &jail{cells: []cell{{given: "/", dir: "/"}}}}).words("/a/b"); got != "/a/b" {
		t.Errorf("got %q", got)
	}
}

func TestCapture(t *testing.T) {
	c, err := startCapture()
	if err != nil {
		t.Fatal(err)
	}
	stdout, stderr := c.stdout, c.stderr
	c.mark("/r/a")
	_, _ = os.Stderr.WriteString("# Warning: old\n# Warning: old\nplain\n")
	c.mark("/r/b")
	_, _ = os.Stdout.WriteString("# Warning: old\n")
	_, _ = os.Stderr.WriteString(strings.Repeat("x", maxCaptured)) // more than a pipe holds, and than is kept
	text := c.stop()
	if os.Stdout != stdout || os.Stderr != stderr {
		t.Error("the streams were not given back")
	}
	if len(text) != maxCaptured {
		t.Errorf("%d bytes", len(text))
	}
	text, _, _ = strings.Cut(text, "x")
	got := warnings(text, func(s string) string { return strings.ReplaceAll(s, "/r/", "") })
	if want := "a: old|plain|b: old"; strings.Join(got, "|") != want {
		t.Errorf("got %q", got)
	}
}

func TestView(t *testing.T) {
	r := app(t, "x")
	j, err := newJail(r.Dir, r.Root)
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	scratch := t.TempDir()
	clones := 0
	v := view{questions: j, scratch: scratch, onClone: func() { clones++ }}
	if !v.Exists("a.yaml") || v.Exists("b.yaml") || v.IsDir("a.yaml") || !v.IsDir(".") || v.Exists("../..") {
		t.Error("wrong answers")
	}
	if _, err := v.ReadFile(filepath.Join(r.Root, "..", "x")); err == nil || j.refused != 2 {
		t.Errorf("got %v, %d refusals", err, j.refused)
	}
	for _, path := range []string{r.Dir, "/notCloned", scratch, scratch + "/../x", "."} {
		if err := v.RemoveAll(path); err != nil || !v.IsDir(".") {
			t.Fatalf("%s: %v", path, err)
		}
	}
	clone := filepath.Join(scratch, "kustomize-1")
	if err := os.Mkdir(clone, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := v.RemoveAll(clone); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(clone); !os.IsNotExist(err) || clones != 6 {
		t.Errorf("got %v, %d clones", err, clones)
	}
}
