package keyless_test

import (
	"testing"

	"github.com/artifactctl/artifactctl/test/keyless/stack"
)

// Provenance and bill of materials are attested by the identity that signs, with the same certificate; cosign verifies
// them, cosign and Flux mind them no more than any other bundle, and a second run adds nothing.
func TestAttestations(t *testing.T) {
	s := stack.Start(t)
	judge := newCosign(t, s)
	const apps = 2
	for kind, r := range registries(t) {
		t.Run(kind, func(t *testing.T) {
			f := newFleet(t, s, settings{apps: apps, attest: true})
			certificates, entries := s.Certificates(), s.Entries(t)
			f.must(t, r, "publish")
			if c, e := s.Certificates()-certificates, s.Entries(t)-entries; c != 1 || e != 3*apps {
				t.Errorf("the run asked for %d certificates and made %d log entries, want 1 and %d", c, e, 3*apps)
			}
			f.must(t, r, "verify")
			edge := r.tagged("edge")
			judge.accepts(t, s, edge)
			for _, ref := range edge {
				for _, predicate := range []string{"slsaprovenance1", "cyclonedx"} {
					if err := judge.verifyAttestation(t.Context(), ref, predicate, email, s.Issuer.URL); err != nil {
						t.Error(err)
					}
					if err := judge.verifyAttestation(t.Context(), ref, predicate, "eve@example.com", s.Issuer.URL); err == nil {
						t.Errorf("cosign accepts the %s of another subject", predicate)
					}
				}
			}
			attached, _ := r.attached()
			f.must(t, r, "publish")
			if again, _ := r.attached(); attached != 3*apps || again != attached {
				t.Errorf("%d bundles are attached, and %d after another run, want %d", attached, again, 3*apps)
			}
		})
	}
}
