package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/artifactctl/artifactctl/internal/ui"
)

// planFlags say what a plan is made of and what it is for.
type planFlags struct {
	exitCode, rollback, noDiff bool
	findings                   []string
}

func (p *program) planCommand() *cobra.Command {
	var f planFlags
	cmd := &cobra.Command{
		Use: "plan", Aliases: []string{"diff"}, Short: "Show what publish would do, object by object; writes nothing",
		Example: `  artifactctl plan
  artifactctl plan --env production --exit-code
  artifactctl diff --only 'podinfo*' -o json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.within(cmd.Context(), func(ctx context.Context) error { return p.plan(ctx, f) })
		},
	}
	p.runFlags(cmd)
	p.sourceFlags(cmd)
	p.sinceFlag(cmd)
	p.signerFlags(cmd)
	p.findingsFlag(cmd, &f.findings)
	cmd.Flags().BoolVar(&f.exitCode, "exit-code", false, "exit with 2 when there is something to publish")
	cmd.Flags().BoolVar(&f.rollback, "allow-rollback", false, "plan as if rolling tags could move backwards")
	cmd.Flags().BoolVar(&f.noDiff, "no-diff", false, "leave out which objects differ, and save the downloads")
	return cmd
}

func (p *program) plan(ctx context.Context, f planFlags) error {
	s, err := p.open(ctx, needs{source: true, policy: true, gates: true})
	if err != nil {
		return err
	}
	defer s.close()
	if err := s.checkFindings(f.findings); err != nil {
		return err
	}
	s.engine.Rollback = f.rollback
	if !f.noDiff {
		s.engine.Diff = s.differ()
	}
	plan, err := s.engine.Plan(ctx, s.apps)
	s.ui.Close()
	if plan == nil {
		return err
	}
	adviseFailures(&plan.Report)
	if printErr := errors.Join(s.writeFindings(plan.Gates, f.findings), s.ui.Plan(&plan.Report, s.outputOptions())); printErr != nil {
		return printErr
	}
	s.summarizeForCI(ui.KindPlan, &plan.Report)
	switch {
	case err != nil:
		return err
	case plan.Summary.Failed > 0:
		return errSomeFailed
	case f.exitCode && !plan.Empty():
		return errChanges
	}
	return nil
}
