package main

import (
	"context"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/artifactctl/artifactctl/internal/artifact"
	"github.com/artifactctl/artifactctl/internal/render/worker"
)

// workerName is the hidden command that render workers run.
const workerName = "render-worker"

func (p *program) renderCommand() *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use: "render APP", Short: "Print what an app's artifact would hold, without registry, git or signer",
		Example: `  artifactctl render podinfo
  artifactctl render flux-system --dir out`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.within(cmd.Context(), func(ctx context.Context) error {
				s, err := p.open(ctx, needs{})
				if err != nil {
					return err
				}
				defer s.close()
				if _, ok := s.requests[args[0]]; !ok {
					return usagef("artifactctl check lists the apps", "publish.yaml has no app %q", args[0])
				}
				files, warnings, err := s.engine.Renderer.Render(ctx, args[0])
				s.warn(warnings...)
				if err != nil {
					return err
				}
				if dir != "" {
					return writeFiles(dir, files)
				}
				content, ok := files[artifact.ManifestsFile]
				if !ok || len(files) > 1 {
					return usagef("write them into a directory with --dir", "app %q has %d files, which do not fit one stream", args[0], len(files))
				}
				_, err = p.out.Write(content)
				return err
			})
		},
	}
	p.runFlags(cmd)
	cmd.Flags().StringVar(&dir, "dir", "", "write the files into this directory, which must not exist or be empty")
	return cmd
}

// writeFiles writes files below a directory that holds nothing yet.
func writeFiles(dir string, files artifact.Files) error {
	if entries, err := os.ReadDir(dir); err == nil && len(entries) > 0 {
		return usagef("choose another directory", "%s is not empty", dir)
	}
	for name, content := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, content, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// workerCommand is what a render worker runs: it serves its parent over its standard streams.
func (p *program) workerCommand() *cobra.Command {
	return &cobra.Command{
		Use: workerName, Hidden: true, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return worker.Serve(cmd.Context(), p.in, p.out)
		},
	}
}
