package engine

import (
	"context"
	"errors"
	"fmt"

	"github.com/artifactctl/artifactctl/internal/artifact"
	"github.com/artifactctl/artifactctl/internal/attest"
	"github.com/artifactctl/artifactctl/plugins/signer"
)

// The invariants of publishing. Each has a test.
//
//  1. No tag ever names bytes that are not signed. Content is pushed by digest only; the signature is checked by the
//     host with the policy that the cluster will use, then attached; a tag moves last, by one PUT, only onto a digest
//     whose attached signature was read back.
//  2. Every step is idempotent and its need is derived from the registry (and git). Killed anywhere, the same command
//     run again does exactly what is missing.
//  3. Same inputs, same manifest digest, on any machine, in any order, with any number of workers.
//  4. A tag of an immutable kind never moves. A rolling tag never moves backwards unless the user says so. A tag that
//     moved since the plan is a conflict.
//  5. A registry error never means "changed", "new" or "unsigned". Signed, unsigned and unknown are three states;
//     unknown fails after retries.
//  6. A signer gets digests and payloads, never registry credentials; the host never sees a key of the signer's.
//  7. A plan cannot write: it is handed a registry that refuses writes.
//  8. One app's failure never hides or stops another's. In a release, tags move only when every app is pushed, signed
//     and checked.

// Publish does what the plan says. A failure of one app is in its report, and the error is for what concerns the whole
// run: a source that must not be published, a context that is done.
func (e *Engine) Publish(ctx context.Context, plan *Plan) (*Report, error) {
	if e.Source.Dirty && e.Source.Version != "" {
		return nil, fmt.Errorf("a release cannot be published: %w", ErrDirty)
	}
	p := &publisher{Engine: e, run: e.start(len(plan.Apps)), plan: plan, ready: make([]bool, len(plan.Apps)),
		report: &Report{Source: plan.Source, Apps: begin(plan.Apps)}}
	release := e.Source.Version != ""
	stop, cancel := context.WithCancel(ctx)
	defer cancel()
	if e.FailFast && plan.Summary.Failed > 0 {
		cancel() // the first failure is behind us: every other app is reported as stopped
	}
	p.each(stop, func(ctx context.Context, i int) error {
		err := p.ensure(ctx, i)
		if err == nil && !release {
			err = p.tag(ctx, i)
		}
		p.run.finish()
		return err
	})
	if release && p.allReady() {
		p.each(ctx, p.tag)
	}
	p.report.Summary = summarize(p.report.Apps)
	return p.report, context.Cause(ctx)
}

// begin copies a plan's reports: nothing is done yet, and a tag that is to move is held until it did.
func begin(plan []AppReport) []AppReport {
	apps := make([]AppReport, len(plan))
	for i, a := range plan {
		a.Pushed, a.Signed = false, false
		a.Tags = append([]TagReport(nil), a.Tags...)
		for j := range a.Tags {
			if a.Tags[j].Status == TagMove {
				a.Tags[j].Status = TagHeld
			}
		}
		apps[i] = a
	}
	return apps
}

type publisher struct {
	*Engine
	run    *run
	plan   *Plan
	ready  []bool // by app: what its tags will name is there, signed and read back
	report *Report
}

// each works on every app that has not failed, and keeps the failures in their reports.
func (p *publisher) each(ctx context.Context, work func(ctx context.Context, i int) error) {
	p.run.each(ctx, len(p.plan.work), func(ctx context.Context, i int) error {
		if p.report.Apps[i].Failure != nil {
			return nil
		}
		err := work(ctx, i)
		if err != nil {
			p.report.Apps[i].fail(err)
		}
		return err
	})
}

func (p *publisher) allReady() bool {
	for _, ready := range p.ready {
		if !ready {
			return false
		}
	}
	return true
}

// ensure makes what the app's tags will name exist, signed and read back.
func (p *publisher) ensure(ctx context.Context, i int) error {
	w, r := p.plan.work[i], &p.report.Apps[i]
	if err := ctx.Err(); err != nil {
		return &StageError{App: w.app.Name, Stage: StagePush, Err: err}
	}
	if w.push {
		if err := p.push(ctx, w, r); err != nil {
			return err
		}
	}
	for _, format := range w.missing {
		if err := p.sign(ctx, w, r, format); err != nil {
			return err
		}
	}
	if len(w.missing) > 0 {
		if err := p.readBack(ctx, w, r); err != nil {
			return err
		}
	}
	p.ready[i] = true
	return nil
}

func (p *publisher) push(ctx context.Context, w *work, r *AppReport) error {
	return p.run.stage(w.app.Name, StagePush, func() (string, error) {
		if err := p.Registry.Push(ctx, w.app.Repository, w.built); err != nil {
			return "", err
		}
		r.Pushed = true
		return r.Repository + "@" + r.Digest, nil
	})
}

// sign gets one signature, checks it as a cluster would, and attaches it.
func (p *publisher) sign(ctx context.Context, w *work, r *AppReport, format artifact.Format) error {
	var stored artifact.Signature
	err := p.run.stage(w.app.Name, StageSign, func() (string, error) {
		request, err := attest.Request(format, r.Repository, r.Digest)
		if err != nil {
			return "", err
		}
		var answer signer.Signature
		err = p.patiently(ctx, isUnavailable, func() error {
			answer, err = p.Signer.Sign(ctx, request)
			return err
		})
		if err != nil {
			return "", err
		}
		stored, err = p.Policy.Accept(request, answer)
		return string(format), err
	})
	if err != nil {
		return err
	}
	return p.run.stage(w.app.Name, StageAttach, func() (string, error) {
		if err := p.Registry.Attach(ctx, w.app.Repository, w.target.Descriptor, stored); err != nil {
			return "", err
		}
		r.Signed = true
		return string(format), nil
	})
}

// readBack looks at the signatures as a verifier would. Some registries show a referrer only after a while.
func (p *publisher) readBack(ctx context.Context, w *work, r *AppReport) error {
	return p.run.stage(w.app.Name, StageCheck, func() (string, error) {
		err := p.patiently(ctx, func(err error) bool { return errors.Is(err, ErrUnsigned) }, func() error {
			signatures, err := p.Registry.Signatures(ctx, w.app.Repository, w.target.Descriptor)
			if err != nil {
				return fmt.Errorf("read back the signatures of %s: %w", r.Digest, err)
			}
			verdict := p.Policy.Judge(r.Digest, signatures, p.Formats)
			if !verdict.Good() {
				return unsignedError(r.Digest, verdict)
			}
			r.SignedBy = verdict.By
			return nil
		})
		return "signed by " + r.SignedBy, err
	})
}

func isUnavailable(err error) bool { return errors.Is(err, signer.ErrUnavailable) }
