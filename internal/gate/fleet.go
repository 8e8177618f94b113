package gate

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/artifactctl/artifactctl/internal/finding"
)

// fleet has one gate look at all of its apps at once.
func (s *session) fleet(ctx context.Context, g, slot int) error {
	gate, started := s.gates[g], time.Now()
	var apps []App
	hash := sha256.New()
	for _, app := range s.apps {
		if gate.looksAt(app) {
			apps = append(apps, app)
			fmt.Fprintf(hash, "%s %s\n", app.Content, app.Name)
		}
	}
	q := question{gate: gate.Name, content: hex.EncodeToString(hash.Sum(nil))}
	if findings, ok := s.recall(ctx, g, q); ok {
		s.finish(slot, g, finding.Result{Cached: true, Findings: findings})
		return nil
	}
	var result finding.Result
	err := s.slot(ctx, func() error {
		findings, err := s.fleetCommand(ctx, gate, apps)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil {
			findings = append(findings, broken(err))
		}
		result = finding.Result{Duration: time.Since(started), Findings: findings}
		return nil
	})
	if err != nil {
		return err
	}
	s.remember(g, q, nil, result)
	s.finish(slot, g, result)
	return nil
}

func (s *session) fleetCommand(ctx context.Context, gate checked, apps []App) ([]finding.Finding, error) {
	sheet, err := sheetOfFleet(ctx, s.scratch, apps)
	if err != nil {
		return nil, fmt.Errorf("copy manifests: %w", err)
	}
	defer sheet.remove()
	findings, err := gate.Run.judge(ctx, gate.Name, "", sheet)
	known := map[string]*places{}
	for i := range findings {
		f := &findings[i]
		f.App = appOf(f.File, apps)
		f.File = ""
		if f.App == "" {
			f.Line = 0
			continue
		}
		if known[f.App] == nil {
			known[f.App] = s.placesOf(ctx, f.App)
		}
		known[f.App].fill(f)
	}
	return findings, err
}

// placesOf returns the places of an app; none when its files cannot be had any more.
func (s *session) placesOf(ctx context.Context, name string) *places {
	for _, app := range s.apps {
		if app.Name == name {
			if files, err := app.load(ctx); err == nil {
				return shownTo(files)
			}
		}
	}
	return &places{}
}
