package engine_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/artifactctl/artifactctl/internal/artifact"
	"github.com/artifactctl/artifactctl/internal/engine"
	"github.com/artifactctl/artifactctl/internal/finding"
)

// guard is a gate that looks for a word; what it sees is kept.
type guard struct {
	refuse   string // content that is refused
	warn     bool
	err      error
	meddle   bool // writes into the files that it is given
	mu       sync.Mutex
	contents []string
}

func (g *guard) Check(ctx context.Context, apps []engine.Rendered, tell func(finding.Result)) (*finding.Report, error) {
	report := &finding.Report{}
	for _, a := range apps {
		files, err := a.Files(ctx)
		if err != nil {
			return nil, err
		}
		g.mu.Lock()
		g.contents = append(g.contents, a.Content)
		g.mu.Unlock()
		r := finding.Result{Gate: "guard", App: a.App}
		if text := string(files[artifact.ManifestsFile]); g.refuse != "" && strings.Contains(text, g.refuse) {
			severity := finding.Error
			if g.warn {
				severity = finding.Warning
			}
			r.Findings = []finding.Finding{{Gate: "guard", App: a.App, Severity: severity, Object: "ConfigMap/x", Message: "holds " + g.refuse}}
		}
		if g.meddle {
			files[artifact.ManifestsFile] = []byte("something else")
		}
		r.Status = finding.StatusOf(r.Findings)
		tell(r)
		report.Results = append(report.Results, r)
	}
	return report, g.err
}

// An app that a gate refuses is not looked up, pushed, signed or tagged, and the others are.
func TestGateRefusesOneApp(t *testing.T) {
	f := setup(t)
	f.Gates = &guard{refuse: "b1"}
	_, report := f.publish()
	b := report.Apps[1]
	var refused *engine.RefusedError
	if b.Failure == nil || b.Failure.Stage != engine.StageGate || !errors.As(b.Failure.Err, &refused) || !strings.Contains(b.Failure.Message, "ConfigMap/x: holds b1") {
		t.Fatalf("b: %+v", b.Failure)
	}
	if report.Apps[0].Failure != nil || report.Summary.Pushed != 1 || report.Summary.Failed != 1 || len(f.store.tags) != 2 {
		t.Errorf("a: %+v, tags %v", report.Apps[0], f.store.tags)
	}
	if i := slices.IndexFunc(f.store.log, func(line string) bool { return strings.Contains(line, "oci-b") }); i >= 0 {
		t.Errorf("the registry was asked about b: %s", f.store.log[i])
	}
	if g := report.Apps[0].Gates; len(g) != 1 || g[0].Status != finding.Passed || b.Gates[0].Status != finding.Refused {
		t.Errorf("gates of a: %+v, of b: %+v", g, b.Gates)
	}
}

func TestGateRefusesInARelease(t *testing.T) {
	f := setup(t)
	f.Source, f.Gates = released(c1, "1.0.0"), &guard{refuse: "b1"}
	if _, report := f.publish(); report.Summary.Failed != 1 || report.Summary.Tagged != 0 || len(f.store.tags) != 0 {
		t.Errorf("tags %v, summary %+v", f.store.tags, report.Summary)
	}
}

func TestGateThatWarns(t *testing.T) {
	f := setup(t)
	f.Gates = &guard{refuse: "b1", warn: true}
	if g := f.must().Apps[1].Gates; len(g) != 1 || g[0].Status != finding.Warned || len(g[0].Findings) != 1 {
		t.Errorf("gates %+v", g)
	}
}

// A gate that gives up publishes nothing at all.
func TestGateThatGivesUp(t *testing.T) {
	f := setup(t)
	f.Gates = &guard{err: errors.New("no room for copies")}
	if _, report := f.publish(); report.Summary.Failed != 2 || f.store.ops("push", "attach", "tag") != 0 {
		t.Errorf("summary %+v, requests %v", report.Summary, f.store.log)
	}
}

// What passed is what is pushed, by its digest: neither a gate that writes into what it looks at nor a source that
// changes in between gets anything else published.
func TestWhatPassedIsWhatIsPushed(t *testing.T) {
	f := setup(t)
	g := &guard{}
	f.Gates = g
	for i, a := range f.must().Apps {
		if a.Content != g.contents[i] {
			t.Errorf("%s: %s was judged, and %s is published", a.App, g.contents[i], a.Content)
		}
	}

	for name, change := range map[string]func(*fixture){
		"a gate that writes": func(f *fixture) { f.Gates = &guard{meddle: true} },
		"a source that changes": func(f *fixture) {
			f.Gates, f.Keep = &guard{}, 1
			f.Renderer = &fickle{tree: f.files, after: 2} // rendered, judged, and then compared
		},
		"a source that changes before it is judged": func(f *fixture) {
			f.Gates, f.Keep = &guard{}, 1
			f.Renderer = &fickle{tree: f.files, after: 1}
		},
	} {
		f := setup(t)
		change(f)
		_, report := f.publish()
		for _, a := range report.Apps {
			if a.Failure == nil || !errors.Is(a.Failure.Err, engine.ErrMoved) {
				t.Errorf("%s: %s: %+v", name, a.App, a.Failure)
			}
		}
		if f.store.ops("push", "attach", "tag") != 0 {
			t.Errorf("%s: the registry was written to", name)
		}
	}
}

// fickle renders something else after so many renders of an app.
type fickle struct {
	tree
	after int
	mu    sync.Mutex
	calls map[string]int
}

func (r *fickle) Render(ctx context.Context, app string) (artifact.Files, []string, error) {
	r.mu.Lock()
	if r.calls == nil {
		r.calls = map[string]int{}
	}
	r.calls[app]++
	late := r.calls[app] > r.after
	r.mu.Unlock()
	if late {
		return content("changed"), nil, nil
	}
	return r.tree.Render(ctx, app)
}

// Gate needs neither registry nor signer, and counts what it cannot render apart.
func TestGateAlone(t *testing.T) {
	f := setup(t)
	f.Registry, f.Signer, f.Gates = nil, nil, &guard{refuse: "b1"}
	gated, err := f.Gate(t.Context(), apps("a", "b", "missing"))
	if err != nil {
		t.Fatal(err)
	}
	if gated.Passed != 1 || gated.Refused != 1 || gated.Failed != 1 || len(gated.Report.Results) != 2 || gated.Apps[0].Content == "" {
		t.Errorf("got %+v", gated)
	}
}
