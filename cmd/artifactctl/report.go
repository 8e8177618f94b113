package main

import (
	"github.com/spf13/cobra"

	"github.com/artifactctl/artifactctl/internal/ui"
)

func (p *program) reportCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "report", Short: "Work with the reports of publish", Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	merge := &cobra.Command{
		Use: "merge FILE...", Short: "Join the JSON reports of all shards of one run; fails when a shard or an app is missing",
		Example: `  artifactctl report merge shard-*.json
  artifactctl report merge shard-*.json -o json > costs.json`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, files []string) error { return p.mergeReports(files) },
	}
	p.outputFlags(merge)
	cmd.AddCommand(merge)
	return cmd
}

func (p *program) mergeReports(files []string) error {
	reports := make([]ui.Envelope, len(files))
	for i, f := range files {
		var err error
		if reports[i], err = readReport(f); err != nil {
			return err
		}
	}
	merged, err := ui.Merge(reports)
	if err != nil {
		return usagef("give the report of every shard of one run, once", "merge reports: %w", err)
	}
	p.flags.progress = "none"
	if err := p.newUI().Merged(merged, p.outputOptions()); err != nil {
		return err
	}
	if merged.Summary.Failed > 0 {
		return errSomeFailed
	}
	return nil
}
