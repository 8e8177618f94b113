package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/artifactctl/artifactctl/config"
	"github.com/artifactctl/artifactctl/internal/flux/audit"
	"github.com/artifactctl/artifactctl/internal/flux/generate"
	"github.com/artifactctl/artifactctl/internal/flux/manifest"
)

// stdinName is the file that findings in standard input are said to be in.
const stdinName = "stdin.yaml"

// maxStdin bounds an export of a cluster, in bytes: it is held in memory.
const maxStdin = 256 << 20

// auditedFiles are the manifests to audit: those below the paths, an export, or what the apps render to.
func (s *session) auditedFiles(ctx context.Context, paths []string) ([]manifest.File, error) {
	if len(paths) == 0 {
		return s.renderAll(ctx)
	}
	if paths[0] == "-" {
		text, err := io.ReadAll(io.LimitReader(s.in, maxStdin+1))
		if err != nil {
			return nil, fmt.Errorf("read standard input: %w", err)
		}
		if len(text) > maxStdin {
			return nil, usagef("export one kind or namespace at a time", "standard input has more than %d MiB", maxStdin>>20)
		}
		files := []manifest.File{{Path: stdinName, Content: text}}
		return files, checkExport(files)
	}
	var all []manifest.File
	seen := map[string]bool{}
	for _, root := range paths {
		files, err := manifest.ReadTree(root)
		if err != nil {
			return nil, usagef("name directories or files of manifests, or - for standard input", "%w", err)
		}
		info, err := os.Stat(root)
		if err != nil {
			return nil, err
		}
		for _, f := range files {
			if f.Path = path.Join(filepath.ToSlash(root), f.Path); !info.IsDir() {
				f.Path = path.Clean(filepath.ToSlash(root))
			}
			if !seen[f.Path] {
				seen[f.Path] = true
				all = append(all, f)
			}
		}
	}
	return all, nil
}

// checkExport refuses what cannot be the export of a cluster. What wrote it has failed, and nothing found in nothing would
// look like a good cluster. Documents that name an API of Flux are findings of the audit.
func checkExport(files []manifest.File) error {
	const hint = "pipe what kubectl get … -A -o yaml prints, and have the shell stop when kubectl fails (set -o pipefail)"
	_, problems := manifest.Read(files)
	for _, p := range problems {
		if !p.Flux {
			return usagef(hint, "%s:%d: standard input cannot be read: %s", p.File, p.Line, p.Message)
		}
	}
	if len(bytes.TrimSpace(files[0].Content)) == 0 {
		return usagef(hint, "standard input is empty")
	}
	return nil
}

// renderAll renders the session's apps. Each file is named by where its app is, as seen from the working directory.
func (s *session) renderAll(ctx context.Context) ([]manifest.File, error) {
	rendered, problems := make([][]manifest.File, len(s.apps)), make([]error, len(s.apps))
	var group errgroup.Group
	group.SetLimit(cmp.Or(s.flags.concurrency, 8))
	for i, app := range s.apps {
		group.Go(func() error {
			files, warnings, err := s.engine.Renderer.Render(ctx, app.Name)
			s.warn(warnings...)
			if err != nil {
				problems[i] = advise(fmt.Errorf("render %s: %w", app.Name, err), "artifactctl render %s tries this app alone", app.Name)
				return nil
			}
			for _, name := range slices.Sorted(maps.Keys(files)) {
				if manifest.IsYAML(name) {
					rendered[i] = append(rendered[i], manifest.File{Path: path.Join(s.homeOf(app.Name), name), Content: files[name]})
				}
			}
			return nil
		})
	}
	_ = group.Wait() // each app has an error of its own
	return slices.Concat(rendered...), errors.Join(problems...)
}

// homeOf is the directory of an app as seen from the working directory.
func (s *session) homeOf(app string) string {
	dir := s.requests[app].Dir
	if here, err := filepath.Abs("."); err == nil {
		if rel, err := filepath.Rel(here, dir); err == nil {
			dir = rel
		}
	}
	return filepath.ToSlash(dir)
}

// ownSources are the repositories that publish.yaml publishes to, with what generate flux would write for them. There are
// none without publish.yaml, and for a directory, from which no cluster reads.
func (s *session) ownSources(ctx context.Context, f fluxFlags) []audit.Own {
	if s.cfg == nil {
		return nil
	}
	host, prefix := s.cfg.Registry.Host()
	if host == "" {
		return nil
	}
	own, err := s.ownTrust(ctx, f)
	if err != nil {
		s.warn("sources of apps of publish.yaml are not compared with its trust: " + err.Error())
		return nil
	}
	var all []audit.Own
	for _, a := range s.cfg.Fleet {
		own.Repository = path.Join(host, prefix, a.Repository)
		all = append(all, own)
	}
	return all
}

// ownTrust is what every source of an app of publish.yaml must check signatures against.
func (s *session) ownTrust(ctx context.Context, f fluxFlags) (audit.Own, error) {
	trust, err := s.fluxTrust(ctx, false)
	if err != nil {
		return audit.Own{}, err
	}
	if s.cfg.Signers[s.cfg.Signer].Trust.TUFRoot != "" && trust.TrustedRoot == nil {
		trust.TrustedRoot = []byte("{}") // that there is one is all that counts here
	}
	own := audit.Own{Issuer: trust.Issuer, Subject: trust.Subject}
	if trust.Issuer == "" || trust.Subject == "" { // an expression cannot be compared with another
		own.Issuer, own.Subject = "", ""
	}
	for _, k := range trust.Keys {
		own.Keys = append(own.Keys, k.PEM)
	}
	own.Block, err = generate.VerifyBlock(generate.Options{
		Trust: trust, KeySecret: f.verifySecretRef, RootSecret: f.trustedRootSecretRef, Legacy: s.cfg.Signature.Format != config.FormatBundle,
	})
	return own, err
}
