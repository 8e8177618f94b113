package main_test

import (
	"context"
	"flag"
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
	"sync"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/rogpeppe/go-internal/testscript"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"

	"github.com/artifactctl/artifactctl/plugins/signer/sigstoretuf/tuftest"
)

var update = flag.Bool("update", false, "write what the commands print into the scripts")

// binaries is where TestMain built artifactctl and its signers, as a release lays them out.
var binaries string

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(testMain(m))
}

func testMain(m *testing.M) int {
	dir, err := os.MkdirTemp("", "artifactctl")
	if err != nil {
		log.Print(err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	// The signer has race tests of its own, and opening a key takes ten times as long with the detector.
	program := []string{"build", "-o", dir, "."}
	if raceEnabled {
		program = []string{"build", "-race", "-o", dir, "."}
	}
	for _, args := range [][]string{program, {"build", "-o", dir, "../../plugins/signer-file"}} {
		if out, err := exec.Command("go", args...).CombinedOutput(); err != nil {
			log.Printf("go %v: %v\n%s", args, err, out)
			return 1
		}
	}
	binaries = dir
	return m.Run()
}

// TestScripts runs the whole program as a user types it. Each script has registries of its own: $REGISTRY keeps
// referrers under fallback tags, $REGISTRY_REFERRERS has the referrers API.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		UpdateScripts:       *update,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup:               setup,
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"registry": registryCommand,
			"commit":   commitCommand,
			"validate": validateCommand,
			"tuf":      tufCommand,
			"upstream": upstreamCommand,
		},
	})
}

type registryKey struct{}

func setup(env *testscript.Env) error {
	plain := &gate{handler: registry.New(registry.Logger(log.New(io.Discard, "", 0)))}
	api := &gate{handler: registry.New(registry.Logger(log.New(io.Discard, "", 0)), registry.WithReferrersSupport(true))}
	for name, g := range map[string]*gate{"REGISTRY": plain, "REGISTRY_REFERRERS": api} {
		server := httptest.NewServer(g)
		env.Defer(server.Close)
		env.Setenv(name, strings.TrimPrefix(server.URL, "http://"))
	}
	env.Values[registryKey{}] = plain
	env.Values[tufKey{}] = map[string]*tuftest.Repository{}
	home := filepath.Join(env.WorkDir, ".home")
	if err := os.Mkdir(home, 0o755); err != nil {
		return err
	}
	for k, v := range map[string]string{
		"PATH": binaries + string(filepath.ListSeparator) + os.Getenv("PATH"), "HOME": home, "TMPDIR": os.TempDir(), "BIN": binaries,
		"GIT_CONFIG_GLOBAL": os.DevNull, "GIT_CONFIG_NOSYSTEM": "1",
		"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@example.com", "GIT_AUTHOR_DATE": "2026-11-01T10:00:00+01:00",
		"GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@example.com", "GIT_COMMITTER_DATE": "2026-11-01T10:00:00+01:00",
		"COSIGN_PASSWORD": "correct horse",
	} {
		env.Setenv(k, v)
	}
	return nil
}

// gate is a registry that can be told to fail, and that remembers what it was asked.
type gate struct {
	handler http.Handler
	mu      sync.Mutex
	fail    func(w http.ResponseWriter, r *http.Request) bool
	log     []string
}

func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	g.log = append(g.log, r.Method+" "+r.URL.Path)
	fail := g.fail
	g.mu.Unlock()
	if fail == nil || !fail(w, r) {
		g.handler.ServeHTTP(w, r)
	}
}

// failWith makes the registry ask fail about each request first.
func (g *gate) failWith(fail func(w http.ResponseWriter, r *http.Request) bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.fail = fail
}

// requests lists what the registry was asked.
func (g *gate) requests() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.log)
}

// registryCommand is `registry fail METHOD SUBSTRING STATUS`, `registry heal`, `registry tags REPOSITORY`, which prints
// to the file tags, `registry writes N`, which wants that many writing requests since the last `registry heal`,
// `registry hang`, which answers nothing more, and `registry wait`, which waits for a request.
func registryCommand(ts *testscript.TestScript, neg bool, args []string) {
	g, _ := ts.Value(registryKey{}).(*gate)
	if neg || len(args) == 0 {
		ts.Fatalf("usage: registry fail|heal|tags|writes|hang|wait")
	}
	if args[0] == "wait" {
		deadline := time.Now().Add(time.Minute)
		for len(g.requests()) == 0 {
			if time.Now().After(deadline) {
				ts.Fatalf("the registry was asked nothing")
			}
			time.Sleep(5 * time.Millisecond)
		}
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	switch args[0] {
	case "hang":
		g.fail = func(_ http.ResponseWriter, r *http.Request) bool {
			<-r.Context().Done()
			return true
		}
	case "fail":
		method, part, status := args[1], args[2], args[3]
		g.fail = func(w http.ResponseWriter, r *http.Request) bool {
			if (method != "ANY" && r.Method != method) || !strings.Contains(r.URL.Path, part) {
				return false
			}
			var code int
			_, _ = fmt.Sscan(status, &code)
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(code)
			fmt.Fprint(w, `{"errors":[{"code":"DENIED","message":"said the registry"}]}`)
			return true
		}
	case "heal":
		g.fail, g.log = nil, nil
	case "writes":
		n := 0
		for _, line := range g.log {
			if !strings.HasPrefix(line, "GET ") && !strings.HasPrefix(line, "HEAD ") {
				n++
			}
		}
		if fmt.Sprint(n) != args[1] {
			ts.Fatalf("the registry got %d writing requests, want %s:\n%s", n, args[1], strings.Join(g.log, "\n"))
		}
	case "tags":
		r := httptest.NewRequestWithContext(context.Background(), http.MethodGet, "/v2/"+args[1]+"/tags/list", nil)
		w := httptest.NewRecorder()
		g.handler.ServeHTTP(w, r)
		ts.Check(os.WriteFile(ts.MkAbs("tags"), w.Body.Bytes(), 0o644))
	default:
		ts.Fatalf("unknown: registry %s", args[0])
	}
}

// commitCommand is `commit MESSAGE`: it makes the working directory a repository if need be, and commits everything.
func commitCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: commit MESSAGE")
	}
	if _, err := os.Stat(ts.MkAbs(".git")); err != nil {
		ts.Check(ts.Exec("git", "init", "-q", "-b", "main"))
		ts.Check(ts.Exec("git", "remote", "add", "origin", "https://git.example.com/org/fleet.git"))
		ts.Check(os.WriteFile(ts.MkAbs(".git/info/exclude"), []byte(".home\nout\ntags\n*.key\n*.json\n*.md\nstdout\nstderr\n"), 0o644))
	}
	ts.Check(ts.Exec("git", "add", "-A"))
	ts.Check(ts.Exec("git", "commit", "-q", "--allow-empty", "-m", args[0]))
}

// validateCommand is `validate SCHEMA FILE`: the file, JSON or YAML, has to be as the schema says.
func validateCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: validate SCHEMA FILE")
	}
	text, err := jsonschema.UnmarshalJSON(strings.NewReader(ts.ReadFile(args[0])))
	ts.Check(err)
	compiler := jsonschema.NewCompiler()
	ts.Check(compiler.AddResource("schema.json", text))
	schema, err := compiler.Compile("schema.json")
	ts.Check(err)
	var document any
	ts.Check(yaml.Unmarshal([]byte(ts.ReadFile(args[1])), &document))
	ts.Check(schema.Validate(document))
}
