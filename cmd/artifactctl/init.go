package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/artifactctl/artifactctl/config"
)

func (p *program) initCommand() *cobra.Command {
	var file string
	var options config.StarterOptions
	cmd := &cobra.Command{
		Use: "init", Short: "Write a commented publish.yaml to start from; overwrites nothing",
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			text, err := config.Starter(options)
			if err != nil {
				return &usageError{err: err}
			}
			if file == "-" {
				_, err := p.out.Write(text)
				return err
			}
			if err := create(file, text, 0o644); err != nil {
				return err
			}
			fmt.Fprintf(p.err, "wrote %s; next: put your apps and registry into it, artifactctl keygen, artifactctl check\n", file)
			return nil
		},
	}
	cmd.Flags().StringVarP(&file, "file", "f", config.DefaultFile, "file to write; - writes to standard output")
	cmd.Flags().StringVar(&options.Registry, "registry", "", "registry to write into it, as oci://ghcr.io/org; default a directory")
	cmd.Flags().StringVar(&options.Branch, "branch", "", "branch that the tag edge follows; default main")
	return cmd
}

// create writes a new file and refuses to replace one.
func create(path string, content []byte, mode os.FileMode) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if errors.Is(err, os.ErrExist) {
		return usagef("choose another name, or remove it yourself", "%s exists and is not overwritten", path)
	}
	if err != nil {
		return err
	}
	if _, err := f.Write(content); err != nil {
		_ = f.Close()
		return err
	}
	return f.Close()
}
