package main

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/artifactctl/artifactctl/internal/attest"
	"github.com/artifactctl/artifactctl/internal/engine"
	"github.com/artifactctl/artifactctl/plugins/signer"
	"github.com/artifactctl/artifactctl/plugins/signer/rpc"
)

// lateSigner is a signer that is started as soon as an app turns out to have changed, while the others are still being
// planned, and before anything is pushed. A run with nothing to sign does without.
type lateSigner struct {
	start  func() (*rpc.Process, error) // starts it once; nil when nobody has to wait for work
	begun  atomic.Bool
	failed context.CancelFunc // ends the planning
}

// Sign implements engine.Signer.
func (l *lateSigner) Sign(ctx context.Context, r signer.Request) (signer.Signature, error) {
	process, err := l.start()
	if err != nil {
		return signer.Signature{}, err
	}
	return process.Sign(ctx, r)
}

// begin starts the signer in the background.
func (l *lateSigner) begin() {
	if l.begun.Swap(true) {
		return
	}
	go func() {
		if _, err := l.start(); err != nil {
			l.failed()
		}
	}()
}

// waitToSign makes the signer, whose signatures trust will check, wait for work, if this command can do with that.
func (s *session) waitToSign(ctx context.Context, trust attest.Policy) bool {
	if s.late == nil {
		return false
	}
	s.late.start = sync.OnceValues(func() (*rpc.Process, error) {
		process, info, err := s.startSigner(ctx, s.cfg.Signer)
		if err != nil {
			return nil, err
		}
		return process, s.checkSigner(trust, info)
	})
	s.engine.Signer = s.late
	return true
}

// planToSign plans and, if something is to be signed, has the signer ready: what is wrong with it is found before
// anything is pushed.
func (s *session) planToSign(ctx context.Context) (*engine.Plan, error) {
	if s.late == nil || s.late.start == nil {
		return s.engine.Plan(ctx, s.apps)
	}
	planning, stop := context.WithCancel(ctx)
	defer stop()
	events := s.engine.Events
	s.late.failed = stop
	s.engine.Events = func(e engine.Event) {
		events(e)
		if e.Stage == engine.StageCompare && e.Status == engine.Done && e.Note != string(engine.Unchanged) {
			s.late.begin()
		}
	}
	plan, err := s.engine.Plan(planning, s.apps)
	s.engine.Events = events
	unsigned := plan != nil && slices.ContainsFunc(plan.Apps, func(a engine.AppReport) bool { return a.Signed || len(a.Attested) > 0 })
	if !unsigned && !s.late.begun.Load() {
		return plan, err
	}
	if _, serr := s.late.start(); serr != nil && ctx.Err() == nil {
		return nil, serr
	}
	return plan, err
}
