package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/artifactctl/artifactctl/test/fixture"
	"github.com/artifactctl/artifactctl/test/peers"
)

// password is what the loop's key is encrypted with.
const password = "bench"

// shell is what people script today: kustomize build, flux push artifact, cosign sign, flux tag artifact for each app;
// and kustomize build with flux diff artifact to see whether that is needed.
type shell struct {
	kustomize string // path; empty when there is none
	cosign    string
	key       string // for cosign
	client    client
	notes     []string // what is measured with what
}

// client is how the loop talks to a registry: commands without the programs' paths.
type client struct {
	program         string
	push, tag, diff func(ref, operand string) []string
}

// findShell finds the programs of the loop and writes down what is missing.
func findShell(ctx context.Context, b *bench) (*shell, error) {
	s := &shell{}
	if b.loop == 0 {
		return s, nil
	}
	var err error
	if s.kustomize, err = peers.BuildKustomize(ctx); err != nil {
		s.note("kustomize is missing (%v): nothing is compared with a shell loop.", err)
		return s, nil
	}
	if s.client, err = s.findClient(ctx, b.dir); err != nil {
		return nil, err
	}
	if s.cosign, err = peers.BuildCosign(ctx); err != nil {
		s.note("cosign is missing (%v): the loop does not sign, and looks better than it is.", err)
		return s, nil
	}
	plain := filepath.Join(b.dir, "plain.key")
	if err := os.WriteFile(plain, b.key.Private, 0o600); err != nil {
		return nil, err
	}
	s.key = filepath.Join(b.dir, "loop.key")
	_, err = b.command(ctx, s.cosign, "import-key-pair", "--yes", "--key", plain, "--output-key-prefix", filepath.Join(b.dir, "loop"))
	return s, err
}

func (s *shell) note(format string, args ...any) {
	s.notes = append(s.notes, fmt.Sprintf(format, args...))
}

// findClient prefers flux: the installed one, or else one that is built. Without it there is oras and, without that, a
// small program over Flux's library.
func (s *shell) findClient(ctx context.Context, dir string) (client, error) {
	if path, err := exec.LookPath("flux"); err == nil {
		s.note("The loop runs the installed flux.")
		return fluxClient(path), nil
	}
	path, err := peers.BuildFlux(ctx)
	if err == nil {
		s.note("The loop runs flux, built from its module: %s.", filepath.Base(path))
		return fluxClient(path), nil
	}
	s.note("flux is not installed and cannot be built (%v).", err)
	if path, err := exec.LookPath("oras"); err == nil {
		s.note("The loop runs the installed oras; to see whether something changed it only fetches the manifest.")
		return orasClient(path), nil
	}
	s.note("The loop runs a small program over Flux's library, which starts faster than flux.")
	path = filepath.Join(dir, "artifact")
	cmd := exec.CommandContext(ctx, "go", "build", "-o", path, "github.com/artifactctl/artifactctl/test/bench/artifact")
	if out, err := cmd.CombinedOutput(); err != nil {
		return client{}, fmt.Errorf("build a stand-in for flux: %w\n%s", err, out)
	}
	return client{
		program: path,
		push:    func(ref, dir string) []string { return []string{"push", ref, dir} },
		tag:     func(ref, tag string) []string { return []string{"tag", ref, tag} },
		diff:    func(ref, dir string) []string { return []string{"diff", ref, dir} },
	}, nil
}

func fluxClient(path string) client {
	return client{
		program: path,
		push: func(ref, dir string) []string {
			return []string{"push", "artifact", "oci://" + ref, "--path", dir, "--source", fixture.Remote, "--revision", "main"}
		},
		tag:  func(ref, tag string) []string { return []string{"tag", "artifact", "oci://" + ref, "--tag", tag} },
		diff: func(ref, dir string) []string { return []string{"diff", "artifact", "oci://" + ref, "--path", dir} },
	}
}

func orasClient(path string) client {
	return client{
		program: path,
		push: func(ref, dir string) []string {
			return []string{"push", "--plain-http", "--disable-path-validation", ref, dir + "/manifests.yaml:application/yaml"}
		},
		tag:  func(ref, tag string) []string { return []string{"tag", "--plain-http", ref, tag} },
		diff: func(ref, _ string) []string { return []string{"manifest", "fetch", "--plain-http", ref} },
	}
}

// loops measures the loop over the first apps of a fleet, and adds how artifactctl compares.
func (b *bench) loops(ctx context.Context, k fixture.Kind, f *fixture.Fleet, s *sheet) error {
	n := min(b.loop, len(f.Apps))
	if k == fixture.Large {
		n = min(n, len(f.Apps), 2) // ten seconds each
	}
	if n == 0 || b.shell.kustomize == "" {
		s.compare(row{}, row{})
		return nil
	}
	publish, err := b.measureLoop(ctx, n, func(i int) error { return b.loopPublish(ctx, f, i) })
	if err != nil {
		return err
	}
	diff, err := b.measureLoop(ctx, n, func(i int) error { return b.loopDiff(ctx, f, i) })
	if err != nil {
		return err
	}
	s.compare(row{fmt.Sprintf("shell loop over %d apps: publish", n), publish}, row{fmt.Sprintf("shell loop over %d apps: nothing changed", n), diff})
	return nil
}

func (b *bench) loopPublish(ctx context.Context, f *fixture.Fleet, i int) error {
	dir, err := b.loopBuild(ctx, f, i)
	if err != nil {
		return err
	}
	ref := b.loopRef(i) + ":sha-0000000"
	if _, err := b.command(ctx, b.shell.client.program, b.shell.client.push(ref, dir)...); err != nil {
		return err
	}
	if b.shell.cosign != "" {
		if _, err := b.command(ctx, b.shell.cosign, "sign", "--yes", "--key", b.shell.key, "--use-signing-config=false", "--tlog-upload=false", ref); err != nil {
			return err
		}
	}
	_, err = b.command(ctx, b.shell.client.program, b.shell.client.tag(ref, "edge")...)
	return err
}

func (b *bench) loopDiff(ctx context.Context, f *fixture.Fleet, i int) error {
	dir, err := b.loopBuild(ctx, f, i)
	if err != nil {
		return err
	}
	_, err = b.command(ctx, b.shell.client.program, b.shell.client.diff(b.loopRef(i)+":edge", dir)...)
	return err
}

func (b *bench) loopRef(i int) string { return fmt.Sprintf("%s/loop/app-%03d", b.registry.host, i) }

// loopBuild renders an app into a directory of one file.
func (b *bench) loopBuild(ctx context.Context, f *fixture.Fleet, i int) (string, error) {
	dir := filepath.Join(b.dir, "loop", fmt.Sprint(i))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	yaml, err := b.command(ctx, b.shell.kustomize, "build", filepath.Join(f.Dir, f.Apps[i]))
	if err != nil {
		return "", err
	}
	return dir, os.WriteFile(filepath.Join(dir, "manifests.yaml"), yaml, 0o644)
}
