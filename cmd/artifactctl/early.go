package main

import (
	"context"
	"path/filepath"

	"github.com/artifactctl/artifactctl/config"
	"github.com/artifactctl/artifactctl/internal/source"
)

// detection asks git which commit this run is about, while publish.yaml is read.
type detection struct {
	dir    string
	cancel context.CancelFunc
	done   chan struct{}
	found  source.Source
	err    error
}

// detectEarly begins to ask, in the directory in which publish.yaml is going to be found.
func (p *program) detectEarly(ctx context.Context, n needs) *detection {
	if !n.source {
		return nil
	}
	file := p.flags.file
	switch file {
	case "":
		file = config.DefaultFile
	case "-":
		file = "stdin" // its paths are relative to the working directory
	}
	path, err := filepath.Abs(file)
	if err != nil {
		return nil
	}
	d := &detection{dir: filepath.Dir(path), done: make(chan struct{})}
	ctx, d.cancel = context.WithCancel(ctx)
	go func() {
		defer close(d.done)
		d.found, d.err = p.detect(ctx, d.dir)
	}()
	return d
}

func (p *program) detect(ctx context.Context, dir string) (source.Source, error) {
	f := p.flags.source
	return source.Detect(ctx, source.Options{
		Dir: dir, Environ: p.environ, AllowDirty: true, // publish decides about that, and plan shows it
		Overrides: source.Overrides{Remote: f.remote, Commit: f.commit, Branch: f.branch, Tag: f.tag, Created: f.created},
	})
}

// of waits for the answer. It asks anew when the directory turned out to be another one.
func (d *detection) of(ctx context.Context, p *program, dir string) (source.Source, error) {
	if d == nil || d.dir != dir {
		return p.detect(ctx, dir)
	}
	<-d.done
	return d.found, d.err
}

// stop ends what nobody waits for any more.
func (d *detection) stop() {
	if d != nil {
		d.cancel()
		<-d.done
	}
}
