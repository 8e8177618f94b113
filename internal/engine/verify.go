package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/artifactctl/artifactctl/internal/artifact"
	"github.com/artifactctl/artifactctl/internal/attest"
	"github.com/artifactctl/artifactctl/internal/changes"
)

// SignatureState is what can be said of the signatures of what a tag names. Only StateSigned is good.
type SignatureState string

// The states. Unknown is the honest answer when a look-up failed: it is neither signed nor unsigned.
const (
	StateSigned   SignatureState = "signed"
	StateUnsigned SignatureState = "unsigned"
	StateUnknown  SignatureState = "unknown"
	StateMissing  SignatureState = "missing" // the tag does not exist
	StateDiffers  SignatureState = "differs" // signed, but not what its commit renders to
)

// VerifiedApp is what verification found for one app.
type VerifiedApp struct {
	App        string         `json:"app"`
	Repository string         `json:"repository"`
	Tag        string         `json:"tag"`
	Digest     string         `json:"digest,omitempty"`
	Revision   string         `json:"revision,omitempty"`
	State      SignatureState `json:"state" jsonschema:"enum=signed,enum=unsigned,enum=unknown,enum=missing,enum=differs"`
	SignedBy   string         `json:"signedBy,omitempty"`
	Batch      string         `json:"batch,omitempty"`   // digest of the batch signature that covers it; see Verification.Batches
	Reasons    []string       `json:"reasons,omitempty"` // why it is not signed or not known
	// Signatures are those that were found beside it, good or not.
	Signatures []FoundSignature `json:"signatures,omitempty"`
	// Attestations are other statements about it that were found.
	Attestations []FoundAttestation `json:"attestations,omitempty"`
	Failure      *Failure           `json:"failure,omitempty"`
	// Reproduced says that the commit was rendered again and gave the same files.
	Reproduced bool `json:"reproduced,omitempty"`
	// Objects are the differences between what the commit renders to and what is published.
	Objects []changes.Object `json:"objects,omitempty"`
}

// Verification is the outcome of Verify, apps in the order of publish.yaml.
type Verification struct {
	Apps    []VerifiedApp `json:"apps"`
	Signed  int           `json:"signed"`
	Refused int           `json:"refused"` // apps in any other state
	// Batches are the signatures that cover many artifacts, in the order of the apps.
	Batches []BatchSignature `json:"batches,omitempty"`
}

// BatchSignature is one signature over many artifacts.
type BatchSignature struct {
	Digest   string   `json:"digest"` // sha256 of the bundle
	SignedBy string   `json:"signedBy"`
	Subjects []string `json:"subjects"` // digests of all artifacts that it covers, of whatever repository, sorted
}

// Target is one thing to verify: what a tag or a digest names in an engine's registry, by that engine's policy.
type Target struct {
	By  *Engine
	App App
	Ref string // tag or digest ("sha256:…"); empty means the app's own tag
}

// Verify checks what each app's tag names against the policy. An empty tag means the app's own: the release tag in a
// release, else the rolling tag that a plan would compare with. It is fail-closed: whatever is not known to be signed
// is refused.
func (e *Engine) Verify(ctx context.Context, apps []App, tag string) (*Verification, error) {
	targets := make([]Target, len(apps))
	for i, a := range apps {
		targets[i] = Target{By: e, App: a, Ref: tag}
	}
	return e.VerifyTargets(ctx, targets)
}

// VerifyTargets is Verify for targets that may lie in different registries, with different policies. Outcomes are in
// their order.
func (e *Engine) VerifyTargets(ctx context.Context, targets []Target) (*Verification, error) {
	out := &Verification{Apps: make([]VerifiedApp, len(targets))}
	batches := make([]*attest.Batch, len(targets))
	run := e.start(len(targets))
	run.each(ctx, len(targets), func(ctx context.Context, i int) error {
		t, v := targets[i], &out.Apps[i]
		*v = VerifiedApp{App: t.App.Name, Repository: t.By.fullName(t.App), Tag: t.Ref, State: StateUnknown}
		err := run.stage(t.App.Name, StageCheck, func() (string, error) {
			found, err := t.By.verifyApp(ctx, t.App, v)
			if err == nil {
				batches[i] = found.verdict.Batch
			}
			return "", err
		})
		run.finish()
		if isDigest(v.Tag) {
			v.Tag = ""
		}
		if err != nil {
			v.Failure = &Failure{Stage: StageCheck, Message: errors.Unwrap(err).Error(), Err: err}
		}
		return err
	})
	for i, v := range out.Apps {
		count(&out.Signed, v.State == StateSigned)
		count(&out.Refused, v.State != StateSigned)
		out.addBatch(batches[i], v.SignedBy)
	}
	return out, context.Cause(ctx)
}

// addBatch lists a batch signature once.
func (v *Verification) addBatch(b *attest.Batch, by string) {
	if b == nil || slices.ContainsFunc(v.Batches, func(have BatchSignature) bool { return have.Digest == b.Digest }) {
		return
	}
	v.Batches = append(v.Batches, BatchSignature{Digest: b.Digest, SignedBy: by, Subjects: b.Subjects})
}

// examined is what a tag names, and what its signatures are worth.
type examined struct {
	manifest   *artifact.Manifest // nil when it could not be read
	signatures []artifact.Signature
	verdict    attest.Verdict
}

// verifyApp fills v, and returns what it found on the way, also with an error.
func (e *Engine) verifyApp(ctx context.Context, app App, v *VerifiedApp) (found examined, err error) {
	refuse := func(err error) (examined, error) {
		v.Reasons = append(v.Reasons, reasonsOf(err)...)
		return found, err
	}
	if v.Tag == "" {
		tag, err := e.ownTag(app)
		if err != nil {
			return refuse(err)
		}
		v.Tag = tag
	}
	m, err := e.Registry.Resolve(ctx, app.Repository, v.Tag)
	if errors.Is(err, artifact.ErrNotFound) {
		v.State = StateMissing
	}
	if err != nil {
		return refuse(fmt.Errorf("resolve %s: %w", refWord(v.Tag), err))
	}
	found.manifest = &m
	v.Digest, v.Revision = m.Digest.String(), m.Annotations[artifact.AnnotationRevision]
	if err := e.judge(ctx, app, &found); err != nil {
		v.list(found.verdict.Candidates)
		if errors.Is(err, ErrUnsigned) {
			v.State = StateUnsigned
		}
		return refuse(err)
	}
	v.list(found.verdict.Candidates)
	v.State, v.SignedBy = StateSigned, found.verdict.By
	if found.verdict.Batch != nil {
		v.Batch = found.verdict.Batch.Digest
	}
	if e.Reproducer == nil {
		return found, nil
	}
	if err := e.reproduce(ctx, app, v, found.manifest); err != nil {
		if v.State = StateUnknown; errors.Is(err, ErrNotReproduced) {
			v.State = StateDiffers
		}
		return refuse(err)
	}
	v.Reproduced = true
	return found, nil
}

// ownTag is the tag that consumers of this source follow.
func (e *Engine) ownTag(app App) (string, error) {
	if e.Source.Version != "" && e.Tags.Release != "" {
		return expand(e.Tags.Release, app.Name, e.Source)
	}
	tag, err := e.Tags.baseline(app.Name, e.Source)
	if err == nil && tag == "" {
		err = errors.New("publish.yaml has no rolling tag to verify; name one")
	}
	return tag, err
}
