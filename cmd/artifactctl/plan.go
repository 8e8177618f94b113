package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/artifactctl/artifactctl/internal/ui"
)

func (p *program) planCommand() *cobra.Command {
	var exitCode, rollback, noDiff bool
	var write []string
	cmd := &cobra.Command{
		Use: "plan", Aliases: []string{"diff"}, Short: "Show what publish would do, object by object; writes nothing",
		Example: `  artifactctl plan
  artifactctl plan --env production --exit-code
  artifactctl diff --only 'podinfo*' -o json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.within(cmd.Context(), func(ctx context.Context) error {
				s, err := p.open(ctx, needs{source: true, policy: true, gates: true})
				if err != nil {
					return err
				}
				defer s.close()
				if err := s.checkFindings(write); err != nil {
					return err
				}
				s.engine.Rollback = rollback
				if !noDiff {
					s.engine.Diff = s.differ()
				}
				plan, err := s.engine.Plan(ctx, s.apps)
				s.ui.Close()
				if plan == nil {
					return err
				}
				adviseFailures(&plan.Report)
				if err := s.writeFindings(plan.Gates, write); err != nil {
					return err
				}
				if printErr := s.ui.Plan(&plan.Report, s.outputOptions()); printErr != nil {
					return printErr
				}
				s.summarizeForCI(ui.KindPlan, &plan.Report)
				switch {
				case err != nil:
					return err
				case plan.Summary.Failed > 0:
					return errSomeFailed
				case exitCode && !plan.Empty():
					return errChanges
				}
				return nil
			})
		},
	}
	p.runFlags(cmd)
	p.sourceFlags(cmd)
	p.sinceFlag(cmd)
	p.signerFlags(cmd)
	p.findingsFlag(cmd, &write)
	cmd.Flags().BoolVar(&exitCode, "exit-code", false, "exit with 2 when there is something to publish")
	cmd.Flags().BoolVar(&rollback, "allow-rollback", false, "plan as if rolling tags could move backwards")
	cmd.Flags().BoolVar(&noDiff, "no-diff", false, "leave out which objects differ, and save the downloads")
	return cmd
}
