package matrix_test

import (
	"context"
	"testing"

	"github.com/sigstore/cosign/v3/pkg/cosign"

	"github.com/artifactctl/artifactctl/test/matrix"
	"github.com/artifactctl/artifactctl/test/oracle"
	"github.com/artifactctl/artifactctl/test/peers"
)

// Every case is what it says it is: the code of Flux accepts and refuses what it should.
func TestFluxAgreesWithTheCases(t *testing.T) {
	cases, err := matrix.Cases()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		for _, kind := range []string{peers.DistributionKind, peers.ReferrersKind} {
			if c.Kind != "" && c.Kind != kind {
				continue
			}
			t.Run(c.Name+"/"+kind, func(t *testing.T) {
				t.Parallel()
				r, err := peers.Serve(t.Context(), kind)
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(r.Close)
				a, err := c.Prepare(t.Context(), r.Host)
				if err != nil {
					t.Fatal(err)
				}
				for _, f := range c.Faults() {
					r.Inject(f)
				}
				pinned, err := oracle.FluxResolve(t.Context(), a.Tagged())
				if err == nil {
					err = fluxVerify(t.Context(), pinned, c.Policy)
				}
				if (err == nil) != c.FluxAccepts() {
					t.Errorf("Flux says %v, want accepted: %t", err, c.FluxAccepts())
				}
			})
		}
	}
}

func fluxVerify(ctx context.Context, ref string, p matrix.Policy) error {
	if p.Identity == nil {
		return oracle.FluxVerify(ctx, ref, p.Keys...)
	}
	return oracle.FluxVerifyIdentity(ctx, ref, p.TrustedRoot, cosign.Identity{IssuerRegExp: p.Identity.IssuerRegExp, SubjectRegExp: p.Identity.SubjectRegExp})
}
