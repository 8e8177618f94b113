package gate

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/artifactctl/artifactctl/internal/artifact"
	"github.com/artifactctl/artifactctl/internal/finding"
)

const configMap = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: settings\n  namespace: web\ndata:\n  color: red\n"

func TestCommandPassesAndRefuses(t *testing.T) {
	gate := command(t, "grep")
	if r := runOne(t, gate, manifestApp("web", configMap)); r.Status != finding.Passed || len(r.Findings) != 0 {
		t.Errorf("got %s with %q, want passed", r.Status, brief(r))
	}
	bad := manifestApp("web", strings.ReplaceAll(configMap, "red", "bad"))
	r := runOne(t, gate, bad)
	if want := "web/manifests.yaml: error: line 7 is bad (grep: refused)\n"; brief(r) != want || r.Status != finding.Refused {
		t.Errorf("got %s with %q, want %q", r.Status, brief(r), want)
	}
	gate.Severity = finding.Warning
	report := runGates(t, Options{Gates: []Gate{gate}}, bad)
	if got := report.Results[0]; got.Status != finding.Warned || got.Findings[0].Severity != finding.Warning || len(blocking(report, "web")) != 0 {
		t.Errorf("got %s with %q of a gate that only warns", got.Status, brief(got))
	}
	if got := passed(report, "web"); !slices.Equal(got, []string{"grep"}) {
		t.Errorf("passed %q", got)
	}
}

// A command sees the manifests twice, its directory, its arguments, and no variables but those that it lists and ours.
func TestCommandSurroundings(t *testing.T) {
	t.Setenv(valueVariable, "seen")
	t.Setenv("GATE_TEST_OTHER", "hidden")
	gate := command(t, "show", "--app={app}", "{manifests}", "{other}")
	gate.Run.Env = []string{valueVariable, "GATE_TEST_UNSET"}
	r := runOne(t, gate, manifestApp("web", configMap))
	if len(r.Findings) != 1 {
		t.Fatalf("got %q", brief(r))
	}
	text := r.Findings[0].Message
	dir, err := filepath.EvalSymlinks(gate.Run.Dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"dir=" + dir + "\n", `args=["--app=web" "`, `/manifests.yaml" "{other}"]`, "same=true", `"` + valueVariable + `=seen"`,
		`"ARTIFACTCTL_APP=web"`, `"ARTIFACTCTL_GATE=show"`, `"ARTIFACTCTL_MANIFESTS=/`, "stdin=" + strconv.Quote(configMap),
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in\n%s", want, text)
		}
	}
	for _, unwanted := range []string{"hidden", "GATE_TEST_UNSET", "HOME=", "\"PATH="} {
		if strings.Contains(text, unwanted) {
			t.Errorf("%q is in\n%s", unwanted, text)
		}
	}
}

// The files of an app whose directory is published as it stands come as one stream.
func TestCommandSeesAllManifests(t *testing.T) {
	gate := command(t, "show")
	text := runOne(t, gate, testApp("web", "-- b.yaml --\nb: 1\n-- a/x.yml --\na: 1\n-- README.md --\nhello\n")).Findings[0].Message
	if want := `stdin="a: 1\n---\nb: 1\n"`; !strings.Contains(text, want) {
		t.Errorf("%q is missing in\n%s", want, text)
	}
}

func TestBrokenCommands(t *testing.T) {
	tests := []struct {
		role, command string
		timeout       time.Duration
		memory        int64
		message, hint string
	}{
		{role: "crash", message: "/crash ended by signal: killed\nlast words"},
		{role: "panic", message: "/panic crashed (exit status 2)\npanic: no policy"},
		{role: "hang", timeout: 300 * time.Millisecond, message: "did not end within 300ms and was killed", hint: "longer timeout"},
		{role: "flood", message: "printed more than 16 MiB and was killed"},
		{role: "notfound", message: "ended with exit status 127: there was no command to run", hint: "PATH"},
		{role: "alter", message: "has altered its copy of manifests.yaml", hint: "a gate only looks"},
		{command: "no-such-program-anywhere", message: "find no-such-program-anywhere: executable file not found", hint: "install it"},
		{command: "./nothing", message: "find ./nothing: no such file or directory", hint: "install it"},
		{command: "./directory", message: "find ./directory: is a directory", hint: "install it"},
		{command: "./rubbish", message: "start ./rubbish: exec format error"},
		{command: "dd if=/dev/zero of=/dev/null bs=1G count=1", memory: 64 << 20, message: "dd ran out of memory", hint: "64 MiB each"},
	}
	for _, test := range tests {
		t.Run(test.role+test.command, func(t *testing.T) {
			var gate Gate
			if test.role != "" {
				gate = command(t, test.role)
			} else {
				words, err := Split(test.command)
				if err != nil {
					t.Fatal(err)
				}
				gate = Gate{Name: "other", Run: &Run{Command: words, Dir: unpack(t, "-- directory/file --\n-- rubbish --\n\x01\x02\n")}}
				if err := os.Chmod(filepath.Join(gate.Run.Dir, "rubbish"), 0o700); err != nil {
					t.Fatal(err)
				}
			}
			if test.timeout > 0 {
				gate.Run.Timeout = test.timeout
			}
			if test.memory > 0 {
				gate.Run.Memory = test.memory
			}
			report := runGates(t, Options{Gates: []Gate{gate, command(t, "grep")}}, manifestApp("web", configMap))
			r := report.Results[0]
			if r.Status != finding.Broken || len(r.Findings) != 1 {
				t.Fatalf("got %s with %q, want broken", r.Status, brief(r))
			}
			f := r.Findings[0]
			if !f.Broken || f.Severity != finding.Error || f.App != "web" || !strings.Contains(f.Message, test.message) || !strings.Contains(f.Hint, test.hint) {
				t.Errorf("got %+v, want message %q and hint %q", f, test.message, test.hint)
			}
			if len(blocking(report, "web")) != 1 || !slices.Equal(passed(report, "web"), []string{"grep"}) {
				t.Errorf("blocking %v, passed %v", blocking(report, "web"), passed(report, "web"))
			}
		})
	}
}

// A command that only warns does not keep an app from being published when it is broken, and has not passed it either.
func TestBrokenWarning(t *testing.T) {
	gate := command(t, "crash")
	gate.Severity = finding.Warning
	report := runGates(t, Options{Gates: []Gate{gate}}, manifestApp("web", configMap))
	if r := report.Results[0]; r.Status != finding.Broken || len(blocking(report, "web")) != 0 || len(passed(report, "web")) != 0 {
		t.Errorf("got %s, blocking %v, passed %v", r.Status, blocking(report, "web"), passed(report, "web"))
	}
}

// What a command leaves behind ends with it, whether it was killed or ended by itself.
func TestNothingIsLeftBehind(t *testing.T) {
	gate := command(t, "hang")
	gate.Run.Timeout = 500 * time.Millisecond
	r := runOne(t, gate, manifestApp("web", configMap))
	_, pid, _ := strings.Cut(r.Findings[0].Message, "\n")
	waitGone(t, pid)

	note := filepath.Join(t.TempDir(), "pid")
	started := time.Now()
	r = runOne(t, command(t, "leave", note), manifestApp("web", configMap))
	if r.Status != finding.Passed {
		t.Errorf("got %s with %q, want passed", r.Status, brief(r))
	}
	if took := time.Since(started); took > 30*time.Second {
		t.Errorf("waited %s for what was left behind", took)
	}
	left, err := os.ReadFile(note)
	if err != nil {
		t.Fatal(err)
	}
	waitGone(t, string(left))
}

// waitGone waits until a process does not exist, or is only waiting to be reaped.
func waitGone(t *testing.T, text string) {
	t.Helper()
	pid, err := strconv.Atoi(strings.TrimSpace(text))
	if err != nil {
		t.Fatalf("no process id in %q", text)
	}
	deadline := time.Now().Add(10 * time.Second)
	for time.Now().Before(deadline) {
		stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
		if err != nil && errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) || err == nil && strings.Contains(string(stat), ") Z ") {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Errorf("process %d is still there", pid)
}

func TestLongRefusalIsCut(t *testing.T) {
	r := runOne(t, command(t, "many"), manifestApp("web", configMap))
	if r.Status != finding.Refused || len(r.Findings) != 1 {
		t.Fatalf("got %s", r.Status)
	}
	text := r.Findings[0].Message
	if len(text) > MaxMessage+100 || !strings.HasSuffix(text, "\n(and 9 bytes more)") {
		t.Errorf("got %d bytes that end in %q", len(text), text[len(text)-40:])
	}
}

func TestSilentRefusal(t *testing.T) {
	r := runOne(t, command(t, "silent"), manifestApp("web", configMap))
	if text := r.Findings[0].Message; !strings.HasSuffix(text, "refused with exit status 3, without a word") {
		t.Errorf("got %q", text)
	}
}

func TestStructuredOutput(t *testing.T) {
	sarif := `{"version":"2.1.0","runs":[{"tool":{"driver":{"name":"x","rules":[{"id":"R1","defaultConfiguration":{"level":"error"}}]}},"results":[
		{"ruleId":"R1","message":{"text":"no red"},"locations":[{"physicalLocation":{"artifactLocation":{"uri":"file:///x/manifests.yaml"},"region":{"startLine":10}}}]},
		{"ruleId":"R2","message":{"text":"hm"},"locations":[{"physicalLocation":{"artifactLocation":{"uri":"policy.rego"},"region":{"startLine":3}}}]},
		{"ruleId":"R1","message":{"text":"no"},"suppressions":[{"kind":"inSource"}]},{"ruleId":"R1","kind":"pass","message":{"text":"yes"}}]}]}`
	tests := []struct {
		name   string
		format Format
		output string
		refuse bool
		want   string
	}{
		{"conftest", Conftest, `[{"filename":"-","namespace":"main","failures":[{"msg":"no red"}],"warnings":[{"msg":"hm"}]}]`, true,
			"web/manifests.yaml: error: no red (print: main)\nweb/manifests.yaml: warning: hm (print: main)\n"},
		{"conftest warns", Conftest, `[{"filename":"","namespace":"main","warnings":[{"msg":"hm"}]}]`, false, "web/manifests.yaml: warning: hm (print: main)\n"},
		{"conftest passes", Conftest, `[{"filename":"","namespace":"main","successes":1}]`, false, ""},
		{"conftest refuses for no reason", Conftest, `[{"filename":"","namespace":"main"}]`, true,
			"web/manifests.yaml: error: print refused with exit status 1, without a word (print: refused)\n"},
		{"conftest looked at nothing", Conftest, `[]`, false,
			"web/manifests.yaml: error: print did not print conftest (exit status 0): it has looked at nothing (print: broken)\n  hint: run conftest with --output json\n"},
		{"conftest in words", Conftest, `FAIL - no red`, true,
			"web/manifests.yaml: error: print did not print conftest (exit status 1): invalid character 'F' looking for beginning of value (print: broken)\n  hint: run conftest with --output json\n"},
		{"sarif", Sarif, sarif, true, "web/manifests.yaml:10: error: ConfigMap/web/two: no red (print: R1)\nweb/manifests.yaml: warning: hm (print: R2)\n"},
		{"sarif refuses without status", Sarif, sarif, false,
			"web/manifests.yaml:10: error: ConfigMap/web/two: no red (print: R1)\nweb/manifests.yaml: warning: hm (print: R2)\n"},
		{"sarif of another form", Sarif, `{"version":1}`, false,
			"web/manifests.yaml: error: print did not print sarif (exit status 0): the JSON is of another form (print: broken)\n" +
				"  hint: have the command print a SARIF 2.1.0 log to standard output, and all else to standard error\n"},
	}
	app := manifestApp("web", configMap+"---\n"+strings.ReplaceAll(configMap, "settings", "two"))
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			status := ""
			if test.refuse {
				status = "x"
			}
			gate := command(t, "print", test.output, status)
			gate.Run.Format = test.format
			r := runOne(t, gate, app)
			if got := strings.ReplaceAll(brief(r), filepath.Dir(gate.Run.Command[0])+"/", ""); got != test.want && !strings.Contains(test.want, "broken") {
				t.Errorf("got\n%swant\n%s", got, test.want)
			} else if strings.Contains(test.want, "broken") && strings.ReplaceAll(got, "web: error", "web/manifests.yaml: error") != test.want {
				t.Errorf("got\n%swant\n%s", got, test.want)
			}
		})
	}
}

func TestFleetCommand(t *testing.T) {
	good, bad := manifestApp("good", configMap), manifestApp("bad", strings.ReplaceAll(configMap, "red", "bad"))
	odd, other := manifestApp("odd", strings.ReplaceAll(configMap, "red", "odd")), manifestApp("other", "bad: other\n")
	gate := command(t, "conftest")
	gate.Run.Scope, gate.Run.Format, gate.Apps = PerFleet, Conftest, []string{"good", "bad", "odd"}
	report := runGates(t, Options{Gates: []Gate{gate}}, good, bad, odd, other)
	if len(report.Results) != 1 || report.Results[0].App != "" || !slices.Equal(report.Results[0].Apps, gate.Apps) {
		t.Fatalf("got %+v", report.Results)
	}
	if want := "bad/manifests.yaml: error: bad it is (conftest: main)\nodd/manifests.yaml: warning: odd it is (conftest: main)\n"; brief(report.Results[0]) != want {
		t.Errorf("got\n%swant\n%s", brief(report.Results[0]), want)
	}
	for app, blocked := range map[string]int{"good": 0, "bad": 1, "odd": 0, "other": 0} {
		if got := blocking(report, app); len(got) != blocked {
			t.Errorf("%s: blocked by %v", app, got)
		}
		if passed := slices.Contains(passed(report, app), "conftest"); passed != (app == "good" || app == "odd") {
			t.Errorf("%s: passed %t", app, passed)
		}
	}
}

// A refusal of the whole fleet that names no app refuses each that the gate looked at, and no other.
func TestFleetRefusal(t *testing.T) {
	gate := command(t, "show", "{manifests}")
	gate.Run.Scope, gate.Apps = PerFleet, []string{"a", "b"}
	report := runGates(t, Options{Gates: []Gate{gate}}, manifestApp("a", "a: 1"), manifestApp("b", "b: 1\n"), manifestApp("c", "c: 1\n"))
	for app, blocked := range map[string]bool{"a": true, "b": true, "c": false} {
		if got := len(blocking(report, app)) > 0; got != blocked {
			t.Errorf("%s: blocked %t", app, got)
		}
	}
	text := report.Results[0].Findings[0].Message
	for _, want := range []string{`files=["a.yaml" "b.yaml"]`, `stdin="a: 1\n---\nb: 1\n\n"`, `/apps"]`} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in\n%s", want, text)
		}
	}
	if strings.Contains(text, "ARTIFACTCTL_APP") {
		t.Errorf("a gate of the fleet is told an app:\n%s", text)
	}
}

// A run that is cancelled kills its commands and says so.
func TestCancel(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	gate := command(t, "hang")
	count := filepath.Join(t.TempDir(), "count")
	t.Setenv(countVariable, count)
	gate.Run.Env = []string{countVariable}
	go func() {
		for {
			if _, err := os.Stat(count); err == nil {
				cancel()
				return
			}
			time.Sleep(time.Millisecond)
		}
	}()
	if _, err := newRunner(t, Options{Gates: []Gate{gate}}).Check(ctx, []App{manifestApp("web", configMap)}, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want that it was cancelled", err)
	}
}

// Files that are not those that were announced are never judged.
func TestContentIsProven(t *testing.T) {
	gate := command(t, "grep")
	app := manifestApp("web", configMap)
	app.Content = artifact.ContentDigest(artifact.Files{"x": nil})
	r := runOne(t, gate, app)
	if r.Status != finding.Broken || !strings.Contains(r.Findings[0].Message, "content does not match") {
		t.Errorf("got %s with %q", r.Status, brief(r))
	}
}

// A log that this program has written can be read as that of a gate.
func TestSarifRoundTrip(t *testing.T) {
	said := []finding.Finding{
		{Gate: "g", App: "a", Severity: finding.Error, Object: "Deployment/web/api", Message: "spec.replicas: got string, want integer"},
		{Gate: "g", App: "b", Severity: finding.Warning, File: "manifests.yaml", Line: 3, Message: "old"},
	}
	content, err := finding.SARIF(&finding.Report{Results: []finding.Result{{Gate: "g", App: "a", Findings: said}}}, "1.2.3")
	if err != nil {
		t.Fatal(err)
	}
	read, err := fromSarif(content)
	if err != nil || len(read) != len(said) {
		t.Fatalf("%d findings, %v", len(read), err)
	}
	for i, f := range said {
		if read[i].Severity != f.Severity || !strings.Contains(read[i].Message, f.Message) {
			t.Errorf("finding %d: got %+v", i, read[i])
		}
	}
}
