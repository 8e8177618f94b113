package config

import (
	"testing"
	"time"
)

// What is not given is told apart from what is empty, and a line from a list of words.
func TestGates(t *testing.T) {
	c := must(t, `version: v1
registry: {url: oci-layout:./out}
apps: [{path: apps/*}]
environments: {production: {signer: a}}
signers: {a: {plugin: signer-file}}
gates:
  - kubeconform: {}
  - run: conftest test -
  - name: mine
    run: ["tools/my check", -v, -v]
    inputs: []
    memory: 512Mi
    timeout: 90s
    environments: [production]
`, Options{})
	conform, line, list := c.Gates[0], c.Gates[1], c.Gates[2]
	if conform.Kubeconform == nil || conform.Title() != "kubeconform" || conform.Severity != "error" {
		t.Errorf("kubeconform: %+v", conform)
	}
	if line.Kubeconform != nil || len(line.Run) != 1 || line.Title() != "conftest" || line.Inputs != nil || !line.AppliesIn("") {
		t.Errorf("line: %+v", line)
	}
	if len(list.Run) != 3 || list.Inputs == nil || len(list.Inputs) != 0 || list.MemoryBytes() != 512<<20 || list.Timeout != 90*time.Second ||
		list.AppliesIn("") || !list.AppliesIn("production") {
		t.Errorf("list: %+v", list)
	}
	if at := c.Where("gates[1].run"); at.Line != 8 || at.Column != 10 {
		t.Errorf("the command stands at %s", at)
	}
	if at := c.Where("gates[1].timeout"); at.Line != 8 {
		t.Errorf("what stands nowhere is at %s", at)
	}
}
