package cluster_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/artifactctl/artifactctl/test/cluster"
)

// The API server is one: it keeps what is applied, shows it, and refuses what is wrong, also in a dry run.
func TestAPIServer(t *testing.T) {
	c := cluster.Start(t)
	ctx := t.Context()
	if err := c.Namespace(ctx, "plain"); err != nil {
		t.Fatal(err)
	}
	const settings = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings, namespace: plain}\ndata: {version: \"1\"}\n"
	ref := cluster.ConfigMap("plain", "settings")
	if _, err := c.Kubectl(ctx, []byte(settings), "apply", "--dry-run=server", "-f", "-"); err != nil {
		t.Error(err)
	}
	if _, err := c.Get(ctx, ref); !errors.Is(err, cluster.ErrNotFound) {
		t.Errorf("after a dry run: %v", err)
	}
	if err := c.Apply(ctx, []byte(settings)); err != nil {
		t.Error(err)
	}
	if o, err := c.Wait(ctx, ref, func(o cluster.Object) bool { return o.Data["version"] == "1" }); err != nil || o.Metadata.Name != "settings" {
		t.Errorf("%s, %v", o, err)
	}
	wrong := strings.Replace(settings, "\ndata:", "\nreplicas: 3\ndata:", 1)
	if _, err := c.Kubectl(ctx, []byte(wrong), "apply", "--dry-run=server", "--validate=strict", "-f", "-"); err == nil || !strings.Contains(err.Error(), `unknown field "replicas"`) {
		t.Errorf("an unknown field: %v", err)
	}
}
