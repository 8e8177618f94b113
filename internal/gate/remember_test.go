package gate

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/artifactctl/artifactctl/internal/artifact"
	"github.com/artifactctl/artifactctl/internal/finding"
)

// counted returns a command that counts its starts, and the count.
func counted(t testing.TB, role string) (Gate, func() int) {
	t.Helper()
	name := filepath.Join(t.TempDir(), "count")
	t.Setenv(countVariable, name)
	gate := command(t, role)
	gate.Run.Env, gate.Run.Inputs = []string{countVariable, valueVariable}, []string{"policy"}
	writeFile(t, filepath.Join(gate.Run.Dir, "policy", "a.rego"), "deny")
	return gate, func() int {
		content, err := os.ReadFile(name)
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		return len(content)
	}
}

// An unchanged fleet of 500 apps runs no gate at all, and reads no file of any app; a changed app runs its own only.
func TestUnchangedFleetRunsNothing(t *testing.T) {
	gate, starts := counted(t, "pass")
	script := gate.Run.Command[0]
	if err := os.WriteFile(script, []byte("#!/bin/sh\nprintf x >> \"$"+countVariable+"\"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	run := *gate.Run
	run.Scope = PerFleet
	conform := conformGate(func(k *Kubeconform) { k.FleetCRDs, k.IgnoreMissingSchemas = true, true })
	o := Options{Gates: []Gate{conform, gate, {Name: "fleet", Run: &run}}, Dir: schemaDir(t), Cache: openCache(t, t.TempDir())}

	const n = 500
	loads := make([]atomic.Int64, n)
	apps := make([]App, n)
	set := func(i int, text string) {
		files := artifact.Files{artifact.ManifestsFile: []byte(text)}
		apps[i] = appWith(fmt.Sprintf("app-%03d", i), files)
		apps[i].Files = func(context.Context) (artifact.Files, error) {
			loads[i].Add(1)
			return files, nil
		}
	}
	for i := range apps {
		set(i, strings.Replace(configMap, "settings", fmt.Sprint("settings-", i), 1))
	}
	set(7, widgetCRD)
	runGates(t, o, apps...)
	if got := starts(); got != n+1 {
		t.Fatalf("%d starts in the first run, want one for each app and one for the fleet", got)
	}

	for i := range loads {
		loads[i].Store(0)
	}
	report := runGates(t, o, apps...)
	if len(report.Results) != 2*n+1 || starts() != n+1 {
		t.Errorf("%d results, %d more starts", len(report.Results), starts()-n-1)
	}
	for _, r := range report.Results {
		if !r.Cached || r.Status != finding.Passed {
			t.Errorf("%s of %s: %s, cached %t", r.Gate, r.App, r.Status, r.Cached)
		}
	}
	for i := range loads {
		if got := loads[i].Load(); got != 0 {
			t.Errorf("app %d was read %d times", i, got)
		}
	}

	set(3, strings.Replace(configMap, "red", "green", 1))
	for _, r := range runGates(t, o, apps...).Results {
		if want := r.App != "app-003" && r.Gate != "fleet"; r.Cached != want {
			t.Errorf("%s of %s: cached %t, want %t", r.Gate, r.App, r.Cached, want)
		}
	}
	if got := starts(); got != n+3 {
		t.Errorf("%d starts after one app has changed, want 2", got-n-1)
	}
}

// Whatever a result of a command depends on, a change of it has the command run again.
func TestCommandRunsAgain(t *testing.T) {
	tests := []struct {
		name   string
		change func(t *testing.T, g *Gate, app *App)
		again  bool
	}{
		{"nothing", func(*testing.T, *Gate, *App) {}, false},
		{"another timeout", func(_ *testing.T, g *Gate, _ *App) { g.Run.Timeout *= 2 }, false},
		{"another path of the app", func(_ *testing.T, _ *Gate, a *App) { a.Path = "elsewhere" }, false},
		{"content", func(_ *testing.T, _ *Gate, a *App) { *a = manifestApp("web", "a: 2\n") }, true},
		{"name of the app", func(_ *testing.T, _ *Gate, a *App) { a.Name = "other" }, true},
		{"name of the gate", func(_ *testing.T, g *Gate, _ *App) { g.Name = "other" }, true},
		{"severity", func(_ *testing.T, g *Gate, _ *App) { g.Severity = finding.Warning }, true},
		{"argument", func(_ *testing.T, g *Gate, _ *App) { g.Run.Command = append(g.Run.Command, "x") }, true},
		{"scope", func(_ *testing.T, g *Gate, _ *App) { g.Run.Scope = PerFleet }, true},
		{"value of a variable", func(t *testing.T, _ *Gate, _ *App) { t.Setenv(valueVariable, "new") }, true},
		{"value of another variable", func(t *testing.T, _ *Gate, _ *App) { t.Setenv("GATE_TEST_OTHER", "new") }, false},
		{"input", func(t *testing.T, g *Gate, _ *App) {
			writeFile(t, filepath.Join(g.Run.Dir, "policy", "a.rego"), "allow")
		}, true},
		{"new input", func(t *testing.T, g *Gate, _ *App) {
			writeFile(t, filepath.Join(g.Run.Dir, "policy", "b", "c.rego"), "")
		}, true},
		{"renamed input", func(t *testing.T, g *Gate, _ *App) {
			if err := os.Rename(filepath.Join(g.Run.Dir, "policy", "a.rego"), filepath.Join(g.Run.Dir, "policy", "b.rego")); err != nil {
				t.Fatal(err)
			}
		}, true},
		{"no input", func(t *testing.T, g *Gate, _ *App) {
			if err := os.RemoveAll(filepath.Join(g.Run.Dir, "policy")); err != nil {
				t.Fatal(err)
			}
		}, true},
		{"file that is named by an argument", func(t *testing.T, g *Gate, _ *App) {
			writeFile(t, filepath.Join(g.Run.Dir, "data.json"), "{}")
		}, true},
		{"program", func(t *testing.T, g *Gate, _ *App) {
			old, err := os.ReadFile(g.Run.Command[0])
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(g.Run.Command[0], append(old, "# new\n"...), 0o700); err != nil {
				t.Fatal(err)
			}
		}, true},
		{"nobody knows its inputs", func(_ *testing.T, g *Gate, _ *App) { g.Run.Inputs = nil }, true},
		{"input that cannot be digested", func(t *testing.T, g *Gate, _ *App) {
			if err := os.Symlink(g.Run.Dir, filepath.Join(g.Run.Dir, "policy", "loop")); err != nil {
				t.Fatal(err)
			}
		}, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			gate, starts := counted(t, "grep")
			gate.Run.Command = append(gate.Run.Command, "--data=data.json")
			app := manifestApp("web", "a: 1\n")
			o := Options{Gates: []Gate{gate}, Cache: openCache(t, t.TempDir())}
			runGates(t, o, app)
			test.change(t, &o.Gates[0], &app)
			r := runGates(t, o, app).Results[0]
			if again := starts() == 2; again != test.again || r.Cached == test.again {
				t.Errorf("%d starts, cached %t, want another start: %t", starts(), r.Cached, test.again)
			}
			if starts() == 0 {
				t.Error("the command was never started")
			}
		})
	}
}

// Refusals and broken gates are judged again each time; warnings are told again each time without running anything.
func TestWhatIsKept(t *testing.T) {
	bad := manifestApp("web", "bad: 1\n")
	for role, status := range map[string]finding.Status{"grep": finding.Refused, "crash": finding.Broken} {
		gate, starts := counted(t, role)
		o := Options{Gates: []Gate{gate}, Cache: openCache(t, t.TempDir())}
		runGates(t, o, bad)
		if r := runGates(t, o, bad).Results[0]; r.Cached || r.Status != status || starts() != 2 {
			t.Errorf("%s: %s, cached %t, %d starts", role, r.Status, r.Cached, starts())
		}
		o.Gates[0].Severity = finding.Warning
		runGates(t, o, bad)
		r := runGates(t, o, bad).Results[0]
		if want := role == "grep"; r.Cached != want || len(r.Findings) != 1 || r.Findings[0].Source != "apps/web/kustomization.yaml" {
			t.Errorf("%s that warns: %+v", role, r)
		}
	}
}

// A command that changes its own inputs leaves nothing behind that would be believed.
func TestInputsChangeMeanwhile(t *testing.T) {
	gate, starts := counted(t, "grep")
	gate.Run.Inputs = append(gate.Run.Inputs, os.Getenv(countVariable)) // which the command writes to
	o := Options{Gates: []Gate{gate}, Cache: openCache(t, t.TempDir())}
	for want := 1; want <= 2; want++ {
		if r := runGates(t, o, manifestApp("web", "a: 1\n")).Results[0]; r.Cached || starts() != want {
			t.Errorf("run %d: cached %t, %d starts", want, r.Cached, starts())
		}
	}
}

// Whatever a verdict of kubeconform's depends on, a change of it has the objects validated again.
func TestConformRunsAgain(t *testing.T) {
	custom := widgetCRD + "---\n"
	app, crds := manifestApp("web", configMap+"---\n"+widget("size: 2")), manifestApp("crds", widgetCRD)
	tests := []struct {
		name   string
		change func(t *testing.T, o *Options, apps []App)
		again  bool
		want   finding.Status
	}{
		{"nothing", func(*testing.T, *Options, []App) {}, false, finding.Passed},
		{"schema that is used", func(t *testing.T, o *Options, _ []App) {
			writeFile(t, filepath.Join(o.Dir, "schemas/v1.34.1-standalone-strict/configmap-v1.json"), `{"required":["x"]}`)
		}, true, finding.Refused},
		{"schema that is not used", func(t *testing.T, o *Options, _ []App) {
			writeFile(t, filepath.Join(o.Dir, "schemas/v1.34.1-standalone-strict/secret-v1.json"), `{}`)
		}, false, finding.Passed},
		{"definition", func(_ *testing.T, _ *Options, apps []App) {
			apps[1] = manifestApp("crds", strings.ReplaceAll(widgetCRD, "size", "width"))
		}, true, finding.Refused},
		{"the same definition elsewhere", func(_ *testing.T, _ *Options, apps []App) {
			apps[1] = manifestApp("other", custom+configMap)
		}, false, finding.Passed},
		{"definition that is gone", func(_ *testing.T, _ *Options, apps []App) { apps[1] = manifestApp("crds", configMap) }, true, finding.Refused},
		{"no strictness", func(_ *testing.T, o *Options, _ []App) { o.Gates[0].Kubeconform.Strict = false }, true, finding.Passed},
		{"rejected kind", func(_ *testing.T, o *Options, _ []App) { o.Gates[0].Kubeconform.RejectKinds = []string{"ConfigMap"} }, true, finding.Refused},
		{"ignored kind", func(_ *testing.T, o *Options, _ []App) { o.Gates[0].Kubeconform.IgnoreKinds = []string{"ConfigMap"} }, true, finding.Passed},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			gate := conformGate(func(k *Kubeconform) { k.FleetCRDs = true })
			gate.Apps = []string{"web"}
			o := Options{Gates: []Gate{gate}, Dir: schemaDir(t), Cache: openCache(t, t.TempDir())}
			apps := []App{app, crds}
			if r := runGates(t, o, apps...).Results[0]; r.Status != finding.Passed || r.Cached {
				t.Fatalf("first run: %+v", r)
			}
			test.change(t, &o, apps)
			if r := runGates(t, o, apps...).Results[0]; r.Cached == test.again || r.Status != test.want {
				t.Errorf("%s, cached %t\n%s", r.Status, r.Cached, brief(r))
			}
		})
	}
}

// An entry that is not as it was stored is not believed.
func TestDamagedEntryIsNotBelieved(t *testing.T) {
	gate, starts := counted(t, "grep")
	dir := t.TempDir()
	app := manifestApp("web", "a: 1\n")
	runGates(t, Options{Gates: []Gate{gate}, Cache: openCache(t, dir)}, app)
	names, err := filepath.Glob(filepath.Join(dir, "apps", "*"))
	if err != nil || len(names) != 1 {
		t.Fatalf("%d entries, %v", len(names), err)
	}
	content, err := os.ReadFile(names[0])
	if err != nil {
		t.Fatal(err)
	}
	content[40] ^= 1
	if err := os.WriteFile(names[0], content, 0o600); err != nil {
		t.Fatal(err)
	}
	if r := runGates(t, Options{Gates: []Gate{gate}, Cache: openCache(t, dir)}, app).Results[0]; r.Cached || starts() != 2 {
		t.Errorf("cached %t, %d starts", r.Cached, starts())
	}
}
