package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/artifactctl/artifactctl/internal/artifact"
	"github.com/artifactctl/artifactctl/internal/attest"
	"github.com/artifactctl/artifactctl/plugins/signer"
)

// signAll gets an app's missing signatures, each checked as a cluster would. All are asked for at once: a signer that
// puts requests together finds them together. Nothing is attached yet.
func (p *publisher) signAll(ctx context.Context, i int) ([]artifact.Signature, error) {
	w, r := p.plan.work[i], &p.report.Apps[i]
	out := make([]artifact.Signature, len(w.missing))
	errs := make([]error, len(w.missing))
	var g sync.WaitGroup
	for n, format := range w.missing {
		if format == artifact.FormatBundle && p.batched[i] != nil {
			out[n] = *p.batched[i]
			continue
		}
		g.Go(func() {
			errs[n] = p.run.stage(w.app.Name, StageSign, func() (string, error) {
				var err error
				out[n], err = p.sign(ctx, format, r.Repository, r.Digest)
				return string(format), err
			})
		})
	}
	g.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// sign gets one signature over one artifact or, as a bundle, over many.
func (e *Engine) sign(ctx context.Context, format artifact.Format, repository string, digests ...string) (artifact.Signature, error) {
	request, err := attest.Request(format, repository, digests...)
	if err != nil {
		return artifact.Signature{}, err
	}
	answer, err := e.ask(ctx, request)
	if err != nil {
		return artifact.Signature{}, err
	}
	return e.Policy.Accept(request, answer)
}

// ask has the signer sign, and waits for one whose backend is away for a moment.
func (e *Engine) ask(ctx context.Context, request signer.Request) (answer signer.Signature, err error) {
	if err := ctx.Err(); err != nil {
		return answer, err
	}
	err = e.patiently(ctx, isUnavailable, func() error {
		answer, err = e.Signer.Sign(ctx, request)
		return err
	})
	return answer, err
}

func isUnavailable(err error) bool { return errors.Is(err, signer.ErrUnavailable) }

// signBatches gets one bundle for all artifacts that lack one, or several where they are too many. What fails concerns
// every app of its batch, and no other.
func (p *publisher) signBatches(ctx context.Context) {
	var waiting []int
	for i, w := range p.plan.work {
		if p.report.Apps[i].Failure == nil && slices.Contains(w.missing, artifact.FormatBundle) {
			waiting = append(waiting, i)
		}
	}
	batches := slices.Collect(slices.Chunk(waiting, attest.MaxSubjects))
	p.run.spread(ctx, len(batches), signing, func(ctx context.Context, n int) error {
		err := p.signBatch(ctx, batches[n])
		for _, i := range batches[n] {
			name := p.plan.work[i].app.Name
			if err == nil {
				p.run.tell(Event{App: name, Stage: StageSign, Status: Done, Note: fmt.Sprintf("%s, one of %d", artifact.FormatBundle, len(batches[n]))})
				continue
			}
			failed := &StageError{App: name, Stage: StageSign, Err: err}
			p.report.Apps[i].fail(failed)
			p.run.tell(Event{App: name, Stage: StageSign, Status: Failed, Err: failed})
			p.run.finish()
		}
		return err
	})
}

func (p *publisher) signBatch(ctx context.Context, batch []int) error {
	digests := make([]string, 0, len(batch))
	for _, i := range batch {
		p.run.tell(Event{App: p.plan.work[i].app.Name, Stage: StageSign, Status: Started})
		digests = append(digests, p.report.Apps[i].Digest)
	}
	slices.Sort(digests)
	digests = slices.Compact(digests) // apps with the same content are one artifact
	repository := p.Host
	if len(batch) == 1 {
		repository = p.report.Apps[batch[0]].Repository
	}
	s, err := p.sign(ctx, artifact.FormatBundle, repository, digests...)
	if err != nil {
		return err
	}
	for _, i := range batch {
		p.batched[i] = &s
	}
	return nil
}
