package gate

import (
	"context"
	"errors"
	"fmt"
	"path"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/artifactctl/artifactctl/internal/artifact"
	"github.com/artifactctl/artifactctl/internal/finding"
	"github.com/artifactctl/artifactctl/internal/render/cache"
)

// identity is what the results of a gate depend on besides what it looks at; known is false when nobody can say.
type identity struct {
	key   cache.Key
	known bool
}

// identifyAll identifies the gates. Without a cache there is no need to.
func (s *session) identifyAll() []identity {
	all := make([]identity, len(s.gates))
	if s.memory == nil {
		return all
	}
	self, err := identifySelf()
	for n, gate := range s.gates {
		switch {
		case gate.Run != nil:
			all[n] = s.identifyCommand(gate)
		case err == nil:
			all[n] = identity{key: s.memory.identity(gate.conform.identify(self, gate.Severity)), known: true}
		}
	}
	return all
}

func (s *session) identifyCommand(gate checked) identity {
	fields, known := gate.Run.identify()
	if !known {
		return identity{}
	}
	return identity{key: s.memory.identity(append(fields, string(gate.Severity))), known: true}
}

// app has all gates look at one app. Its files are fetched only when a result is not known.
func (s *session) app(ctx context.Context, i int) error {
	app := s.apps[i]
	var pending []int // indices in byApp[i]
	for n, g := range s.byApp[i] {
		if findings, ok := s.recall(ctx, g, s.questionOf(g, app)); ok {
			s.finish(s.slotsOf[i][n], g, finding.Result{Cached: true, Findings: findings})
			continue
		}
		pending = append(pending, n)
	}
	if len(pending) == 0 {
		return nil
	}
	files, err := app.load(ctx)
	if err != nil {
		for _, n := range pending {
			s.finish(s.slotsOf[i][n], s.byApp[i][n], finding.Result{Findings: []finding.Finding{broken(err)}})
		}
		return ctx.Err()
	}
	results := make([]finding.Result, len(pending))
	group, ctx := errgroup.WithContext(ctx)
	for k, n := range pending {
		group.Go(func() error {
			return s.slot(ctx, func() (err error) {
				results[k], err = s.judgeApp(ctx, s.byApp[i][n], app, files)
				return err
			})
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	unchanged := artifact.ContentDigest(files) == app.Content
	for k, n := range pending {
		if !unchanged {
			results[k].Findings = append(results[k].Findings, broken(errors.New("the files changed while gates looked at them")))
		}
		s.finish(s.slotsOf[i][n], s.byApp[i][n], results[k])
	}
	return nil
}

// slot waits until a gate may judge.
func (s *session) slot(ctx context.Context, work func() error) error {
	select {
	case s.slots <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	defer func() { <-s.slots }()
	return work()
}

func (s *session) questionOf(g int, app App) question {
	return question{gate: s.gates[g].Name, subject: "app " + app.Name, content: app.Content}
}

func (s *session) recall(ctx context.Context, g int, q question) ([]finding.Finding, bool) {
	if !s.identities[g].known {
		return nil, false
	}
	gate := s.gates[g]
	return s.memory.recall(q, s.identities[g].key, func(uses []use) bool {
		return gate.conform == nil || s.schemas.hold(ctx, gate.conform, q.app(), uses)
	})
}

// app returns the name of the app that a question is about.
func (q question) app() string {
	const prefix = "app "
	if len(q.subject) < len(prefix) {
		return ""
	}
	return q.subject[len(prefix):]
}

// judgeApp has one gate look at one app. The error is that of a context that is done.
func (s *session) judgeApp(ctx context.Context, g int, app App, files artifact.Files) (finding.Result, error) {
	gate, started := s.gates[g], time.Now()
	var findings []finding.Finding
	var uses []use
	var troubles []error
	if gate.conform != nil {
		findings, uses, troubles = gate.conform.check(ctx, app.Name, files, s.schemas, s.judges)
	} else if all, err := s.command(ctx, gate, app, files); err != nil {
		troubles = []error{err}
	} else {
		findings = all
	}
	if ctx.Err() != nil {
		return finding.Result{}, context.Cause(ctx)
	}
	for _, trouble := range troubles {
		findings = append(findings, broken(trouble))
	}
	result := finding.Result{Duration: time.Since(started), Findings: findings}
	s.remember(g, s.questionOf(g, app), uses, result)
	return result, nil
}

// command runs a command on one app.
func (s *session) command(ctx context.Context, gate checked, app App, files artifact.Files) ([]finding.Finding, error) {
	places := shownTo(files)
	sheet, err := sheetOf(s.scratch, places.content)
	if err != nil {
		return nil, fmt.Errorf("copy manifests: %w", err)
	}
	defer sheet.remove()
	findings, err := gate.Run.judge(ctx, gate.Name, app.Name, sheet)
	for i := range findings {
		if !names(findings[i].File, streamFile) {
			findings[i].File, findings[i].Line = "", 0
		}
		places.fill(&findings[i])
	}
	return findings, err
}

// names tells whether a command may mean a file, or its standard input, by a path.
func names(given, file string) bool {
	switch path.Base(given) {
	case ".", "-", "stdin", "<stdin>", file:
		return true
	}
	return false
}

// severity fits a finding to its gate: what the gate calls an error is one only if the gate may refuse.
func (s *session) severity(g int, f finding.Finding) finding.Finding {
	if f.Severity != finding.Warning {
		f.Severity = s.gates[g].Severity
	}
	return f
}

// finish puts a result in its place.
func (s *session) finish(slot, g int, result finding.Result) {
	s.mu.Lock()
	defer s.mu.Unlock()
	to := &s.report.Results[slot]
	for i, f := range result.Findings {
		f = s.severity(g, f)
		f.Gate = to.Gate
		if to.App != "" {
			f.App = to.App
		}
		s.point(&f)
		result.Findings[i] = f
	}
	to.Status, to.Cached, to.Duration, to.Findings = finding.StatusOf(result.Findings), result.Cached, result.Duration, result.Findings
	if s.tell != nil {
		s.tell(*to)
	}
}

// point names the place in the repository where people should look.
func (s *session) point(f *finding.Finding) {
	f.Source, f.SourceLine = s.options.File, 0
	for _, app := range s.apps {
		switch {
		case app.Name != f.App:
		case app.Tree && f.File != "":
			f.Source, f.SourceLine = path.Join(app.Path, f.File), f.Line
		case app.Path != "":
			f.Source = app.Path
		}
	}
}

// broken makes a finding of the reason why a gate could not judge.
func broken(err error) finding.Finding {
	f := finding.Finding{Rule: finding.RuleBroken, Message: finding.Clean(err.Error()), Broken: true}
	var hinted interface{ Hint() string }
	if errors.As(err, &hinted) {
		f.Hint = hinted.Hint()
	}
	return f
}
