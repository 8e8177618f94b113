package cluster

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/artifactctl/artifactctl/test/peers"
)

// Flux installs Flux's definitions, as the modules of its controllers have them, and starts the controllers. They look at
// every namespace. Namespace flux-system is there, and empty.
func (c *Cluster) Flux(t testing.TB) {
	t.Helper()
	if err := c.startFlux(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func (c *Cluster) startFlux(ctx context.Context) error {
	for _, controller := range []peers.Tool{sourceController(), kustomizeController()} {
		dir, err := peers.Source(ctx, controller)
		if err != nil {
			return err
		}
		if _, err := c.Kubectl(ctx, nil, "apply", "--server-side", "-f", filepath.Join(dir, "config", "crd", "bases")); err != nil {
			return err
		}
	}
	if err := c.Namespace(ctx, "flux-system"); err != nil {
		return err
	}
	ports, err := freePorts(ctx, 3)
	if err != nil {
		return err
	}
	storage, source, apply := "127.0.0.1:"+ports[0], "127.0.0.1:"+ports[1], "127.0.0.1:"+ports[2]
	if err := os.MkdirAll(c.path("storage"), 0o755); err != nil {
		return fmt.Errorf("make the storage of source-controller: %w", err)
	}
	if err := c.startController(ctx, sourceController(), source, "--storage-path="+c.path("storage"), "--storage-addr="+storage,
		"--storage-adv-addr="+storage); err != nil {
		return err
	}
	return c.startController(ctx, kustomizeController(), apply)
}

// startController starts a controller that gives its health at an address.
func (c *Cluster) startController(ctx context.Context, controller peers.Tool, health string, args ...string) error {
	program, err := peers.BuildTool(ctx, controller)
	if err != nil {
		return err
	}
	name := controller.Name
	args = append(args, "--metrics-addr=127.0.0.1:0", "--health-addr="+health, "--enable-leader-election=false",
		"--watch-all-namespaces", "--log-level=info", "--concurrent=8")
	home := c.path(name)
	if err := os.MkdirAll(home, 0o755); err != nil {
		return fmt.Errorf("make a home for %s: %w", name, err)
	}
	env := []string{"KUBECONFIG=" + c.Kubeconfig, "RUNTIME_NAMESPACE=flux-system", "HOME=" + home, "TMPDIR=" + home, "NO_PROXY=127.0.0.1"}
	if err := c.programs.start(name, program, env, args...); err != nil {
		return err
	}
	return c.wait(ctx, name, func() bool { return answers(ctx, "http://"+health+"/readyz") })
}
