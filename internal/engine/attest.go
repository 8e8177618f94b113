package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/artifactctl/artifactctl/internal/artifact"
	"github.com/artifactctl/artifactctl/internal/attest"
)

// Statement is something that is attested of artifacts, besides that they are signed. It is made for an artifact that has
// none of its predicate type by whoever is trusted, and never made up: see OfBuild.
type Statement struct {
	Name          string // for people: "provenance"
	PredicateType string
	// OfBuild says that it tells how the artifact came about. Then it is true only of an artifact that this run itself
	// builds, byte for byte: what an older commit left keeps what it has. Other statements tell of the content, and are
	// true of every artifact that holds it.
	OfBuild bool
	// Predicate returns the JSON of the predicate. It is called concurrently.
	Predicate func(ctx context.Context, about Subject) ([]byte, error)
}

// Subject is an app about which something is stated.
type Subject struct {
	App   string
	Files artifact.Files // what it rendered to
	Gates []GateOutcome  // that it has passed, with or without warnings
}

// attestation is a statement that is to be made of an app's target.
type attestation struct {
	Statement
	predicate []byte
}

// planAttestations decides which statements to make of the target, beside which this was found.
func (c *comparison) planAttestations(ctx context.Context, found attest.Verdict) error {
	for _, s := range c.Statements {
		if found.Attests(s.PredicateType) {
			continue
		}
		if s.OfBuild {
			ours, err := c.builtHere()
			if err != nil {
				return err
			}
			if !ours {
				continue
			}
		}
		predicate, err := s.Predicate(ctx, Subject{App: c.work.app.Name, Files: c.files, Gates: c.report.Gates})
		if err != nil {
			return fmt.Errorf("state the %s: %w", s.Name, err)
		}
		c.work.attest = append(c.work.attest, attestation{s, predicate})
		c.report.Attested = append(c.report.Attested, s.PredicateType)
	}
	return nil
}

// builtHere reports whether the target is what this run builds. Its revision says so cheaply when it is not; only the
// bytes prove that it is.
func (c *comparison) builtHere() (bool, error) {
	if c.kept && c.work.target.Annotations[artifact.AnnotationRevision] != c.Source.Revision {
		return false, nil
	}
	built, err := c.artifact()
	return err == nil && built.Manifest.Digest == c.work.target.Digest, err
}

// attest makes the attestations that an app's artifact lacks. It is signed by now, so that one which somebody counts as a
// signature stands beside one. As with signatures, no slot is held while the signer is waited for.
func (p *publisher) attest(ctx context.Context, i int) error {
	w, r := p.plan.work[i], &p.report.Apps[i]
	if len(w.attest) == 0 {
		return nil
	}
	return p.run.stage(w.app.Name, StageAttest, func() (string, error) {
		bundles, err := p.attestAll(ctx, w.attest, r)
		if err != nil {
			return "", err
		}
		err = p.run.slot(func() error { return p.storeAttestations(ctx, w, r, bundles) })
		var names []string
		for _, a := range w.attest {
			names = append(names, a.Name)
		}
		return strings.Join(names, ", "), err
	})
}

// attestAll has statements signed, all at once, and checks each answer.
func (p *publisher) attestAll(ctx context.Context, all []attestation, r *AppReport) ([]artifact.Signature, error) {
	out, errs := make([]artifact.Signature, len(all)), make([]error, len(all))
	var g sync.WaitGroup
	for n, a := range all {
		g.Go(func() {
			if out[n], errs[n] = p.state(ctx, a, r); errs[n] != nil {
				errs[n] = fmt.Errorf("%s: %w", a.Name, errs[n])
			}
		})
	}
	g.Wait()
	return out, errors.Join(errs...)
}

func (p *publisher) state(ctx context.Context, a attestation, r *AppReport) (artifact.Signature, error) {
	request, err := attest.AttestationRequest(r.Repository, r.Digest, a.PredicateType, a.predicate)
	if err != nil {
		return artifact.Signature{}, err
	}
	answer, err := p.ask(ctx, request)
	if err != nil {
		return artifact.Signature{}, err
	}
	return p.Policy.AcceptAttestation(request, answer)
}

// storeAttestations attaches attestations and reads them back, and the signature beside them once more.
func (p *publisher) storeAttestations(ctx context.Context, w *work, r *AppReport, bundles []artifact.Signature) error {
	for _, b := range bundles {
		if err := p.Registry.Attach(ctx, w.app.Repository, w.target.Descriptor, b); err != nil {
			return err
		}
		r.Attested = append(r.Attested, b.PredicateType)
	}
	return p.await(ctx, w.app.Repository, w.target.Descriptor, func(v attest.Verdict) error {
		for _, a := range w.attest {
			if !v.Attests(a.PredicateType) {
				return fmt.Errorf("%w: the %s of %s is not listed", ErrUnsigned, a.Name, r.Digest)
			}
		}
		return nil
	})
}
