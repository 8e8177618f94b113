package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/artifactctl/artifactctl/internal/ui"
)

func (p *program) gateCommand() *cobra.Command {
	var write []string
	cmd := &cobra.Command{
		Use: "gate", Short: "Run the gates of publish.yaml on every rendered app, without registry, git or signer",
		Example: `  artifactctl gate
  artifactctl gate --only podinfo
  artifactctl gate --env production -o sarif > gates.sarif
  artifactctl gate --findings junit=gates.xml --findings sarif=gates.sarif`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.within(cmd.Context(), func(ctx context.Context) error {
				s, err := p.open(ctx, needs{gates: true})
				if err != nil {
					return err
				}
				defer s.close()
				if s.engine.Gates == nil {
					return usagef("add gates: to publish.yaml; docs/gates.md shows how", "%s has no gate for this environment", s.cfg.File)
				}
				if err := s.checkFindings(write); err != nil {
					return err
				}
				gated, err := s.engine.Gate(ctx, s.apps)
				s.ui.Close()
				for i, a := range gated.Apps {
					gated.Apps[i].Failure = adviseFailure(a.Failure, "artifactctl render %s tries this app alone", a.App)
				}
				printErr := errors.Join(s.writeFindings(gated.Report, write), s.ui.Gates(gated, s.outputOptions()))
				switch {
				case printErr != nil:
					return printErr
				case err != nil:
					return err
				case gated.Refused+gated.Failed > 0:
					return errSomeFailed
				}
				return nil
			})
		},
	}
	p.runFlags(cmd)
	output := cmd.Flags().Lookup("output")
	output.Usage = "format of the result: text, json, yaml, junit, sarif or github (workflow commands)"
	output.Annotations = map[string][]string{furtherValues: {string(ui.JUnit), string(ui.SARIF), string(ui.GitHub)}}
	p.findingsFlag(cmd, &write)
	return cmd
}
