package main

import (
	"cmp"
	"fmt"

	"github.com/spf13/cobra"
)

func (p *program) checkCommand() *cobra.Command {
	var strict bool
	cmd := &cobra.Command{
		Use: "check", Short: "Check publish.yaml, without git, network or signer",
		Example: `  artifactctl check
  artifactctl check --env production --strict`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			cfg, err := p.load()
			if err != nil {
				return err
			}
			if _, err := gatesOf(cfg); err != nil {
				return err
			}
			problems := p.doubts(cfg)
			for _, w := range problems {
				fmt.Fprintf(p.err, "warning: %s\n", w)
			}
			for _, n := range notesOnTrust(cfg) {
				fmt.Fprintf(p.err, "note: %s\n", n)
			}
			if strict && len(problems) > 0 {
				return usagef("", "%s has %d warnings, and --strict allows none", cfg.File, len(problems))
			}
			fmt.Fprintf(p.out, "%s is valid: %d apps, registry %s, signer %s\n", cfg.File, len(cfg.Fleet), cfg.Registry.URL, cmp.Or(cfg.Signer, "none"))
			for _, app := range cfg.Fleet {
				fmt.Fprintf(p.out, "  %s\t%s\t→ %s\n", app.Name, app.Path, app.Repository)
			}
			return nil
		},
	}
	p.fileFlags(cmd)
	cmd.Flags().BoolVar(&strict, "strict", false, "refuse warnings too: each signer must say what it is trusted by")
	return cmd
}
