package e2e_test

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"github.com/artifactctl/artifactctl/test/fixture"
	"github.com/artifactctl/artifactctl/test/oracle"
	"github.com/artifactctl/artifactctl/test/peers"
)

// attestation is a statement as cosign prints it after it was verified.
type attestation struct {
	Subject []struct {
		Name   string
		Digest map[string]string
	}
	PredicateType string
	Predicate     json.RawMessage
}

// Provenance and bill of materials are there, each once, on both kinds of registries, signed in every way that a bundle
// can be: cosign verifies them by their types, and neither cosign nor Flux minds them when it verifies the artifact.
func TestAttestationsAreVerifiable(t *testing.T) {
	cosign, other := oracle.NewCosign(t), fixture.NewKey(t, "p256")
	for _, signature := range []fixture.Options{{}, {Format: "both"}, {Batch: true}} {
		signature.Apps, signature.Attest, signature.Key = 1, true, fixture.NewKey(t, "p256")
		fleet := fixture.NewFleet(t, signature)
		for _, r := range peers.Registries(t) {
			t.Run(r.Kind+"/"+signature.Format, func(t *testing.T) {
				guard(t, fleet, r)
				publish(t, fleet, url(r))
				verify(t, cosign, fleet, r, other)
				for _, ref := range subjects(t, fleet, r) {
					attested(t, cosign, ref, "slsaprovenance1", "https://slsa.dev/provenance/v1", fleet.Key, other)
					attested(t, cosign, ref, "cyclonedx", "https://cyclonedx.org/bom", fleet.Key, other)
					if found, err := oracle.Referrers(t.Context(), ref); err != nil || len(found) != 3 {
						t.Errorf("%d referrers (%v), want a signature and two attestations", len(found), err)
					}
				}
				nothingToDo(t, fleet, r)
			})
		}
	}
}

// attested has cosign verify an attestation of ref by its type, and refuse it with a key that never signed.
func attested(t *testing.T, cosign *oracle.Cosign, ref, predicate, predicateType string, right, wrong fixture.Key) {
	t.Helper()
	if _, err := cosign.VerifyAttestation(t.Context(), ref, predicate, wrong.Path); err == nil {
		t.Errorf("cosign accepts the %s with a wrong key", predicate)
	}
	out, err := cosign.VerifyAttestation(t.Context(), ref, predicate, right.Path)
	if err != nil {
		t.Errorf("cosign refuses the %s: %v", predicate, err)
		return
	}
	a := printed(t, out)
	_, hex, _ := strings.Cut(ref, "@sha256:")
	if a.PredicateType != predicateType || len(a.Subject) != 1 || a.Subject[0].Digest["sha256"] != hex || len(a.Predicate) < 100 {
		t.Errorf("cosign verified %+v", a)
	}
}

// printed reads the one attestation that cosign prints among its remarks.
func printed(t *testing.T, out string) attestation {
	t.Helper()
	var found []attestation
	lines := bufio.NewScanner(strings.NewReader(out))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var envelope struct{ Payload string }
		if json.Unmarshal(lines.Bytes(), &envelope) != nil || envelope.Payload == "" {
			continue
		}
		payload, err := base64.StdEncoding.DecodeString(envelope.Payload)
		if err != nil {
			t.Fatal(err)
		}
		var a attestation
		if err := json.Unmarshal(payload, &a); err != nil {
			t.Fatal(err)
		}
		found = append(found, a)
	}
	if len(found) != 1 {
		t.Fatalf("cosign printed %d attestations:\n%s", len(found), out)
	}
	return found[0]
}
