package main

import (
	"github.com/spf13/cobra"
)

func (p *program) configCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "config", Short: "Look at the effective configuration"}
	var origins bool
	view := &cobra.Command{
		Use: "view", Short: "Print the effective publish.yaml of an environment",
		Example: `  artifactctl config view --env production --show-origin`,
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			cfg, err := p.load()
			if err != nil {
				return err
			}
			text, err := cfg.View(origins)
			if err != nil {
				return err
			}
			_, err = p.out.Write(text)
			return err
		},
	}
	p.fileFlags(view)
	view.Flags().BoolVar(&origins, "show-origin", false, "say for each value where it was set")
	cmd.AddCommand(view)
	return cmd
}
