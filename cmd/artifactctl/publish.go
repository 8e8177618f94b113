package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/artifactctl/artifactctl/internal/engine"
	"github.com/artifactctl/artifactctl/internal/ui"
)

func (p *program) publishCommand() *cobra.Command {
	var dirty, rollback, failFast bool
	var write []string
	var part *shardFlags
	cmd := &cobra.Command{
		Use: "publish", Short: "Push what changed, sign it, check the signature, and then move the tags",
		Example: `  artifactctl publish
  artifactctl publish --env production
  artifactctl publish --source-tag v1.4.2
  artifactctl publish --shard 2/4 --phase push -o json > shard-2.json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := p.checkShard(part); err != nil {
				return err
			}
			return p.within(cmd.Context(), func(ctx context.Context) error {
				s, err := p.open(ctx, needs{source: true, policy: true, signer: part.phase != "tag", late: true, write: true, gates: true})
				if err != nil {
					return err
				}
				defer s.close()
				if err := s.mayPublish(dirty, part); err != nil {
					return err
				}
				s.engine.Rollback, s.engine.FailFast, s.engine.Phase = rollback, failFast, engine.Phase(part.phase)
				shard, err := s.takeShard(part)
				if err == nil {
					err = s.checkFindings(write)
				}
				if err != nil {
					return err
				}
				return s.publish(ctx, shard, write)
			})
		},
	}
	p.runFlags(cmd)
	p.sourceFlags(cmd)
	p.sinceFlag(cmd)
	p.signerFlags(cmd)
	p.findingsFlag(cmd, &write)
	part = p.shardFlags(cmd)
	cmd.Flags().StringVar(&p.flags.builder, "builder-id", "", "URI of who builds, for the provenance; default the CI system's workflow")
	cmd.Flags().BoolVar(&dirty, "allow-dirty", false, "publish though the tree has uncommitted changes; the revision will say so")
	cmd.Flags().BoolVar(&rollback, "allow-rollback", false, "let rolling tags move backwards")
	cmd.Flags().BoolVar(&failFast, "fail-fast", false, "stop at the first app that fails")
	return cmd
}

// mayPublish refuses what must not be published, before anything is rendered.
func (s *session) mayPublish(allowDirty bool, part *shardFlags) error {
	release := s.engine.Source.Version != ""
	if release && part.shard != "" && part.phase != "push" {
		return usagef("publish --phase push on every shard, and then --phase tag once",
			"%s is a release: its tags move together, when every shard is complete", s.engine.Source.Revision)
	}
	if release && len(s.flags.only) > 0 {
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

func (s *session) publish(ctx context.Context, shard *ui.Shard, findings []string) error {
	plan, err := s.planToSign(ctx)
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
	options := s.outputOptions()
	options.Shard = shard
	if printErr := errors.Join(s.writeFindings(plan.Gates, findings), s.ui.Publish(report, options)); printErr != nil {
		return printErr
	}
	s.summarizeForCI(ui.KindPublish, report)
	if err == nil && report.Summary.Failed > 0 {
		return errSomeFailed
	}
	return err
}
