// Package cluster runs a real Kubernetes API server for a test, and on it the real Flux controllers that fetch, verify and
// apply: etcd, kube-apiserver, source-controller and kustomize-controller as processes of their own on loopback. There is
// no kubelet and no controller of Kubernetes: objects exist, and nothing acts on them. It judges nothing.
package cluster

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/artifactctl/artifactctl/test/peers"
)

// Env names the variable without which tests that need a cluster skip: its programs take minutes to build.
const Env = "ARTIFACTCTL_TEST_CLUSTER"

const (
	// token is the administrator's.
	token = "admin-of-the-test-cluster"
	// patience is how long a server may take to come up.
	patience = 60 * time.Second
)

// Cluster is a running API server. Its methods may be called concurrently.
type Cluster struct {
	// Kubeconfig is a file that lets kubectl, or any client, do everything.
	Kubeconfig string

	dir      string
	server   string // URL
	kubectl  string // program
	client   *http.Client
	programs *programs
}

// Start starts an empty cluster for the time of a test. It skips the test when Env is not set.
func Start(t testing.TB) *Cluster {
	t.Helper()
	if os.Getenv(Env) == "" {
		t.Skipf("a cluster takes minutes to build: `make flux`, or %s=1, runs this test", Env)
	}
	c, err := start(t.Context(), t.TempDir())
	if c != nil {
		t.Cleanup(func() { c.stop(t) })
	}
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// start returns a cluster that has to be stopped with every error that is not about making it.
func start(ctx context.Context, dir string) (*Cluster, error) {
	c := &Cluster{dir: dir, Kubeconfig: filepath.Join(dir, "kubeconfig"), programs: &programs{dir: dir}}
	ports, err := freePorts(ctx, 3)
	if err != nil {
		return nil, err
	}
	if c.kubectl, err = peers.BuildTool(ctx, kubectl()); err != nil {
		return nil, err
	}
	if err := c.startServers(ctx, ports[0], ports[1], ports[2]); err != nil {
		return c, err
	}
	c.client, err = newClient(c.path("pki", "apiserver.crt"))
	if err != nil {
		return c, err
	}
	if err := c.wait(ctx, "kube-apiserver", func() bool { return c.ready(ctx) }); err != nil {
		return c, err
	}
	return c, os.WriteFile(c.Kubeconfig, []byte(c.kubeconfig()), 0o600)
}

func (c *Cluster) path(elements ...string) string {
	return filepath.Join(append([]string{c.dir}, elements...)...)
}

// startServers starts etcd and the API server, which retries until etcd answers.
func (c *Cluster) startServers(ctx context.Context, client, peer, secure string) error {
	store, err := peers.BuildTool(ctx, etcd())
	if err != nil {
		return err
	}
	api, err := peers.BuildTool(ctx, apiServer())
	if err != nil {
		return err
	}
	c.server = "https://127.0.0.1:" + secure
	key, err := c.writeCredentials()
	if err != nil {
		return err
	}
	endpoint := "http://127.0.0.1:" + client
	if err := c.programs.start("etcd", store, nil, "--data-dir="+c.path("etcd"), "--unsafe-no-fsync", "--log-level=warn",
		"--listen-client-urls="+endpoint, "--advertise-client-urls="+endpoint, "--listen-peer-urls=http://127.0.0.1:"+peer,
		"--initial-advertise-peer-urls=http://127.0.0.1:"+peer, "--initial-cluster=default=http://127.0.0.1:"+peer); err != nil {
		return err
	}
	// Without a controller for service accounts, their admission would refuse every pod. It makes its own certificate.
	err = c.programs.start("kube-apiserver", api, nil, "--etcd-servers="+endpoint, "--bind-address=127.0.0.1", "--advertise-address=127.0.0.1",
		"--secure-port="+secure, "--cert-dir="+c.path("pki"), "--service-cluster-ip-range=10.0.0.0/24",
		"--service-account-issuer=https://kubernetes.default.svc", "--service-account-key-file="+key, "--service-account-signing-key-file="+key,
		"--token-auth-file="+c.path("tokens.csv"), "--authorization-mode=AlwaysAllow", "--disable-admission-plugins=ServiceAccount")
	if err != nil {
		return err
	}
	return c.wait(ctx, "kube-apiserver", func() bool {
		_, err := os.Stat(c.path("pki", "apiserver.crt"))
		return err == nil
	})
}

// wait returns when ready says so, or with an error when the program has ended or does not get ready.
func (c *Cluster) wait(ctx context.Context, name string, ready func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	again := time.NewTicker(50 * time.Millisecond) // a process says nowhere that it listens
	defer again.Stop()
	for !ready() {
		select {
		case <-again.C:
		case <-c.programs.ended(name):
			return fmt.Errorf("%s has ended", name)
		case <-ctx.Done():
			return fmt.Errorf("wait for %s: %w", name, ctx.Err())
		}
	}
	return nil
}

// stop ends all programs. What they said is shown when the test has failed.
func (c *Cluster) stop(t testing.TB) {
	t.Helper()
	c.programs.stop()
	if !t.Failed() {
		return
	}
	for _, p := range c.programs.all {
		t.Logf("the end of what %s said:\n%s", p.name, p.tail(25))
	}
}

// Kubectl runs kubectl with this input and returns what it printed; its messages are part of the error.
func (c *Cluster) Kubectl(ctx context.Context, stdin []byte, args ...string) (string, error) {
	return run(ctx, stdin, c.kubectl, append([]string{"--kubeconfig=" + c.Kubeconfig, "--cache-dir=" + c.path("cache")}, args...)...)
}

// Apply runs `kubectl apply` on a stream of manifests.
func (c *Cluster) Apply(ctx context.Context, manifests []byte) error {
	_, err := c.Kubectl(ctx, manifests, "apply", "-f", "-")
	return err
}

// Namespace makes a namespace.
func (c *Cluster) Namespace(ctx context.Context, name string) error {
	_, err := c.Kubectl(ctx, nil, "create", "namespace", name)
	return err
}

// Program returns the path of the cluster's kubectl.
func (c *Cluster) Program() string { return c.kubectl }

func (c *Cluster) kubeconfig() string {
	return strings.NewReplacer("SERVER", c.server, "CA", c.path("pki", "apiserver.crt"), "TOKEN", token).Replace(`apiVersion: v1
kind: Config
clusters: [{name: test, cluster: {server: "SERVER", certificate-authority: "CA"}}]
users: [{name: admin, user: {token: "TOKEN"}}]
contexts: [{name: test, context: {cluster: test, user: admin}}]
current-context: test
`)
}
