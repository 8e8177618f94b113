package main

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"

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
	var identity bool
	cmd := &cobra.Command{
		Use: "plugins", Short: "List the signer plugins that can be found, with their pins",
		Long: `List the signer plugins that can be found, with version and sha256 ready to paste into publish.yaml. None is started.

With --identity the signers of publish.yaml are started and opened instead, as publish would, and say who they sign as.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if identity {
				return p.within(cmd.Context(), p.identities)
			}
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
	p.runFlags(cmd)
	p.signerFlags(cmd)
	cmd.Flags().BoolVar(&identity, "identity", false, "open the signers of publish.yaml and say who they sign as")
	return cmd
}

// identityResult is a signer of publish.yaml as programs read it.
type identityResult struct {
	Signer    string `json:"signer"`
	Plugin    string `json:"plugin"`
	Version   string `json:"version,omitempty"`
	Identity  string `json:"identity,omitempty"`
	Algorithm string `json:"algorithm,omitempty"`
	PublicKey string `json:"publicKey,omitempty"`
	Error     string `json:"error,omitempty"`
}

// identities opens every signer of publish.yaml. One that cannot be opened does not hide the others.
func (p *program) identities(ctx context.Context) error {
	s, err := p.open(ctx, needs{})
	if err != nil {
		return err
	}
	defer s.close()
	var out []identityResult
	failed := false
	for _, name := range slices.Sorted(maps.Keys(s.cfg.Signers)) {
		r := identityResult{Signer: name, Plugin: s.cfg.Signers[name].Plugin}
		_, info, err := s.startSigner(ctx, name)
		if err != nil {
			r.Error, failed = err.Error(), true
		} else {
			r.Version, r.Identity, r.Algorithm, r.PublicKey = info.Version, info.Identity, info.Algorithm, string(info.PublicKey)
		}
		out = append(out, r)
	}
	if p.flags.output != "text" {
		if err := ui.Encode(p.out, ui.Format(p.flags.output), out); err != nil {
			return err
		}
	} else {
		for _, r := range out {
			fmt.Fprintln(p.out, ui.Clean(strings.TrimSpace(fmt.Sprintf("%s  %s %s  %s  %s", r.Signer, r.Plugin, r.Version, r.Algorithm, cmp.Or(r.Identity, r.Error)))))
		}
	}
	if failed {
		return errSomeFailed
	}
	return nil
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
