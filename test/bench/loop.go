package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/fluxcd/pkg/oci"
	"github.com/google/go-containerregistry/pkg/crane"

	"github.com/artifactctl/artifactctl/test/fixture"
	"github.com/artifactctl/artifactctl/test/oracle"
	"github.com/artifactctl/artifactctl/test/peers"
)

// shellLoop measures, for the first apps, what people script today: kustomize build, flux push artifact, cosign sign,
// flux tag artifact, and kustomize build with flux diff artifact to see whether that is needed. Flux's part is done by
// its library in this process, because its CLI cannot be built from modules: the loop looks better than it is.
func shellLoop(ctx context.Context, out io.Writer, fleet *fixture.Fleet, r *peers.Registry, dir string, apps int) error {
	kustomize, err := peers.BuildKustomize(ctx)
	if err != nil {
		fmt.Fprintf(out, "No comparison with a shell loop: there is no kustomize (%v).\n", err)
		return nil
	}
	program, err := peers.BuildCosign(ctx)
	if err != nil {
		fmt.Fprintf(out, "No comparison with a shell loop: there is no cosign (%v).\n", err)
		return nil
	}
	cosign := &oracle.Cosign{Program: program, Home: dir}
	plain := filepath.Join(dir, "plain.key")
	if err := os.WriteFile(plain, fleet.Key.Private, 0o600); err != nil {
		return err
	}
	key, err := cosign.Import(ctx, plain, "loop")
	if err != nil {
		return err
	}
	l := &loop{fleet: fleet, host: r.Host, kustomize: kustomize, cosign: cosign, key: key, dir: dir}
	publish, err := l.each(ctx, apps, l.publish)
	if err != nil {
		return err
	}
	diff, err := l.each(ctx, apps, l.diff)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "| shell loop over %d apps, for scale | wall per app |\n|---|---:|\n", apps)
	fmt.Fprintf(out, "| kustomize build, push, cosign sign, tag | %s |\n", millis(publish, apps))
	fmt.Fprintf(out, "| kustomize build, diff: nothing to do | %s |\n\n", millis(diff, apps))
	fmt.Fprintln(out, "Flux's part (push, tag, diff) is done by its library without a process of its own.")
	return nil
}

type loop struct {
	fleet     *fixture.Fleet
	host      string
	kustomize string
	cosign    *oracle.Cosign
	key       string
	dir       string
}

// each does one step for every app, one after the other, and returns the time it took.
func (l *loop) each(ctx context.Context, apps int, step func(context.Context, string) error) (time.Duration, error) {
	start := time.Now()
	for i := range apps {
		if err := step(ctx, fmt.Sprintf("app-%03d", i)); err != nil {
			return 0, err
		}
	}
	return time.Since(start), nil
}

func (l *loop) publish(ctx context.Context, app string) error {
	dir, err := l.build(ctx, app)
	if err != nil {
		return err
	}
	ref, err := oracle.FluxPush(ctx, l.host+"/loop/"+app+":sha-0000000", dir, oci.Metadata{Source: fixture.Remote, Revision: "main"})
	if err != nil {
		return err
	}
	if err := l.cosign.Sign(ctx, ref, l.key, false); err != nil {
		return err
	}
	return crane.Tag(ref, "edge", crane.WithContext(ctx))
}

func (l *loop) diff(ctx context.Context, app string) error {
	dir, err := l.build(ctx, app)
	if err != nil {
		return err
	}
	return oracle.FluxDiff(ctx, l.host+"/loop/"+app+":edge", dir)
}

// build renders an app into a directory of one file.
func (l *loop) build(ctx context.Context, app string) (string, error) {
	dir := filepath.Join(l.dir, "loop", app)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	yaml, err := exec.CommandContext(ctx, l.kustomize, "build", filepath.Join(l.fleet.Dir, "apps", app, "overlay")).Output()
	if err != nil {
		return "", fmt.Errorf("kustomize build %s: %w", app, err)
	}
	return dir, os.WriteFile(filepath.Join(dir, "manifests.yaml"), yaml, 0o644)
}
