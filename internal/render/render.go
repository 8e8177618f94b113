// Package render turns an app into the files of its artifact: the output of `kustomize build`, to the byte, or a
// directory as it stands.
//
// Kustomize shares state between builds, cannot be cancelled, and ends its process on some inputs, so it runs in
// worker processes, one app at a time each (package worker); a directory is read here (package tree). The package does
// not compare, sign or publish anything, and it does not know publish.yaml.
//
// In front of the workers stands a cache (package cache): a render is a function of what it asked the file system, of the
// executable that did it, and of its options. When all of that is as it was (package inputs), the result is as it was.
// Kept are builds of kustomize that succeeded and that asked for nothing but files inside the root, by paths that mean
// the same wherever the root lies. Never kept are errors, directories as they stand, apps that may use helm, and builds
// that tried to use the network or git or that name the root by its real path.
package render

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/artifactctl/artifactctl/internal/artifact"
	"github.com/artifactctl/artifactctl/internal/render/fault"
	"github.com/artifactctl/artifactctl/internal/render/tree"
	"github.com/artifactctl/artifactctl/internal/render/worker"
)

// Mode is how an app becomes files.
type Mode string

// The modes.
const (
	Kustomize Mode = "kustomize"
	Tree      Mode = "none"
)

// KustomizeVersion is the version of the kustomize command whose output this package reproduces.
const KustomizeVersion = worker.Kustomize

// Request asks for the files of one app.
type Request struct {
	Dir  string // absolute directory of the app
	Root string // absolute; nothing outside of it is read, whatever links or `../` say
	Mode Mode   // empty means Kustomize
	// Helm lets kustomize run the helm command of PATH. In Tree mode it lets helm charts pass the check.
	Helm bool
	// RemoteBases lets kustomize fetch what URLs name. In Tree mode it lets such references pass the check.
	RemoteBases bool
	// Ignore has patterns in gitignore syntax, relative to Dir; Tree mode only.
	Ignore []string
}

// Result is a rendered app.
type Result struct {
	Files artifact.Files
	// Warnings are kustomize's, in order of appearance and without repetitions. Paths are relative to Request.Root.
	Warnings []string
	// Cached tells that nothing was rendered: the result of an earlier run is still right.
	Cached bool

	record []byte // what kustomize asked, as package inputs encodes it; empty when that is not known
}

// Error is why an app cannot be rendered: the file, kustomize's own words, and Hint for the cases that are known.
// Render returns it for everything that the app itself is to blame for.
type Error = fault.Error

// Render returns the files of an app. It may be called concurrently; calls wait for a free worker. When ctx is done,
// or the time is up, the worker is killed.
func (p *Pool) Render(ctx context.Context, r Request) (Result, error) {
	if !filepath.IsAbs(r.Dir) || !filepath.IsAbs(r.Root) {
		return Result{}, fmt.Errorf("directory %q and root %q have to be absolute", r.Dir, r.Root)
	}
	switch r.Mode {
	case Tree:
		files, err := tree.Read(ctx, tree.Options{
			Dir: r.Dir, Root: r.Root, Ignore: r.Ignore, Helm: r.Helm, RemoteBases: r.RemoteBases,
		})
		if err != nil {
			return Result{}, err
		}
		return Result{Files: files}, nil
	case Kustomize, "":
		return p.build(ctx, r)
	}
	return Result{}, fmt.Errorf("unknown render mode %q", r.Mode)
}

// build looks for the result of an earlier render, and else has a worker run kustomize.
func (p *Pool) build(ctx context.Context, r Request) (Result, error) {
	if err := p.usable(ctx); err != nil {
		return Result{}, err
	}
	memory := p.memory()
	if result, ok := memory.recall(r); ok {
		p.counts.cached.Add(1)
		return result, nil
	}
	p.counts.built.Add(1)
	k := kind{helm: r.Helm, network: r.RemoteBases}
	_, record := memory.key(r)
	response, cost, err := p.do(ctx, k, worker.Request{Dir: r.Dir, Root: r.Root, Record: record || p.options.Record})
	if err != nil {
		return Result{}, err
	}
	if response.Err != nil {
		return Result{Warnings: response.Warnings}, response.Err
	}
	memory.keep(r, response, cost)
	return Result{
		Files:    artifact.Files{artifact.ManifestsFile: response.YAML},
		Warnings: response.Warnings,
		record:   response.Inputs,
	}, nil
}

// errClosed is what a closed pool answers.
var errClosed = errors.New("the renderer is closed")
