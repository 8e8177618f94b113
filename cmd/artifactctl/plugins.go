package main

import (
	"fmt"
	"runtime"

	"github.com/spf13/cobra"

	"github.com/artifactctl/artifactctl/internal/ui"
	"github.com/artifactctl/artifactctl/plugins/signer/rpc"
)

// pluginResult is a plugin as programs read it.
type pluginResult struct {
	Name     string `json:"name"`
	Version  string `json:"version,omitempty"`
	Path     string `json:"path"`
	Origin   string `json:"origin"`
	SHA256   string `json:"sha256,omitempty"`
	MustPin  bool   `json:"mustPin"`
	Shadowed bool   `json:"shadowed"`
	Error    string `json:"error,omitempty"`
}

func (p *program) pluginsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "plugins", Short: "List the signer plugins that can be found, with their pins; starts none of them",
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			search, err := p.search()
			if err != nil {
				return err
			}
			found, err := rpc.List(search)
			if err != nil {
				return err
			}
			if p.flags.output != "text" {
				return ui.Encode(p.out, ui.Format(p.flags.output), results(found))
			}
			p.printPlugins(found)
			return nil
		},
	}
	cmd.Flags().StringVarP(&p.flags.output, "output", "o", "text", "format of the result: text, json or yaml")
	return cmd
}

func results(found []rpc.Listed) []pluginResult {
	out := make([]pluginResult, len(found))
	for i, f := range found {
		out[i] = pluginResult{Name: f.Name, Version: f.Version, Path: f.Path, Origin: string(f.Origin), SHA256: f.SHA256, MustPin: f.MustPin, Shadowed: f.Shadowed}
		if f.Err != nil {
			out[i].Error = f.Err.Error()
		}
	}
	return out
}

func (p *program) printPlugins(found []rpc.Listed) {
	if len(found) == 0 {
		fmt.Fprintln(p.err, "no signer plugins were found")
	}
	for _, f := range results(found) {
		fmt.Fprintf(p.out, "%s %s\n  path    %s (%s)\n", f.Name, f.Version, f.Path, f.Origin)
		switch {
		case f.Error != "":
			fmt.Fprintf(p.out, "  unfit   %s\n", f.Error)
		default:
			fmt.Fprintf(p.out, "  sha256  {%s/%s: %s}\n", runtime.GOOS, runtime.GOARCH, f.SHA256)
		}
		if f.Shadowed {
			fmt.Fprintln(p.out, "  shadowed by another of this name")
		}
	}
}
