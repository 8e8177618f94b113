package interop_test

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/artifactctl/artifactctl/internal/artifact"
	"github.com/artifactctl/artifactctl/internal/registry"
	"github.com/artifactctl/artifactctl/test/oracle"
	"github.com/artifactctl/artifactctl/test/peers"
)

// Everything the engine asks of a registry, against real ones, and what it costs them.
func TestRegistryContract(t *testing.T) {
	for _, r := range peers.Registries(t) {
		t.Run(r.Kind, func(t *testing.T) {
			c, a := client(t, r), small(t, 0)
			for _, ref := range []string{"edge", a.Manifest.Digest.String()} {
				if _, err := c.Resolve(t.Context(), "fleet/app", ref); !errors.Is(err, artifact.ErrNotFound) {
					t.Errorf("%s of an unknown repository: %v", ref, err)
				}
			}
			if err := c.Push(t.Context(), "fleet/app", a); err != nil {
				t.Fatal(err)
			}
			if tags, err := c.Tags(t.Context(), "fleet/app"); err != nil || len(tags) != 0 {
				t.Errorf("a push by digest made tags %v (%v)", tags, err)
			}
			if got, err := c.Signatures(t.Context(), "fleet/app", a.Manifest.Descriptor); err != nil || len(got) != 0 {
				t.Errorf("unsigned artifact has signatures %v (%v)", got, err)
			}
			if err := c.Tag(t.Context(), "fleet/app", a.Manifest, "edge"); err != nil {
				t.Fatal(err)
			}
			m, err := c.Resolve(t.Context(), "fleet/app", "edge")
			if err != nil || m.Digest != a.Manifest.Digest || string(m.Bytes) != string(a.Manifest.Bytes) {
				t.Errorf("edge is %s (%v), want %s", m.Digest, err, a.Manifest.Digest)
			}
			if tags, err := oracle.Tags(t.Context(), r.Host+"/fleet/app"); err != nil || !maps.Equal(tags, map[string]string{"edge": a.Manifest.Digest.String()}) {
				t.Errorf("others see the tags %v (%v)", tags, err)
			}
		})
	}
}

// A killed run may have sent anything. Sending all of it again changes nothing: the same manifest, one referrer, no tag.
func TestSendingAgainChangesNothing(t *testing.T) {
	for _, r := range peers.Registries(t) {
		t.Run(r.Kind, func(t *testing.T) {
			a, sig := small(t, 0), bundle(0)
			for range 2 {
				c := client(t, r) // each run is a new process
				if err := c.Push(t.Context(), "fleet/again", a); err != nil {
					t.Fatal(err)
				}
				if err := c.Attach(t.Context(), "fleet/again", a.Manifest.Descriptor, sig); err != nil {
					t.Fatal(err)
				}
			}
			ref := r.Direct + "/fleet/again@" + a.Manifest.Digest.String()
			if found, err := oracle.Bundles(t.Context(), ref); err != nil || len(found) != 1 || string(found[0]) != string(sig.Content) {
				t.Errorf("bundles %q (%v), want one", found, err)
			}
			if tags, err := oracle.Tags(t.Context(), r.Direct+"/fleet/again"); err != nil || len(tags) != 0 {
				t.Errorf("tags %v (%v)", tags, err)
			}
		})
	}
}

// Two processes that sign the same artifact at the same time both succeed and neither loses the other's signature,
// though without the referrers API they have to share one index that nothing locks.
func TestConcurrentSigners(t *testing.T) {
	const signers = 6
	for _, r := range peers.Registries(t) {
		for _, format := range []artifact.Format{artifact.FormatBundle, artifact.FormatLegacy} {
			t.Run(fmt.Sprint(r.Kind, "/", format), func(t *testing.T) {
				c, a := client(t, r), small(t, 1)
				if err := c.Push(t.Context(), "fleet/shared", a); err != nil {
					t.Fatal(err)
				}
				var group errgroup.Group
				for i := range signers {
					sig := bundle(i)
					if format == artifact.FormatLegacy {
						sig = artifact.Signature{Format: format, Content: fmt.Appendf(nil, `{"n":%d}`, i), Value: []byte{byte(i), 1}}
					}
					group.Go(func() error { return c.Attach(t.Context(), "fleet/shared", a.Manifest.Descriptor, sig) })
				}
				if err := group.Wait(); err != nil {
					t.Fatal(err)
				}
				both, err := registry.NewRemote(registry.RemoteOptions{Host: r.Host, Legacy: true})
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(both.Close)
				stored, err := both.Signatures(t.Context(), "fleet/shared", a.Manifest.Descriptor)
				if err != nil {
					t.Fatal(err)
				}
				stored = slices.DeleteFunc(stored, func(s artifact.Signature) bool { return s.Format != format })
				if len(stored) != signers {
					t.Errorf("%d of %d signatures are left", len(stored), signers)
				}
			})
		}
	}
}

// A failure is never an answer: what a registry refuses or cuts short is an error, not "not found" and not "unsigned".
func TestFailureIsNotAbsence(t *testing.T) {
	for _, r := range peers.Registries(t) {
		for _, status := range []int{0, http.StatusTooManyRequests, http.StatusForbidden, http.StatusInternalServerError} {
			t.Run(fmt.Sprint(r.Kind, "/", status), func(t *testing.T) {
				r.Reset()
				a := small(t, 2)
				if err := client(t, r).Push(t.Context(), "fleet/failing", a); err != nil {
					t.Fatal(err)
				}
				r.Inject(peers.Fault{Status: status})
				c := client(t, r)
				if _, err := c.Resolve(t.Context(), "fleet/failing", "edge"); err == nil || errors.Is(err, artifact.ErrNotFound) {
					t.Errorf("resolve: %v", err)
				}
				if _, err := c.Signatures(t.Context(), "fleet/failing", a.Manifest.Descriptor); err == nil || errors.Is(err, artifact.ErrNotFound) {
					t.Errorf("signatures: %v", err)
				}
				if _, err := c.Tags(t.Context(), "fleet/failing"); err == nil {
					t.Error("tags: no error")
				}
			})
		}
	}
}

func small(t *testing.T, n int) *artifact.Artifact {
	t.Helper()
	a, err := artifact.Build(artifact.Files{"manifests.yaml": fmt.Appendf(nil, "n: %d\n", n)}, artifact.Meta{})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func bundle(n int) artifact.Signature {
	return artifact.Signature{Format: artifact.FormatBundle, Content: fmt.Appendf(nil, `{"n":%d}`, n), PredicateType: "test"}
}
