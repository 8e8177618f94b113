package cluster_test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/artifactctl/artifactctl/test/cluster"
	"github.com/artifactctl/artifactctl/test/oracle"
	"github.com/artifactctl/artifactctl/test/peers"
)

// channel is the tag that sources follow.
const channel = "edge"

// fleet is a git repository of small apps. Its artifacts go to one registry, and its objects to one namespace; both are
// called like the fleet.
type fleet struct {
	world    *world
	name     string
	dir      string
	registry *peers.Registry
	apps     []string
	rules    string // more entries of apps in publish.yaml
	more     string // more of publish.yaml
	env      []string
}

// newFleet writes a fleet and makes its namespace. Nothing is published yet.
func newFleet(t *testing.T, w *world, r *peers.Registry, name string, s signing, apps ...string) *fleet {
	t.Helper()
	f := &fleet{world: w, name: name, dir: t.TempDir(), registry: r, apps: apps}
	if err := w.Namespace(t.Context(), name); err != nil {
		t.Fatal(err)
	}
	f.git(t, "init", "--quiet", "--initial-branch=main")
	f.git(t, "remote", "add", "origin", "https://git.example.com/org/fleet.git")
	f.sign(t, s)
	for _, app := range apps {
		f.change(t, app, "1")
	}
	return f
}

// sign has another signer sign, and another trust count, from now on.
func (f *fleet) sign(t *testing.T, s signing) {
	t.Helper()
	format := s.format
	if format == "" {
		format = "bundle"
	}
	signers := []signing{s}
	if s.also != nil {
		signers = append(signers, *s.also)
	}
	f.env = nil
	entries := ""
	for i, one := range signers {
		for name, content := range one.files {
			f.write(t, name, content)
		}
		f.env = append(f.env, one.env...)
		entries += fmt.Sprintf("  %s: {%s}\n", []string{"used", "also"}[i], one.signer)
	}
	f.write(t, "publish.yaml", fmt.Sprintf(`version: v1
registry: {url: "oci://%s/%s"}
apps: [{path: "apps/*"}%s]
tags: {rolling: {main: %s, stage: next}, release: "{version}"}
signature: {format: %s, batch: %t}
provenance: %[7]t
sbom: %[7]t
signer: used
signers:
%[8]s%[9]s`, f.registry.Host, f.name, f.rules, channel, format, s.batch, s.attest, entries, f.more))
	f.commit(t, "sign")
}

// change has an app render to another version, and commits that.
func (f *fleet) change(t *testing.T, app, version string) {
	t.Helper()
	f.write(t, "apps/"+app+"/kustomization.yaml", fmt.Sprintf("namespace: %s\nresources: [objects.yaml]\n", f.name))
	f.write(t, "apps/"+app+"/objects.yaml", strings.ReplaceAll(fmt.Sprintf(`apiVersion: v1
kind: ConfigMap
metadata: {name: NAME}
data: {version: %q}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: NAME}
---
apiVersion: v1
kind: Service
metadata: {name: NAME}
spec: {selector: {app: NAME}, ports: [{port: 80}]}
`, version), "NAME", app))
	f.commit(t, app+" "+version)
}

func (f *fleet) write(t *testing.T, name, content string) {
	t.Helper()
	path := filepath.Join(f.dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func (f *fleet) commit(t *testing.T, message string) {
	t.Helper()
	f.git(t, "add", "--all")
	f.git(t, "commit", "--quiet", "--allow-empty", "--message", message)
}

// git runs git in the fleet's repository and returns what it printed, without spaces around it.
func (f *fleet) git(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "git", args...)
	cmd.Dir = f.dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_NOSYSTEM=1",
		"GIT_AUTHOR_NAME=Ada", "GIT_AUTHOR_EMAIL=ada@example.com", "GIT_COMMITTER_NAME=Ada", "GIT_COMMITTER_EMAIL=ada@example.com")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

// run runs artifactctl in the fleet and returns its exit code, its result and all else that it printed.
func (f *fleet) run(t *testing.T, args ...string) (code int, result []byte, said string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), filepath.Join(peers.Product(t, false), "artifactctl"), args...)
	var stdout, stderr bytes.Buffer
	cmd.Dir, cmd.Stdout, cmd.Stderr, cmd.WaitDelay = f.dir, &stdout, &stderr, 20*time.Second
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "NO_COLOR=1"}, f.env...)
	err := cmd.Run()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatalf("artifactctl %s: %v", strings.Join(args, " "), err)
	}
	return cmd.ProcessState.ExitCode(), stdout.Bytes(), stderr.String()
}

// must runs artifactctl, which has to succeed, and returns its result.
func (f *fleet) must(t *testing.T, args ...string) []byte {
	t.Helper()
	code, result, said := f.run(t, args...)
	if code != 0 {
		t.Fatalf("artifactctl %s exits with %d\n%s%s", strings.Join(args, " "), code, result, said)
	}
	return result
}

// follow applies what `generate flux` writes, as it is.
func (f *fleet) follow(t *testing.T, args ...string) {
	t.Helper()
	manifests := f.must(t, append([]string{"generate", "flux", "--branch", "main", "--namespace", f.name}, args...)...)
	if err := f.world.Apply(t.Context(), manifests); err != nil {
		t.Fatalf("%v\n%s", err, manifests)
	}
}

// repository is where an app's artifacts are: "host/path".
func (f *fleet) repository(app string) string { return f.registry.Direct + "/" + f.name + "/" + app }

// digest is what a tag of an app names.
func (f *fleet) digest(t *testing.T, app, tag string) string {
	t.Helper()
	tags, err := oracle.Tags(t.Context(), f.repository(app))
	if err != nil {
		t.Fatal(err)
	}
	if tags[tag] == "" {
		t.Fatalf("%s has no tag %s, but %v", f.repository(app), tag, slices.Sorted(maps.Keys(tags)))
	}
	return tags[tag]
}

// runs waits until Flux has verified an app's artifact of this digest and applied it, and checks that the objects are
// there, in this version.
func (f *fleet) runs(t *testing.T, app, digest, version string) {
	t.Helper()
	ctx, w := t.Context(), f.world
	source, err := w.Wait(ctx, cluster.Source(f.name, app), func(o cluster.Object) bool { return o.Is("Ready", "True") && o.Revision() == digest })
	if err != nil {
		t.Fatal(err)
	}
	if !source.Is("SourceVerified", "True") {
		t.Errorf("ready without verification: %s", source)
	}
	if _, err := w.Wait(ctx, cluster.Kustomization(f.name, app), func(o cluster.Object) bool { return o.Is("Ready", "True") && o.Applied() == digest }); err != nil {
		t.Fatal(err)
	}
	f.has(t, app, version)
}

// has checks that the objects of an app are there, in this version.
func (f *fleet) has(t *testing.T, app, version string) {
	t.Helper()
	for _, kind := range []string{"ConfigMap", "ServiceAccount", "Service"} {
		o, err := f.world.Get(t.Context(), cluster.Ref{Kind: kind, Namespace: f.name, Name: app})
		if err != nil {
			t.Error(err)
		}
		if owner := o.Metadata.Labels["kustomize.toolkit.fluxcd.io/name"]; err == nil && owner != app {
			t.Errorf("%s %s is applied by %q", kind, app, owner)
		}
		if got := o.Data["version"]; err == nil && kind == "ConfigMap" && got != version {
			t.Errorf("app %s is applied in version %q, want %q", app, got, version)
		}
	}
}

// look has Flux look at an app's source now, and waits for the Kustomization where that has made it Ready.
func (f *fleet) look(t *testing.T, app string) cluster.Object {
	t.Helper()
	o, err := f.world.Reconcile(t.Context(), cluster.Source(f.name, app))
	if err != nil {
		t.Fatal(err)
	}
	return o
}
