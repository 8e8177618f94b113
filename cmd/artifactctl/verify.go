package main

import (
	"context"

	"github.com/spf13/cobra"
)

func (p *program) verifyCommand() *cobra.Command {
	var tag string
	var reproduce bool
	cmd := &cobra.Command{
		Use: "verify", Short: "Check the signatures of what the apps' tags name; whatever is not known to be signed is refused",
		Example: `  artifactctl verify
  artifactctl verify --env production --tag 1.4.2
  artifactctl verify --reproduce`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.within(cmd.Context(), func(ctx context.Context) error {
				s, err := p.open(ctx, needs{source: tag == "", policy: true})
				if err != nil {
					return err
				}
				defer s.close()
				if reproduce {
					if err := s.reproduceCommits(); err != nil {
						return err
					}
				}
				v, err := s.engine.Verify(ctx, s.apps, tag)
				s.ui.Close()
				if printErr := s.ui.Verification(v, s.outputOptions()); printErr != nil {
					return printErr
				}
				if err == nil && v.Refused > 0 {
					return errSomeFailed
				}
				return err
			})
		},
	}
	p.runFlags(cmd)
	p.sourceFlags(cmd)
	p.signerFlags(cmd)
	cmd.Flags().StringVar(&tag, "tag", "", "tag to verify in each repository; default the app's rolling tag or, on a release, its release tag")
	cmd.Flags().BoolVar(&reproduce, "reproduce", false, "also render the commit that each artifact says it is of, and compare every byte")
	return cmd
}
