package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/artifactctl/artifactctl/internal/artifact"
)

// ErrNotReproduced means that what was published is not what its commit renders to.
var ErrNotReproduced = errors.New("not reproduced")

// CommitRenderer renders apps of other commits than the one that is checked out. It is called concurrently.
type CommitRenderer interface {
	// RenderAt returns the files that the app with this name has in a commit.
	RenderAt(ctx context.Context, commit, app string) (artifact.Files, error)
}

// reproduce renders the commit that an artifact says it is of, and compares every byte.
func (e *Engine) reproduce(ctx context.Context, app App, v *VerifiedApp, m *artifact.Manifest) error {
	commit, err := recordedCommit(v.Revision)
	if err != nil {
		return err
	}
	p := &planner{Engine: e}
	var report AppReport
	published, err := (&comparison{planner: p, report: &report, work: &work{app: app}}).fetchFiles(ctx, m)
	if err != nil {
		return err
	}
	if published == nil {
		return fmt.Errorf("%w: %s", ErrNotReproduced, strings.Join(report.Warnings, "; "))
	}
	rendered, err := e.Reproducer.RenderAt(ctx, commit, app.Name)
	if err != nil {
		return fmt.Errorf("render %s: %w", v.Revision, err)
	}
	if artifact.Equal(published, rendered) {
		return nil
	}
	if e.Diff != nil {
		v.Objects = e.Diff(rendered, published)
	}
	return fmt.Errorf("%w: %s holds other files than %s renders to", ErrNotReproduced, v.Digest, v.Revision)
}

// recordedCommit reads the commit out of a revision, "<branch or tag>@sha1:<commit>".
func recordedCommit(revision string) (string, error) {
	if strings.HasSuffix(revision, "-dirty") {
		return "", fmt.Errorf("%w: it was published from a tree with changes that no commit holds (%s)", ErrNotReproduced, revision)
	}
	_, digest, _ := strings.Cut(revision, "@")
	algorithm, commit, ok := strings.Cut(digest, ":")
	if !ok || (algorithm != "sha1" && algorithm != "sha256") || commit == "" {
		return "", fmt.Errorf("%w: its revision %q names no commit", ErrNotReproduced, revision)
	}
	return commit, nil
}
