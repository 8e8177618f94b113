package e2e_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"testing"

	"github.com/fluxcd/pkg/oci"

	"github.com/artifactctl/artifactctl/test/fixture"
	"github.com/artifactctl/artifactctl/test/oracle"
	"github.com/artifactctl/artifactctl/test/peers"
)

// published returns every content tag of a fleet: "repository:tag" to digest. It looks at the registry directly.
func published(t *testing.T, fleet *fixture.Fleet, r *peers.Registry) map[string]string {
	t.Helper()
	all := make(map[string]string)
	for _, repository := range fleet.Repositories {
		tags, err := oracle.Tags(t.Context(), direct(r, repository))
		if err != nil {
			t.Fatal(err)
		}
		for tag, digest := range tags {
			all[repository+":"+tag] = digest
		}
	}
	return all
}

// subjects returns each published digest once, as "host/repository@digest".
func subjects(t *testing.T, fleet *fixture.Fleet, r *peers.Registry) []string {
	t.Helper()
	var refs []string
	for _, repository := range fleet.Repositories {
		tags, err := oracle.Tags(t.Context(), direct(r, repository))
		if err != nil {
			t.Fatal(err)
		}
		seen := make(map[string]bool)
		for _, digest := range tags {
			if !seen[digest] {
				seen[digest] = true
				refs = append(refs, direct(r, repository)+"@"+digest)
			}
		}
	}
	return refs
}

func direct(r *peers.Registry, repository string) string { return r.Direct + "/org/" + repository }

// guard checks at the moment of every write of a tag, before the registry acts on it, that the bytes which the tag will
// name carry a signature that Flux accepts.
func guard(t *testing.T, fleet *fixture.Fleet, r *peers.Registry) {
	t.Helper()
	ctx := t.Context()
	r.OnTag(func(w peers.TagWrite) {
		if err := verifyTagged(ctx, fleet, r, w); err != nil {
			t.Errorf("tag %s:%s is about to name unsigned bytes: %v", w.Repository, w.Tag, err)
		}
	})
}

// verifyTagged asks Flux about the bytes that a write of a tag is about to name.
func verifyTagged(ctx context.Context, fleet *fixture.Fleet, r *peers.Registry, w peers.TagWrite) error {
	ref := fmt.Sprintf("%s/%s@sha256:%x", r.Direct, w.Repository, sha256.Sum256(w.Manifest))
	return oracle.FluxVerify(ctx, ref, fleet.Key.Public)
}

// The guard of the other tests sees a tool that tags before it signs, which is what Flux's own push does.
func TestGuardSeesUnsignedTags(t *testing.T) {
	fleet := fixture.NewFleet(t, fixture.Options{Apps: 1, Key: fixture.NewKey(t, "p256")})
	for _, r := range peers.Registries(t) {
		t.Run(r.Kind, func(t *testing.T) {
			var caught []error
			r.OnTag(func(w peers.TagWrite) { caught = append(caught, verifyTagged(t.Context(), fleet, r, w)) })
			if _, err := oracle.FluxPush(t.Context(), r.Host+"/org/app:edge", fleet.Dir, oci.Metadata{Source: "s", Revision: "r"}); err != nil {
				t.Fatal(err)
			}
			if len(caught) != 1 || caught[0] == nil {
				t.Errorf("the guard says %v", caught)
			}
		})
	}
}

// checkSigned checks that Flux accepts everything that a tag names.
func checkSigned(t *testing.T, fleet *fixture.Fleet, r *peers.Registry) {
	t.Helper()
	for _, ref := range subjects(t, fleet, r) {
		if err := oracle.FluxVerify(t.Context(), ref, fleet.Key.Public); err != nil {
			t.Errorf("a tag names unsigned bytes: %v", err)
		}
	}
}
