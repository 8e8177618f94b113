package main

import (
	"context"

	"github.com/spf13/cobra"
)

func (p *program) statusCommand() *cobra.Command {
	var tag string
	var exitCode bool
	cmd := &cobra.Command{
		Use: "status", Short: "Show the fleet at a glance: what each tag names, since when, who signed it, and whether the tree has moved on",
		Example: `  artifactctl status
  artifactctl status --env production --tag 1.4.2 -o json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.within(cmd.Context(), func(ctx context.Context) error {
				s, err := p.open(ctx, needs{source: true, policy: true})
				if err != nil {
					return err
				}
				defer s.close()
				fleet, err := s.engine.Status(ctx, s.apps, tag)
				s.ui.Close()
				for i, a := range fleet.Apps {
					fleet.Apps[i].Failure = adviseFailure(a.Failure, "nothing was changed: try again, and if it stays so, look at the app and the registry")
				}
				if printErr := s.ui.FleetStatus(fleet, s.outputOptions()); printErr != nil {
					return printErr
				}
				switch {
				case err != nil:
					return err
				case fleet.Failed > 0:
					return errSomeFailed
				case exitCode && (fleet.Drifted > 0 || fleet.Signed < len(fleet.Apps)):
					return errChanges
				}
				return nil
			})
		},
	}
	p.runFlags(cmd)
	p.sourceFlags(cmd)
	p.signerFlags(cmd)
	cmd.Flags().StringVar(&tag, "tag", "", "tag to look at in each repository; default the app's rolling tag or, on a release, its release tag")
	cmd.Flags().BoolVar(&exitCode, "exit-code", false, "exit with 2 when an app is not signed, or differs from the tree")
	return cmd
}
