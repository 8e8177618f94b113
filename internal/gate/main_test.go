package gate

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/artifactctl/artifactctl/internal/artifact"
	"github.com/artifactctl/artifactctl/internal/finding"
	"github.com/artifactctl/artifactctl/internal/render/cache"
)

// roleVariable says what the test binary is when it is started as the command of a gate; countVariable names a file that
// gets a byte for each start.
const (
	roleVariable  = "GATE_TEST_ROLE"
	countVariable = "GATE_TEST_COUNT"
	valueVariable = "GATE_TEST_VALUE"
)

func TestMain(m *testing.M) {
	role := os.Getenv(roleVariable)
	if role == "" {
		os.Exit(m.Run())
	}
	if name := os.Getenv(countVariable); name != "" {
		f, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			panic(err)
		}
		_, _ = f.WriteString("x")
		_ = f.Close()
	}
	os.Exit(play(role))
}

// play is what commands do. Their findings are about the word "bad" in the manifests.
func play(role string) int {
	manifests := os.Getenv("ARTIFACTCTL_MANIFESTS")
	switch role {
	case "grep": // refuses what has "bad" in it
		stdin, _ := io.ReadAll(os.Stdin)
		for n, line := range strings.Split(string(stdin), "\n") {
			if strings.Contains(line, "bad") {
				fmt.Printf("line %d is bad\n", n+1)
				return 1
			}
		}
	case "show": // prints what it sees, and refuses
		dir, _ := os.Getwd()
		stdin, _ := io.ReadAll(os.Stdin)
		var file []byte
		if info, err := os.Stat(manifests); err == nil && info.Mode().IsRegular() {
			file, _ = os.ReadFile(manifests)
		}
		fmt.Printf("dir=%s\nargs=%q\nsame=%t\nstdin=%q\n", dir, os.Args[1:], string(stdin) == string(file), stdin)
		fmt.Printf("files=%q\nenv=%q\n", list(manifests), os.Environ())
		return 1
	case "print": // prints its first argument and ends with the second
		fmt.Print(os.Args[1])
		return len(os.Args[2]) // "" is 0, "x" is 1
	case "silent":
		return 3
	case "notfound":
		return 127
	case "hang":
		child := exec.Command(os.Args[0])
		child.Env = []string{roleVariable + "=sleep"}
		child.Stdout = os.Stdout
		_ = child.Start()
		fmt.Println(child.Process.Pid)
		time.Sleep(time.Hour)
	case "leave": // ends well, and leaves a process behind that holds its output
		child := exec.Command(os.Args[0])
		child.Env = []string{roleVariable + "=sleep"}
		child.Stdout, child.Stderr = os.Stdout, os.Stderr
		_ = child.Start()
		_ = os.WriteFile(os.Args[1], fmt.Append(nil, child.Process.Pid), 0o600)
	case "sleep":
		time.Sleep(time.Hour)
	case "flood":
		line := []byte(strings.Repeat("flood ", 1000) + "\n")
		for {
			if _, err := os.Stdout.Write(line); err != nil {
				return 1
			}
		}
	case "many": // refuses with more than is kept
		fmt.Print(strings.Repeat("0123456789abcde\n", MaxMessage/16), "the rest\n")
		return 1
	case "crash":
		fmt.Fprintln(os.Stderr, "last words")
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		time.Sleep(time.Hour)
	case "panic":
		panic("no policy")
	case "alter":
		_ = os.Chmod(manifests, 0o600)
		_ = os.WriteFile(manifests, []byte("kind: Other\n"), 0o600)
	case "conftest": // one failure for each file with "bad" in it, one warning for each with "odd"
		fmt.Print(conftestOutput(manifests))
		return 1
	}
	return 0
}

func list(dir string) []string {
	var names []string
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func conftestOutput(dir string) string {
	var files []string
	for _, name := range list(dir) {
		content, _ := os.ReadFile(filepath.Join(dir, name))
		for word, key := range map[string]string{"bad": "failures", "odd": "warnings"} {
			if strings.Contains(string(content), word) {
				files = append(files, fmt.Sprintf(`{"filename":%q,"namespace":"main","successes":1,%q:[{"msg":"%s it is","metadata":{"query":"data.main.deny"}}]}`,
					filepath.Join(dir, name), key, word))
			}
		}
	}
	return "[" + strings.Join(append(files, `{"filename":"","namespace":"main","successes":1}`), ",") + "]"
}

// command returns a gate whose command is this binary in a role.
func command(t testing.TB, role string, args ...string) Gate {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return Gate{Name: role, Run: &Run{
		Command: append([]string{wrapper(t, self, role)}, args...), Dir: t.TempDir(), Timeout: time.Minute, Memory: -1,
	}}
}

// wrapper makes a script that starts this binary in a role. A command gets no variables that it does not list, so the
// role cannot come from our environment without being part of what is tested.
func wrapper(t testing.TB, self, role string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), role)
	script := fmt.Sprintf("#!/bin/sh\n%s=%s exec '%s' \"$@\"\n", roleVariable, role, self)
	if err := os.WriteFile(path, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

// appOf makes an app of the files of an archive.
func testApp(name, text string) App {
	files := artifact.Files{}
	for _, f := range txtar.Parse([]byte(text)).Files {
		files[f.Name] = f.Data
	}
	return appWith(name, files)
}

// manifestApp makes an app of one file.
func manifestApp(name, manifests string) App {
	return appWith(name, artifact.Files{artifact.ManifestsFile: []byte(manifests)})
}

func appWith(name string, files artifact.Files) App {
	return App{
		Name: name, Content: artifact.ContentDigest(files), Path: "apps/" + name + "/kustomization.yaml",
		Files: func(context.Context) (artifact.Files, error) { return files, nil },
	}
}

func newRunner(t testing.TB, o Options) *Runner {
	t.Helper()
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	r, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	r.fetch.pause, r.fetch.retries = time.Millisecond, 2
	return r
}

func runGates(t testing.TB, o Options, apps ...App) *finding.Report {
	t.Helper()
	report, err := newRunner(t, o).Check(t.Context(), apps, nil)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// runOne runs one gate on one app.
func runOne(t testing.TB, g Gate, app App) finding.Result {
	t.Helper()
	report := runGates(t, Options{Gates: []Gate{g}}, app)
	if len(report.Results) != 1 {
		t.Fatalf("got %d results, want 1", len(report.Results))
	}
	return report.Results[0]
}

// unpack writes the files of an archive below a new directory.
func unpack(t testing.TB, text string) string {
	t.Helper()
	root := t.TempDir()
	for _, f := range txtar.Parse([]byte(text)).Files {
		writeFile(t, filepath.Join(root, filepath.FromSlash(f.Name)), string(f.Data))
	}
	return root
}

func writeFile(t testing.TB, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func openCache(t testing.TB, dir string) *cache.Cache {
	t.Helper()
	c, err := cache.Open(dir, cache.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Errorf("close the cache: %v", err)
		}
	})
	return c
}

// brief writes findings as lines, for comparison.
func brief(r finding.Result) string { return finding.Lines(r.Findings) }

// passed returns the names of the gates that have judged an app and do not refuse it, in order.
func passed(r *finding.Report, app string) []string {
	var names []string
	for _, result := range r.Results {
		status := finding.StatusOf(result.About(app))
		if result.Covers(app) && (status == finding.Passed || status == finding.Warned) {
			names = append(names, result.Gate)
		}
	}
	return names
}

// blocking returns why an app must not be published; nothing when it may.
func blocking(r *finding.Report, app string) []finding.Finding {
	var all []finding.Finding
	for _, result := range r.Results {
		for _, f := range result.About(app) {
			if f.Severity == finding.Error {
				all = append(all, f)
			}
		}
	}
	return all
}
