package e2e_test

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/artifactctl/artifactctl/test/fixture"
	"github.com/artifactctl/artifactctl/test/oracle"
	"github.com/artifactctl/artifactctl/test/peers"
)

// From staging to production, from there to a directory, and from that to a registry behind the air gap, with and
// without the referrers API on either end: digests, signatures and whatever else refers to an artifact arrive, cosign and
// Flux accept the far end, no tag is moved before its signature is there, and a second run writes nothing.
func TestPromotion(t *testing.T) {
	cosign, key := oracle.NewCosign(t), fixture.NewKey(t, "p256")
	for _, format := range []string{"bundle", "legacy", "both"} {
		for _, kinds := range [][2]string{{peers.DistributionKind, peers.ReferrersKind}, {peers.ReferrersKind, peers.DistributionKind}} {
			t.Run(format+"/"+strings.Join(kinds[:], " to "), func(t *testing.T) {
				fleet := fixture.NewFleet(t, fixture.Options{Apps: 1, Format: format, Attest: format != "legacy", Key: key})
				staging, production, far := registryOf(t, kinds[0]), registryOf(t, kinds[1]), registryOf(t, kinds[0])
				publish(t, fleet, url(staging))
				digests := published(t, fleet, staging)
				if format != "legacy" { // a bundle of others would hide legacy signatures
					addReferrers(t, subjects(t, fleet, staging))
				}
				others := referrersBeside(t, fleet, staging)
				directory := "oci-layout:" + filepath.Join(t.TempDir(), "transfer")
				for _, step := range []struct {
					from, to string
					registry *peers.Registry // that to is
				}{{url(staging), url(production), production}, {url(production), directory, nil}, {directory, url(far), far}} {
					if step.registry != nil {
						guard(t, fleet, step.registry)
					}
					promote(t, fleet, step.from, step.to)
					if step.registry == nil {
						continue
					}
					verify(t, cosign, fleet, step.registry, fixture.NewKey(t, "p256"))
					if got := published(t, fleet, step.registry); !maps.Equal(got, digests) {
						t.Errorf("promoted %v, want %v", got, digests)
					}
					if got := referrersBeside(t, fleet, step.registry); !maps.EqualFunc(got, others, slices.Equal) {
						t.Errorf("referrers %v, want %v", got, others)
					}
					step.registry.Reset()
					promote(t, fleet, step.from, step.to)
					if step.registry.Writes() != 0 {
						t.Errorf("promoting again writes: %v", step.registry.Requests())
					}
				}
			})
		}
	}
}

// The process is killed after every single write to the target. No tag there names unsigned bytes at any moment; one more
// run ends where an undisturbed one ends, and a third writes nothing.
func TestPromotionCrashMatrix(t *testing.T) {
	for _, kind := range []string{peers.DistributionKind, peers.ReferrersKind} {
		for _, release := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/release=%t", kind, release), func(t *testing.T) {
				t.Parallel()
				fleet := fixture.NewFleet(t, fixture.Options{Apps: 1, Format: "both", Key: fixture.NewKey(t, "p256")})
				var args []string
				if release {
					if err := fleet.Release(t.Context(), "v1.0.0"); err != nil {
						t.Fatal(err)
					}
					args = []string{"--tag", "1.0.0"}
				}
				staging, calm := peers.WithReferrers(t), registryOf(t, kind)
				publish(t, fleet, url(staging))
				addReferrers(t, subjects(t, fleet, staging)[:1])
				promote(t, fleet, url(staging), url(calm), args...)
				want, others, writes := published(t, fleet, calm), referrersBeside(t, fleet, calm), calm.Writes()
				if len(want) < len(fleet.Repositories) {
					t.Fatalf("promoted %v", want)
				}
				for n := 1; n <= writes; n++ {
					t.Run(fmt.Sprint("write ", n, " of ", writes), func(t *testing.T) {
						r := registryOf(t, kind)
						guard(t, fleet, r)
						cmd := command(t.Context(), t, fleet, url(r), nil, promotionFrom(url(staging), args...)...)
						if !killRun(t, cmd, r, n) && r.Writes() >= n {
							t.Fatal("the run was not killed")
						}
						checkSigned(t, fleet, r)
						left := published(t, fleet, r)
						if release && len(left) > 0 && len(referrersBeside(t, fleet, r)) != len(others) {
							t.Errorf("tags of a release moved before every app was there: %v", left)
						}
						r.OnWrite(nil)
						promote(t, fleet, url(staging), url(r), args...)
						if got := published(t, fleet, r); !maps.Equal(got, want) {
							t.Errorf("one more run ends at %v, want %v", got, want)
						}
						if got := referrersBeside(t, fleet, r); !maps.EqualFunc(got, others, slices.Equal) {
							t.Errorf("one more run leaves the referrers %v, want %v", got, others)
						}
						r.Reset()
						promote(t, fleet, url(staging), url(r), args...)
						if r.Writes() != 0 {
							t.Errorf("a third run writes: %v", r.Requests())
						}
					})
				}
			})
		}
	}
}

// promotionFrom is the command line of a promotion from a registry.
func promotionFrom(from string, args ...string) []string {
	return append([]string{"promote", "--from-registry", from}, args...)
}

// promote runs `artifactctl promote`, which has to succeed.
func promote(t *testing.T, fleet *fixture.Fleet, from, to string, args ...string) {
	t.Helper()
	r := finish(t, command(t.Context(), t, fleet, to, nil, promotionFrom(from, args...)...))
	if r.code != 0 {
		t.Fatalf("promote exits with %d\n%s%s", r.code, r.stdout, r.stderr)
	}
}

// addReferrers gives each artifact ("host/repository@digest") an SBOM, and the SBOM a note about it, of types that
// nobody knows.
func addReferrers(t *testing.T, refs []string) {
	t.Helper()
	for _, ref := range refs {
		sbom := refer(t, ref, "application/x-bill-of-materials", "list")
		refer(t, sbom, "application/x-note", "seen")
	}
}

// refer stores an artifact whose subject is ref, with go-containerregistry, and returns its reference.
func refer(t *testing.T, ref, artifactType, text string) string {
	t.Helper()
	subject, err := name.NewDigest(ref)
	if err != nil {
		t.Fatal(err)
	}
	about, err := remote.Head(subject, remote.WithContext(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	layer := static.NewLayer([]byte(text), types.MediaType(artifactType))
	image, err := mutate.AppendLayers(mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.MediaType(artifactType)), layer)
	if err != nil {
		t.Fatal(err)
	}
	referrer := mutate.Subject(image, v1.Descriptor{MediaType: about.MediaType, Digest: about.Digest, Size: about.Size})
	digest, err := referrer.(v1.Image).Digest()
	if err != nil {
		t.Fatal(err)
	}
	at := subject.Context().Digest(digest.String())
	if err := remote.Write(at, referrer.(v1.Image), remote.WithContext(t.Context())); err != nil {
		t.Fatal(err)
	}
	return at.String()
}

// referrersBeside lists, for each published digest and each of its referrers, the digests of what refers to it.
func referrersBeside(t *testing.T, fleet *fixture.Fleet, r *peers.Registry) map[string][]string {
	t.Helper()
	all := make(map[string][]string)
	refs := subjects(t, fleet, r)
	for len(refs) > 0 {
		ref := refs[0]
		refs = refs[1:]
		found, err := oracle.Referrers(t.Context(), ref)
		if err != nil {
			t.Fatal(err)
		}
		repository, digest, _ := strings.Cut(strings.TrimPrefix(ref, r.Direct), "@")
		for _, d := range found {
			all[repository+"@"+digest] = append(all[repository+"@"+digest], d.Digest.String())
			refs = append(refs, r.Direct+repository+"@"+d.Digest.String())
		}
		slices.Sort(all[repository+"@"+digest])
	}
	return all
}
