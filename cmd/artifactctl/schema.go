package main

import (
	"github.com/spf13/cobra"

	"github.com/artifactctl/artifactctl/schema"
)

func (p *program) schemaCommand() *cobra.Command {
	return &cobra.Command{
		Use: "schema [publish|report|verification|status|gates|promotion|pruning|generation|audit]", Short: "Print the JSON Schema of publish.yaml, or of what -o json prints",
		Args:      cobra.MatchAll(cobra.MaximumNArgs(1), cobra.OnlyValidArgs),
		ValidArgs: []string{"publish", "report", "verification", "status", "gates", "promotion", "pruning", "generation", "audit"},
		RunE: func(_ *cobra.Command, args []string) error {
			text := schema.Publish
			if len(args) == 1 {
				text = map[string]func() []byte{"publish": schema.Publish, "report": schema.Report, "verification": schema.Verification, "status": schema.Status, "gates": schema.Gates, "promotion": schema.Promotion, "pruning": schema.Pruning, "generation": schema.Generation, "audit": schema.Audit}[args[0]]
			}
			_, err := p.out.Write(text())
			return err
		},
	}
}
