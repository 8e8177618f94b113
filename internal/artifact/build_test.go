package artifact_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/artifactctl/artifactctl/internal/artifact"
)

// text makes content as repetitive as manifests are, from a seed.
func text(seed uint64) []byte {
	r := rand.New(rand.NewPCG(seed, 7))
	words := strings.Fields("apiVersion: kind: metadata: name: labels: spec: template: containers: image: web v1 apps/v1 - true 8080 \n \n \n ")
	var b bytes.Buffer
	for n := r.IntN(4 << (seed % 14)); b.Len() <= n; {
		if r.IntN(50) == 0 {
			fmt.Fprintf(&b, "%x", r.Uint64())
		}
		b.WriteString(words[r.IntN(len(words))] + " ")
	}
	return b.Bytes()
}

// TestEncodersForget: what an encoder writes does not depend on what it wrote before, in whatever order and on however
// many processors. Digests would differ from machine to machine.
func TestEncodersForget(t *testing.T) {
	const inputs = 400
	build := func(seed uint64) string {
		a, err := artifact.Build(artifact.Files{"manifests.yaml": text(seed), "more.yaml": text(seed + 1)}, artifact.Meta{})
		if err != nil {
			t.Error(err)
			return ""
		}
		return a.Manifest.Digest.String()
	}
	first := make([]string, inputs)
	for seed := range first {
		first[seed] = build(uint64(seed))
	}
	var running sync.WaitGroup
	for worker := range 4 {
		running.Go(func() {
			for _, seed := range rand.New(rand.NewPCG(uint64(worker), 1)).Perm(inputs) {
				if again := build(uint64(seed)); again != first[seed] {
					t.Errorf("input %d: %s, and %s before", seed, again, first[seed])
				}
			}
		})
	}
	running.Wait()
}
