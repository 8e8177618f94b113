package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/artifactctl/artifactctl/internal/artifact"
	"github.com/artifactctl/artifactctl/internal/attest"
)

// Copier copies artifacts from the registry of one environment to that of another. It is called concurrently.
type Copier interface {
	// Copy makes the artifact that subject names, and all that refers to it, be in the repository to. It moves no tag of
	// content, keeps the signatures that are there, and sends nothing twice. It returns how many manifests it wrote, and
	// the bytes of blobs that it sent.
	Copy(ctx context.Context, from, to string, subject artifact.Descriptor) (manifests int, sent int64, err error)
}

// Promotion says from where apps are promoted. The engine that promotes is the target's.
type Promotion struct {
	From   *Engine // of the source: Registry, Policy, Formats, Tags, Host, and Source if Tag is empty
	Copier Copier
	Tag    string // to promote in each repository; empty means the app's own, as in Verify
	Sign   bool   // have the target's signer sign what its policy would not accept
	DryRun bool   // sign nothing and move no tag; the Copier only counts what it would copy
}

// Promote gives each app's artifact in one environment to another: the same digest, with all that refers to it. It is
// verified before with the source's policy and after with the target's, and only then tags move, by the target's rules
// and those of Publish. When a release is promoted no tag moves before every app is copied and verified. Nothing is
// rendered. What is there is not done again, so that the same promotion run again does exactly what is missing.
//
// A failure of one app is in its report; the error is for what concerns the whole run.
func (e *Engine) Promote(ctx context.Context, promotion Promotion, apps []App) (*PromotionReport, error) {
	source := *promotion.From
	source.Registry, source.Reproducer = readOnly{source.Registry}, nil
	promotion.From = &source
	if promotion.DryRun {
		target := *e
		target.Registry = readOnly{target.Registry}
		e = &target
	}
	p := &promoter{Engine: e, Promotion: promotion, run: e.start(len(apps)), work: make([]*promoted, len(apps)),
		report: &PromotionReport{From: source.Host, To: e.Host, Tag: promotion.Tag, DryRun: promotion.DryRun, Apps: make([]PromotedApp, len(apps))}}
	for i, app := range apps {
		p.work[i] = p.begin(app, &p.report.Apps[i])
	}
	p.each(ctx, p.ensure)
	if p.report.Release && !slices.ContainsFunc(p.work, func(w *promoted) bool { return !w.ready }) {
		p.each(ctx, p.tag)
	}
	p.report.settle()
	return p.report, context.Cause(ctx)
}

// promoter does one promotion.
type promoter struct {
	*Engine // the target's
	Promotion
	run    *run
	work   []*promoted
	report *PromotionReport
}

// promoted is what is to be done for one app.
type promoted struct {
	app        App
	version    string               // release version that the tag in the source stands for; empty for another tag
	target     artifact.Manifest    // what is promoted
	signatures []artifact.Signature // beside it in the source
	missing    []artifact.Format    // signatures that the target's signer makes
	moves      []move
	nothing    bool // no tag would name it: the target is ahead
	ready      bool // it is in the target, signed and read back
	counted    bool // as through
}

// begin finds out which tag of the source an app is promoted by.
func (p *promoter) begin(app App, r *PromotedApp) *promoted {
	w := &promoted{app: app}
	*r = PromotedApp{App: app.Name, From: p.From.fullName(app), Repository: p.fullName(app), Tag: p.Tag}
	if r.Tag == "" {
		tag, err := p.From.ownTag(app)
		if err != nil {
			r.Failure = failureOf(&StageError{App: app.Name, Stage: StageCheck, Err: err})
			return w
		}
		r.Tag = tag
	}
	if version, ok := p.From.Tags.Version(app.Name, r.Tag); ok {
		w.version, p.report.Release = version, true
	}
	return w
}

// each works on every app that has not failed, and keeps the failures in their reports.
func (p *promoter) each(ctx context.Context, work func(ctx context.Context, w *promoted, r *PromotedApp) error) {
	p.run.each(ctx, len(p.work), func(ctx context.Context, i int) error {
		r := &p.report.Apps[i]
		if r.Failure != nil {
			return nil
		}
		err := work(ctx, p.work[i], r)
		if err != nil {
			r.Failure = failureOf(err)
		}
		if !p.work[i].counted {
			p.work[i].counted = true
			p.run.finish()
		}
		return err
	})
}

// ensure makes what the target's tags will name exist there, signed and read back, and moves them unless this is a
// release.
func (p *promoter) ensure(ctx context.Context, w *promoted, r *PromotedApp) error {
	for _, step := range []struct {
		stage Stage
		work  func(context.Context, *promoted, *PromotedApp) (string, error)
	}{{StageCheck, p.verify}, {StageCompare, p.compare}, {StageCopy, p.copy}} {
		if w.nothing {
			break
		}
		if err := p.run.stage(w.app.Name, step.stage, func() (string, error) { return step.work(ctx, w, r) }); err != nil {
			return err
		}
	}
	if p.DryRun {
		r.Signed = len(w.missing) > 0
	} else if !w.nothing {
		if err := p.signMissing(ctx, w, r); err != nil {
			return err
		}
		if err := p.run.stage(w.app.Name, StageCheck, func() (string, error) { return p.check(ctx, w, r) }); err != nil {
			return err
		}
	}
	w.ready = true
	if p.report.Release {
		return nil
	}
	return p.tag(ctx, w, r)
}

// verify resolves the tag in the source and checks what it names as the source's consumers do.
func (p *promoter) verify(ctx context.Context, w *promoted, r *PromotedApp) (string, error) {
	v := VerifiedApp{Tag: r.Tag}
	found, err := p.From.verifyApp(ctx, w.app, &v)
	r.Digest, r.Revision = v.Digest, v.Revision
	switch {
	case errors.Is(err, artifact.ErrNotFound) && v.State == StateMissing:
		return "", &absentError{err}
	case err != nil:
		return "", fmt.Errorf("in the source: %w", err)
	}
	w.target, w.signatures = *found.manifest, found.signatures
	return "", nil
}

// compare decides which tags of the target move, and whether its consumers will accept what these are to name.
func (p *promoter) compare(ctx context.Context, w *promoted, r *PromotedApp) (string, error) {
	if err := p.planTags(ctx, w, r); err != nil {
		return "", err
	}
	if w.nothing = len(r.Tags) > 0 && len(w.moves) == 0 && !slices.ContainsFunc(r.Tags, present); w.nothing {
		return "", nil
	}
	verdict := p.Policy.Judge(r.Digest, w.signatures, p.Formats)
	if verdict.Good() {
		return "", nil
	}
	own, err := p.Registry.Signatures(ctx, w.app.Repository, w.target.Descriptor)
	if err != nil {
		return "", fmt.Errorf("look up the target's signatures of %s: %w", r.Digest, err)
	}
	verdict = p.Policy.Judge(r.Digest, slices.Concat(w.signatures, own), p.Formats)
	switch {
	case verdict.Good():
	case verdict.Hidden && len(verdict.Missing) == 0:
		return "", &hiddenError{digest: r.Digest, reasons: verdict.Reasons}
	case !p.Sign:
		return "", &distrustError{digest: r.Digest, verdict: verdict}
	}
	w.missing = verdict.Missing
	return "", nil
}

func present(t TagReport) bool { return t.Status == TagPresent }

// copy has the artifact and all that refers to it copied, by digest.
func (p *promoter) copy(ctx context.Context, w *promoted, r *PromotedApp) (string, error) {
	var err error
	r.Copied, r.Sent, err = p.Copier.Copy(ctx, w.app.Repository, w.app.Repository, w.target.Descriptor)
	if err != nil {
		return "", fmt.Errorf("copy %s: %w", r.Digest, err)
	}
	if r.Copied == 0 || p.DryRun {
		return "", nil
	}
	return r.Repository + "@" + r.Digest, nil
}

// signMissing has the target's signer make the signatures without which the target would refuse the artifact.
func (p *promoter) signMissing(ctx context.Context, w *promoted, r *PromotedApp) error {
	for _, format := range w.missing {
		var signature artifact.Signature
		err := p.run.stage(w.app.Name, StageSign, func() (string, error) {
			var err error
			signature, err = p.sign(ctx, format, r.Repository, r.Digest)
			return string(format), err
		})
		if err != nil {
			return err
		}
		err = p.run.stage(w.app.Name, StageAttach, func() (string, error) {
			return string(format), p.Registry.Attach(ctx, w.app.Repository, w.target.Descriptor, signature)
		})
		if err != nil {
			return err
		}
		r.Signed = true
	}
	return nil
}

// check verifies the far end as the target's consumers will.
func (p *promoter) check(ctx context.Context, w *promoted, r *PromotedApp) (string, error) {
	by, err := p.signedBy(ctx, w.app.Repository, w.target.Descriptor)
	if err != nil {
		return "", fmt.Errorf("in the target: %w", err)
	}
	r.SignedBy = by
	if r.Copied == 0 && !r.Signed {
		return "", nil
	}
	return "signed by " + by, nil
}

// absentError: the source does not have what is to be promoted.
type absentError struct{ error }

func (e *absentError) Unwrap() error { return e.error }

// Hint says what the user can do.
func (e *absentError) Hint() string {
	return "nothing is under that tag in the source: publish the app there first, or name another tag with --tag"
}

// distrustError: the target's consumers would refuse what the source's accept.
type distrustError struct {
	digest  string
	verdict attest.Verdict
}

func (e *distrustError) Error() string {
	return "the target would refuse it: " + unsignedError(e.digest, e.verdict).Error()
}

func (e *distrustError) Is(target error) bool { return target == ErrUnsigned }

// Hint says what the user can do.
func (e *distrustError) Hint() string {
	return "promote --sign has the target's signer sign it, too; or let the target trust the source's signer"
}
