package e2e_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/crane"

	"github.com/artifactctl/artifactctl/test/fixture"
	"github.com/artifactctl/artifactctl/test/oracle"
	"github.com/artifactctl/artifactctl/test/peers"
)

// Whatever the key, the format of signatures and the registry: every digest that a tag names is accepted by cosign and
// by Flux with the right key and refused with another, and a second run has nothing to write.
func TestPublishedIsVerifiable(t *testing.T) {
	cosign := oracle.NewCosign(t)
	for _, algorithm := range fixture.Algorithms() {
		key, other := fixture.NewKey(t, algorithm), fixture.NewKey(t, algorithm)
		for _, format := range []string{"bundle", "legacy"} {
			fleet := fixture.NewFleet(t, fixture.Options{Apps: 1, Format: format, Key: key})
			for _, r := range peers.Registries(t) {
				t.Run(fmt.Sprint(algorithm, "/", format, "/", r.Kind), func(t *testing.T) {
					guard(t, fleet, r)
					publish(t, fleet, url(r))
					verify(t, cosign, fleet, r, other)
					nothingToDo(t, fleet, r)
				})
			}
		}
	}
}

// With both formats, old and new Flux find what they look for. Each of the two is checked where the other is not.
func TestBothFormats(t *testing.T) {
	cosign, key := oracle.NewCosign(t), fixture.NewKey(t, "p256")
	fleet := fixture.NewFleet(t, fixture.Options{Apps: 1, Format: "both", Key: key})
	for _, r := range peers.Registries(t) {
		t.Run(r.Kind, func(t *testing.T) {
			publish(t, fleet, url(r))
			verify(t, cosign, fleet, r, fixture.NewKey(t, "p256"))
			for _, ref := range subjects(t, fleet, r) {
				if err := cosign.Verify(t.Context(), ref, key.Path, "--new-bundle-format=false"); err != nil {
					t.Errorf("the legacy signature is bad: %v", err)
				}
				if found, err := oracle.Referrers(t.Context(), ref); err != nil || len(found) != 1 {
					t.Errorf("%d referrers (%v), want one bundle", len(found), err)
				}
			}
			nothingToDo(t, fleet, r)
		})
	}
}

// One signature for all apps is accepted beside each of them, and beside nothing else.
func TestBatchIsVerifiable(t *testing.T) {
	cosign := oracle.NewCosign(t)
	fleet := fixture.NewFleet(t, fixture.Options{Apps: 5, Batch: true, Key: fixture.NewKey(t, "p256")})
	stranger := fixture.NewFleet(t, fixture.Options{Apps: 1, Key: fixture.NewKey(t, "p256")})
	for _, r := range peers.Registries(t) {
		t.Run(r.Kind, func(t *testing.T) {
			guard(t, fleet, r)
			publish(t, fleet, url(r))
			verify(t, cosign, fleet, r, fixture.NewKey(t, "p256"))
			nothingToDo(t, fleet, r)
			bundles := make(map[string]bool)
			var last []byte
			for _, ref := range subjects(t, fleet, r) {
				found, err := oracle.Bundles(t.Context(), ref)
				if err != nil || len(found) != 1 {
					t.Fatalf("%d bundles on %s (%v), want one", len(found), ref, err)
				}
				bundles[string(found[0])], last = true, found[0]
			}
			if len(bundles) != 1 {
				t.Errorf("%d different bundles, want one", len(bundles))
			}
			publish(t, stranger, "oci://"+r.Host+"/other")
			ref := r.Direct + "/other/manifests@" + digestOf(t, r.Direct+"/other/manifests:edge")
			if err := oracle.AttachBundle(t.Context(), ref, last); err != nil {
				t.Fatal(err)
			}
			if err := oracle.FluxVerify(t.Context(), ref, fleet.Key.Public); err == nil {
				t.Error("flux accepts a batch signature for an artifact that is none of its subjects")
			}
			if err := cosign.Verify(t.Context(), ref, fleet.Key.Path); err == nil {
				t.Error("cosign accepts a batch signature for an artifact that is none of its subjects")
			}
		})
	}
}

// A directory of OCI layouts is a registry like any other: copied into a real one, everything in it verifies.
func TestLayout(t *testing.T) {
	cosign, key := oracle.NewCosign(t), fixture.NewKey(t, "p256")
	for _, format := range []string{"bundle", "legacy", "both"} {
		t.Run(format, func(t *testing.T) {
			fleet := fixture.NewFleet(t, fixture.Options{Apps: 2, Format: format, Key: key})
			out, r := filepath.Join(t.TempDir(), "out"), peers.WithReferrers(t)
			publish(t, fleet, "oci-layout:"+out)
			for _, repository := range fleet.Repositories {
				layout := filepath.Join(out, filepath.FromSlash(repository))
				if err := oracle.CopyLayout(t.Context(), layout, direct(r, repository)); err != nil {
					t.Fatal(err)
				}
			}
			verify(t, cosign, fleet, r, fixture.NewKey(t, "p256"))
			remote := peers.WithReferrers(t)
			publish(t, fleet, url(remote))
			if got, want := published(t, fleet, r), published(t, fleet, remote); !maps.Equal(got, want) {
				t.Errorf("the layout holds %v, a registry %v", got, want)
			}
		})
	}
}

// The signatures of cosign and ours are one kind: what cosign signed we take as signed, and sign nothing again.
func TestCosignsSignatureCounts(t *testing.T) {
	cosign, key := oracle.NewCosign(t), fixture.NewKey(t, "p256")
	fleet := fixture.NewFleet(t, fixture.Options{Apps: 1, Key: key})
	plain := filepath.Join(t.TempDir(), "plain.key")
	if err := os.WriteFile(plain, key.Private, 0o600); err != nil {
		t.Fatal(err)
	}
	encrypted, err := cosign.Import(t.Context(), plain, "fleet")
	if err != nil {
		t.Fatal(err)
	}
	built := peers.WithReferrers(t)
	publish(t, fleet, url(built))
	for _, r := range peers.Registries(t) {
		t.Run(r.Kind, func(t *testing.T) {
			for _, ref := range subjects(t, fleet, built) {
				unsigned := strings.Replace(ref, built.Direct, r.Direct, 1)
				if err := crane.Copy(ref, unsigned, crane.WithContext(t.Context())); err != nil {
					t.Fatal(err)
				}
				if err := cosign.Sign(t.Context(), unsigned, encrypted, false); err != nil {
					t.Fatal(err)
				}
			}
			publish(t, fleet, url(r))
			for _, ref := range subjects(t, fleet, r) {
				if found, err := oracle.Referrers(t.Context(), ref); err != nil || len(found) != 1 {
					t.Errorf("%d referrers (%v), want cosign's alone", len(found), err)
				}
			}
		})
	}
}

// verify asks both oracles about every published digest, with the fleet's key and with one that never signed.
func verify(t *testing.T, cosign *oracle.Cosign, fleet *fixture.Fleet, r *peers.Registry, other fixture.Key) {
	t.Helper()
	refs := subjects(t, fleet, r)
	if len(refs) != len(fleet.Repositories) {
		t.Fatalf("%d digests are published, want %d", len(refs), len(fleet.Repositories))
	}
	for repository, digest := range published(t, fleet, r) {
		if _, tag, _ := strings.Cut(repository, ":"); tag != "edge" && !strings.HasPrefix(tag, "sha-") {
			t.Errorf("unexpected tag %s on %s", repository, digest)
		}
	}
	for _, ref := range refs {
		if err := cosign.Verify(t.Context(), ref, fleet.Key.Path); err != nil {
			t.Errorf("cosign refuses the right key: %v", err)
		}
		if err := cosign.Verify(t.Context(), ref, other.Path); err == nil {
			t.Error("cosign accepts a wrong key")
		}
		if err := oracle.FluxVerify(t.Context(), ref, fleet.Key.Public); err != nil {
			t.Errorf("flux refuses the right key: %v", err)
		}
		if err := oracle.FluxVerify(t.Context(), ref, other.Public); err == nil {
			t.Error("flux accepts a wrong key")
		}
		if _, err := oracle.FluxPull(t.Context(), ref, t.TempDir()); err != nil {
			t.Errorf("flux cannot pull: %v", err)
		}
	}
}

// digestOf returns the digest that a tag names.
func digestOf(t *testing.T, tag string) string {
	t.Helper()
	digest, err := crane.Digest(tag, crane.WithContext(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	return digest
}

// nothingToDo checks that one more run writes nothing.
func nothingToDo(t *testing.T, fleet *fixture.Fleet, r *peers.Registry) {
	t.Helper()
	r.Reset()
	publish(t, fleet, url(r))
	if r.Writes() != 0 {
		t.Errorf("a run with nothing to do writes: %v", r.Requests())
	}
}
