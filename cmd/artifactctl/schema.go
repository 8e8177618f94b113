package main

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/artifactctl/artifactctl/schema"
)

// namedSchema is a schema, and what it is called on the command line.
type namedSchema struct {
	name string
	text func() []byte
}

// schemas lists all of them; the first one is printed when none is named.
func schemas() []namedSchema {
	return []namedSchema{
		{"publish", schema.Publish},
		{"report", schema.Report},
		{"verification", schema.Verification},
		{"status", schema.Status},
		{"gates", schema.Gates},
		{"promotion", schema.Promotion},
		{"pruning", schema.Pruning},
		{"generation", schema.Generation},
		{"audit", schema.Audit},
	}
}

func (p *program) schemaCommand() *cobra.Command {
	var names []string
	for _, s := range schemas() {
		names = append(names, s.name)
	}
	return &cobra.Command{
		Use: "schema [" + strings.Join(names, "|") + "]", Short: "Print the JSON Schema of publish.yaml, or of what -o json prints",
		Args:      cobra.MatchAll(cobra.MaximumNArgs(1), cobra.OnlyValidArgs),
		ValidArgs: names,
		RunE: func(_ *cobra.Command, args []string) error {
			chosen := 0
			if len(args) == 1 {
				chosen = slices.Index(names, args[0])
			}
			_, err := p.out.Write(schemas()[chosen].text())
			return err
		},
	}
}
