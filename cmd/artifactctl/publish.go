package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/artifactctl/artifactctl/internal/engine"
	"github.com/artifactctl/artifactctl/internal/ui"
)

func (p *program) publishCommand() *cobra.Command {
	var dirty, rollback, failFast bool
	cmd := &cobra.Command{
		Use: "publish", Short: "Push what changed, sign it, check the signature, and then move the tags",
		Example: `  artifactctl publish
  artifactctl publish --env production
  artifactctl publish --source-tag v1.4.2`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.within(cmd.Context(), func(ctx context.Context) error {
				s, err := p.open(ctx, needs{source: true, policy: true, signer: true, write: true})
				if err != nil {
					return err
				}
				defer s.close()
				if err := s.mayPublish(dirty, p.flags.only); err != nil {
					return err
				}
				s.engine.Rollback, s.engine.FailFast = rollback, failFast
				return s.publish(ctx)
			})
		},
	}
	p.runFlags(cmd)
	p.sourceFlags(cmd)
	p.signerFlags(cmd)
	cmd.Flags().BoolVar(&dirty, "allow-dirty", false, "publish though the tree has uncommitted changes; the revision will say so")
	cmd.Flags().BoolVar(&rollback, "allow-rollback", false, "let rolling tags move backwards")
	cmd.Flags().BoolVar(&failFast, "fail-fast", false, "stop at the first app that fails")
	return cmd
}

// mayPublish refuses what must not be published, before anything is rendered.
func (s *session) mayPublish(allowDirty bool, only []string) error {
	release := s.engine.Source.Version != ""
	if release && len(only) > 0 {
		return usagef("a release is one coherent set: publish it without --only",
			"%s is a release, and --only would leave apps out of it", s.engine.Source.Revision)
	}
	if s.engine.Source.Dirty && (release || !allowDirty) {
		hint := "commit or stash them, or publish with --allow-dirty"
		if release {
			hint = "commit or stash them: a release is of a commit"
		}
		return &usageError{err: fmt.Errorf("%w%s", engine.ErrDirty, s.dirtyPaths), hint: hint}
	}
	return nil
}

func (s *session) publish(ctx context.Context) error {
	plan, err := s.engine.Plan(ctx, s.apps)
	if plan == nil {
		return err
	}
	// Also after an interrupted plan: the report of the publish says what was not done.
	report, err := s.engine.Publish(ctx, plan)
	s.ui.Close()
	if report == nil {
		return err
	}
	adviseFailures(report)
	if printErr := s.ui.Publish(report, s.outputOptions()); printErr != nil {
		return printErr
	}
	s.summarizeForCI(ui.KindPublish, report)
	if err == nil && report.Summary.Failed > 0 {
		return errSomeFailed
	}
	return err
}
