package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/artifactctl/artifactctl/internal/artifact"
	"github.com/artifactctl/artifactctl/internal/attest"
)

// The invariants of publishing. Each has a test.
//
//  1. No tag ever names bytes that are not signed. Content is pushed by digest only; the signature is checked by the
//     host with the policy that the cluster will use, then attached; a tag moves last, by one PUT, only onto a digest
//     whose attached signature was read back, and with it the attestations that are wanted.
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
//  9. Where there are gates, only the content digest that passed them is pushed under an app's name.

// Publish does what the plan says. A failure of one app is in its report, and the error is for what concerns the whole
// run: a source that must not be published, a context that is done.
func (e *Engine) Publish(ctx context.Context, plan *Plan) (*Report, error) {
	if e.Source.Dirty && e.Source.Version != "" {
		return nil, fmt.Errorf("a release cannot be published: %w", ErrDirty)
	}
	n := len(plan.Apps)
	p := &publisher{Engine: e, run: e.start(n), plan: plan, ready: make([]bool, n), batched: make([]*artifact.Signature, n),
		report: &Report{Source: plan.Source, Apps: begin(plan.Apps)}}
	if e.Phase == PhaseTag {
		p.requireComplete()
	}
	p.ensureAll(ctx)
	if e.Source.Version != "" && e.Phase != PhasePush && p.allReady() {
		p.each(ctx, func(ctx context.Context, i int) error {
			return p.run.slot(func() error { return p.tag(ctx, i) })
		})
	}
	p.report.Summary = summarize(p.report.Apps)
	return p.report, context.Cause(ctx)
}

// ensureAll makes what the tags will name exist, signed and read back, and moves the tags unless this is a release. A
// batch signature needs all digests before it can be made; otherwise no app waits for another.
func (p *publisher) ensureAll(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	p.stopEarly(cancel)
	if !p.Batch {
		p.each(ctx, func(ctx context.Context, i int) error {
			if err := p.push(ctx, i); err != nil {
				return err
			}
			return p.complete(ctx, i)
		})
		return
	}
	p.each(ctx, p.push)
	p.stopEarly(cancel)
	p.signBatches(ctx)
	p.stopEarly(cancel)
	p.each(ctx, p.complete)
}

// stopEarly ends the run at the first failure, if that is wanted: every other app is reported as stopped.
func (p *publisher) stopEarly(cancel func()) {
	if p.FailFast && summarize(p.report.Apps).Failed > 0 {
		cancel()
	}
}

// begin copies a plan's reports: nothing is done yet, and a tag that is to move is held until it did.
func begin(plan []AppReport) []AppReport {
	apps := make([]AppReport, len(plan))
	for i, a := range plan {
		a.Pushed, a.Signed, a.Attested = false, false, nil
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
	run     *run
	plan    *Plan
	batched []*artifact.Signature // by app: the batch signature that covers it; nil without one
	ready   []bool                // by app: what its tags will name is there, signed and read back
	report  *Report
}

// each works on every app that has not failed, and keeps the failures in their reports. More apps are under way than
// there are slots, for those that wait for the signer need none.
func (p *publisher) each(ctx context.Context, work func(ctx context.Context, i int) error) {
	p.run.spread(ctx, len(p.plan.work), cap(p.run.slots)+signing, func(ctx context.Context, i int) error {
		if p.report.Apps[i].Failure != nil {
			return nil
		}
		err := work(ctx, i)
		if err != nil {
			p.report.Apps[i].fail(err)
			p.run.finish()
		}
		return err
	})
}

func (p *publisher) allReady() bool { return !slices.Contains(p.ready, false) }

// push stores what an app's tags will name, by digest.
func (p *publisher) push(ctx context.Context, i int) error {
	w, r := p.plan.work[i], &p.report.Apps[i]
	return p.run.slot(func() error {
		if err := ctx.Err(); err != nil {
			return &StageError{App: w.app.Name, Stage: StagePush, Err: err}
		}
		if !w.push {
			return nil
		}
		built, err := p.take(ctx, w)
		if err != nil {
			return err
		}
		return p.run.stage(w.app.Name, StagePush, func() (string, error) {
			if got := built.Manifest.Annotations[artifact.AnnotationContent]; got != r.Content {
				return "", fmt.Errorf("%w: it holds %s, and %s was judged and compared", ErrMoved, got, r.Content)
			}
			if err := p.Registry.Push(ctx, w.app.Repository, built); err != nil {
				return "", err
			}
			r.Pushed = true
			return r.Repository + "@" + r.Digest, nil
		})
	})
}

// complete makes what was pushed signed, and has its tags moved unless other apps must be ready first.
func (p *publisher) complete(ctx context.Context, i int) error {
	w, r := p.plan.work[i], &p.report.Apps[i]
	if err := ctx.Err(); err != nil {
		return &StageError{App: w.app.Name, Stage: StageSign, Err: err}
	}
	signatures, err := p.signAll(ctx, i)
	if err != nil {
		return err
	}
	if err := p.run.slot(func() error { return p.store(ctx, w, r, signatures) }); err != nil {
		return err
	}
	if err := p.attest(ctx, i); err != nil {
		return err
	}
	return p.run.slot(func() error {
		p.ready[i] = true
		if p.Source.Version == "" && p.Phase != PhasePush {
			if err := p.tag(ctx, i); err != nil {
				return err
			}
		}
		p.run.finish()
		return nil
	})
}

// store attaches signatures and reads them back.
func (p *publisher) store(ctx context.Context, w *work, r *AppReport, signatures []artifact.Signature) error {
	for _, s := range signatures {
		if err := p.attach(ctx, w, r, s); err != nil {
			return err
		}
	}
	if len(signatures) == 0 {
		return nil
	}
	return p.readBack(ctx, w, r)
}

func (p *publisher) attach(ctx context.Context, w *work, r *AppReport, s artifact.Signature) error {
	return p.run.stage(w.app.Name, StageAttach, func() (string, error) {
		if err := p.Registry.Attach(ctx, w.app.Repository, w.target.Descriptor, s); err != nil {
			return "", err
		}
		r.Signed = true
		return string(s.Format), nil
	})
}

func (p *publisher) readBack(ctx context.Context, w *work, r *AppReport) error {
	return p.run.stage(w.app.Name, StageCheck, func() (string, error) {
		by, err := p.signedBy(ctx, w.app.Repository, w.target.Descriptor)
		if err == nil {
			r.SignedBy = by
		}
		return "signed by " + by, err
	})
}

// signedBy looks at the signatures as a verifier would.
func (e *Engine) signedBy(ctx context.Context, repository string, subject artifact.Descriptor) (by string, err error) {
	err = e.await(ctx, repository, subject, func(v attest.Verdict) error {
		by = v.By
		return nil
	})
	return by, err
}

// await looks until a good signature is there, and whatever else has asks for: has returns ErrUnsigned for what is still
// to come. Some registries show a referrer only after a while.
func (e *Engine) await(ctx context.Context, repository string, subject artifact.Descriptor, has func(attest.Verdict) error) error {
	digest := subject.Digest.String()
	return e.patiently(ctx, func(err error) bool { return errors.Is(err, ErrUnsigned) }, func() error {
		signatures, err := e.Registry.Signatures(ctx, repository, subject)
		if err != nil {
			return fmt.Errorf("read back the signatures of %s: %w", digest, err)
		}
		verdict := e.Policy.Judge(digest, signatures, e.Formats)
		if !verdict.Good() {
			return unsignedError(digest, verdict)
		}
		return has(verdict)
	})
}
