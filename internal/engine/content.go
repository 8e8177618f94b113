package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/artifactctl/artifactctl/internal/artifact"
	"github.com/artifactctl/artifactctl/internal/attest"
	"github.com/artifactctl/artifactctl/internal/inventory"
)

// sameContent reports whether a manifest of the registry holds exactly our files.
//
// The content annotation answers without a download, but anybody who can push can write one: it is believed only
// when a good signature covers it. Otherwise, and for artifacts of other tools, the layer itself is compared, so that
// nothing is ever signed on the strength of an unsigned claim.
func (c *comparison) sameContent(ctx context.Context, m *artifact.Manifest) (bool, error) {
	if m == nil {
		return false, nil
	}
	claim := m.Annotations[artifact.AnnotationContent]
	if claim != "" && claim != c.content {
		return false, nil
	}
	if claim != "" {
		verdict, err := c.judge(ctx, m)
		if err != nil {
			return false, err
		}
		if verdict.By != "" {
			return true, nil
		}
	}
	built, err := c.artifact()
	if err != nil || m.Digest == built.Manifest.Digest {
		return err == nil, err
	}
	files, err := c.fetchFiles(ctx, m)
	if err != nil || files == nil {
		return false, err
	}
	return artifact.Equal(files, c.files), nil
}

// fetchFiles downloads an artifact's files; nil, with a warning, when it is no artifact that Flux could use.
func (c *comparison) fetchFiles(ctx context.Context, m *artifact.Manifest) (artifact.Files, error) {
	layer, err := m.ContentLayer()
	if err == nil {
		var content []byte
		if content, err = c.Registry.Fetch(ctx, c.work.app.Repository, layer); err == nil {
			var files artifact.Files
			if files, err = artifact.Unpack(content); err == nil {
				return files, nil
			}
		}
	}
	if errors.Is(err, artifact.ErrFormat) || errors.Is(err, artifact.ErrNotFound) {
		c.report.warn(fmt.Sprintf("what %s names cannot be read and counts as changed: %v", c.report.Baseline, err))
		return nil, nil
	}
	return nil, fmt.Errorf("fetch the content of %s: %w", m.Digest, err)
}

// planPush decides what to push and to sign. An artifact that is there but not well signed is healed.
func (c *comparison) planPush(ctx context.Context) error {
	w, r := c.work, c.report
	r.Digest = w.target.Digest.String()
	r.Revision = w.target.Annotations[artifact.AnnotationRevision]
	there := &w.target
	if !c.kept {
		if len(r.Tags) == 0 || !c.anyMove() {
			r.warn("no tag of publish.yaml applies to this run, so nothing is pushed")
			return nil
		}
		var err error
		if there, err = c.lookup(ctx, r.Digest); err != nil {
			return err
		}
	}
	if there == nil {
		w.push, w.missing = true, c.Formats
		r.Pushed, r.Signed = true, true
		return c.planAttestations(ctx, attest.Verdict{})
	}
	judge := c.judge
	if c.anyMove() {
		judge = c.judgeStored
	}
	verdict, err := judge(ctx, there)
	if err != nil {
		return err
	}
	if verdict.Hidden && len(verdict.Missing) == 0 {
		return &hiddenError{digest: r.Digest, reasons: verdict.Reasons}
	}
	w.missing = verdict.Missing
	r.Signed = len(w.missing) > 0
	if verdict.Good() {
		r.SignedBy = verdict.By
	}
	return c.planAttestations(ctx, verdict)
}

func (c *comparison) anyMove() bool { return len(c.work.moves) > 0 }

// explain adds the differences between the baseline and our files, if somebody wants to read them.
func (c *comparison) explain(ctx context.Context, base *artifact.Manifest) error {
	if c.Diff == nil || c.report.Change == Unchanged {
		return nil
	}
	var before artifact.Files
	if base != nil {
		var err error
		if before, err = c.fetchFiles(ctx, base); err != nil {
			return err
		}
	}
	c.report.Objects = c.Diff(before, c.files)
	c.report.Images = inventory.Compare(before, c.files)
	return nil
}

// hiddenError: legacy signatures are wanted, but somebody else's bundles keep verifiers from looking at them.
type hiddenError struct {
	digest  string
	reasons []string
}

func (e *hiddenError) Error() string {
	return fmt.Sprintf("%s carries bundles of others, which hide a legacy signature: %s", e.digest, strings.Join(e.reasons, "; "))
}

func (e *hiddenError) Is(target error) bool { return target == ErrUnsigned }

func (e *hiddenError) Hint() string {
	return "set signature.format to both, so that one of the bundles is yours"
}
