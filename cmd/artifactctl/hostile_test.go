package main_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"
)

// fleet is a checkout with a good publish.yaml, a key and one app, for a case to spoil.
type fleet struct {
	t       *testing.T
	dir     string
	gate    *gate
	server  *httptest.Server
	environ []string
}

const goodPublish = `version: v1
registry: {url: "oci://REGISTRY/org", retries: 0}
apps:
  - path: apps/*
signer: file
signers:
  file:
    plugin: signer-file
    env: [COSIGN_PASSWORD]
    with: {key: cosign.key}
    trust: {publicKey: cosign.pub}
`

func newFleet(t *testing.T) *fleet {
	t.Helper()
	f := &fleet{t: t, dir: t.TempDir(), gate: &gate{handler: registry.New(registry.Logger(log.New(io.Discard, "", 0)))}}
	f.server = httptest.NewServer(f.gate)
	t.Cleanup(f.server.Close)
	f.environ = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "TMPDIR=" + os.TempDir(), "COSIGN_PASSWORD=correct horse",
		"GIT_CONFIG_GLOBAL=" + os.DevNull, "GIT_CONFIG_NOSYSTEM=1", "GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.com",
		"GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.com",
	}
	f.write("publish.yaml", strings.ReplaceAll(goodPublish, "REGISTRY", f.host()))
	f.write("apps/web/kustomization.yaml", "resources: [web.yaml]\n")
	f.write("apps/web/web.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\n")
	f.write("cosign.key", testKey)
	f.write("cosign.pub", testPublicKey)
	f.git("init", "-q", "-b", "main")
	f.git("remote", "add", "origin", "https://git.example.com/org/fleet.git")
	return f
}

func (f *fleet) host() string { return strings.TrimPrefix(f.server.URL, "http://") }

func (f *fleet) write(name, content string) {
	f.t.Helper()
	path := filepath.Join(f.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		f.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		f.t.Fatal(err)
	}
}

// replace changes publish.yaml.
func (f *fleet) replace(old, new string) {
	f.t.Helper()
	text, err := os.ReadFile(filepath.Join(f.dir, "publish.yaml"))
	if err != nil {
		f.t.Fatal(err)
	}
	if !strings.Contains(string(text), old) {
		f.t.Fatalf("publish.yaml has no %q", old)
	}
	f.write("publish.yaml", strings.Replace(string(text), old, new, 1))
}

func (f *fleet) remove(name string) {
	f.t.Helper()
	if err := os.RemoveAll(filepath.Join(f.dir, name)); err != nil {
		f.t.Fatal(err)
	}
}

func (f *fleet) link(target, name string) {
	f.t.Helper()
	if err := os.Symlink(target, filepath.Join(f.dir, name)); err != nil {
		f.t.Fatal(err)
	}
}

func (f *fleet) git(args ...string) {
	f.t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir, cmd.Env = f.dir, f.environ
	if out, err := cmd.CombinedOutput(); err != nil {
		f.t.Fatalf("git %v: %v\n%s", args, err, out)
	}
}

// executable writes a plugin as a shell script beside nothing, and returns its path.
func (f *fleet) executable(name, script string) string {
	f.t.Helper()
	path := filepath.Join(f.t.TempDir(), name)
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
		f.t.Fatal(err)
	}
	return path
}

// fail makes the registry answer all requests of a method, or whose path has a part, with a status.
func (f *fleet) fail(method, part string, status int) {
	f.gate.failWith(func(w http.ResponseWriter, r *http.Request) bool {
		if (method != "" && r.Method != method) || !strings.Contains(r.URL.Path, part) {
			return false
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		fmt.Fprint(w, `{"errors":[{"code":"DENIED","message":"so says the registry"}]}`)
		return true
	})
}

func (f *fleet) run(args ...string) (code int, stdout, stderr string) {
	f.t.Helper()
	var out, errs bytes.Buffer
	cmd := exec.Command(filepath.Join(binaries, "artifactctl"), args...)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = f.dir, f.environ, &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		f.t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}

// tags lists the tags that name artifacts; those that hold signatures do not count.
func (f *fleet) tags() []string {
	w := httptest.NewRecorder()
	f.gate.handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/v2/org/web/tags/list", nil))
	var list struct{ Tags []string }
	if err := json.Unmarshal(w.Body.Bytes(), &list); err != nil {
		f.t.Fatal(err)
	}
	return slices.DeleteFunc(list.Tags, func(tag string) bool { return strings.HasPrefix(tag, "sha256-") })
}

func (f *fleet) writes() int {
	n := 0
	for _, line := range f.gate.requests() {
		if !strings.HasPrefix(line, "GET ") && !strings.HasPrefix(line, "HEAD ") {
			n++
		}
	}
	return n
}

// hostileCase is one way to spoil a fleet. The default is that nothing at all is written to the registry.
type hostileCase struct {
	spoil     func(*fleet)
	args      []string // default publish
	code      int
	want      []string // parts of what is printed
	mayPush   bool     // bytes may be there by digest, but no tag
	dirtyTree bool     // do not commit before the run
}

// Every hostile or broken input ends in a message that says where and why and what to do, with the right exit code, and
// changes nothing in the registry.
func TestHostileInput(t *testing.T) {
	total := 0
	for group, cases := range map[string]map[string]hostileCase{
		"file": hostileFiles(), "key": hostileKeys(), "plugin": hostilePlugins(), "registry": hostileRegistries(),
		"kustomization": hostileKustomizations(), "source": hostileSources(), "command": hostileCommands(),
	} {
		total += len(cases)
		for name, c := range cases {
			t.Run(group+"/"+name, func(t *testing.T) {
				t.Parallel()
				hostile(t, c)
			})
		}
	}
	if total < 60 {
		t.Errorf("only %d hostile inputs, want 60", total)
	}
}

func hostile(t *testing.T, c hostileCase) {
	f := newFleet(t)
	c.spoil(f)
	if !c.dirtyTree {
		f.git("add", "-A")
		f.git("commit", "-q", "--allow-empty", "-m", "spoilt")
	}
	args := c.args
	if args == nil {
		args = []string{"publish"}
	}
	code, stdout, stderr := f.run(args...)
	printed := stdout + stderr
	if code != c.code {
		t.Errorf("exit code %d, want %d", code, c.code)
	}
	for _, want := range c.want {
		if !strings.Contains(printed, want) {
			t.Errorf("%q is not in the output", want)
		}
	}
	if !strings.Contains(printed, "hint: ") {
		t.Error("there is no hint")
	}
	for _, secret := range []string{"correct horse", "hunter2"} {
		if strings.Contains(printed, secret) {
			t.Errorf("the output shows a secret")
		}
	}
	if len(f.tags()) > 0 || (!c.mayPush && f.writes() > 0) {
		t.Errorf("the registry was written to:\n%s", strings.Join(f.gate.requests(), "\n"))
	}
	if t.Failed() || testing.Verbose() {
		t.Logf("exit code %d\n%s", code, printed)
	}
}
