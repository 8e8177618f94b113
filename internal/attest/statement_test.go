package attest_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/artifactctl/artifactctl/internal/artifact"
	"github.com/artifactctl/artifactctl/internal/attest"
	"github.com/artifactctl/artifactctl/plugins/signer"
)

func attestationRequest(t *testing.T, digest, predicate string) signer.Request {
	t.Helper()
	r, err := attest.AttestationRequest("ghcr.io/org/app", digest, provenance, []byte(predicate))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestAttestationRequest(t *testing.T) {
	r := attestationRequest(t, digestA, `{"b": 1, "a": 9007199254740993}`)
	want := `{"_type":"https://in-toto.io/Statement/v1","subject":[{"name":"ghcr.io/org/app","digest":{"sha256":"` + strings.TrimPrefix(digestA, "sha256:") +
		`"}}],"predicateType":"` + provenance + `","predicate":{"b":1,"a":9007199254740993}}`
	if string(r.Payload) != want || r.PayloadType != signer.PayloadInToto || r.Repository != "ghcr.io/org/app" || !slices.Equal(r.Digests, []string{digestA}) {
		t.Errorf("got %+v\n%s", r, r.Payload)
	}
	for name, err := range map[string]error{
		"no type":          second(attest.AttestationRequest("r", digestA, "", []byte("{}"))),
		"a signature":      second(attest.AttestationRequest("r", digestA, attest.PredicateType, []byte("{}"))),
		"no JSON":          second(attest.AttestationRequest("r", digestA, provenance, []byte("{"))),
		"no predicate":     second(attest.AttestationRequest("r", digestA, provenance, nil)),
		"no sha256 digest": second(attest.AttestationRequest("r", "md5:00", provenance, []byte("{}"))),
	} {
		if err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func second[T any](_ T, err error) error { return err }

func TestAcceptAttestation(t *testing.T) {
	k, other := newKey(t, "p256"), newKey(t, "p256")
	p, r := policyOf(t, k), attestationRequest(t, digestA, "{}")
	answer := func(k key, r signer.Request) signer.Signature {
		return signer.Signature{MediaType: signer.BundleMediaType, Content: signedBy(t, k, r)}
	}
	got, err := p.AcceptAttestation(r, answer(k, r))
	if err != nil || got.Format != artifact.FormatBundle || got.PredicateType != provenance {
		t.Errorf("got %+v, %v", got, err)
	}
	if _, err := p.Accept(r, answer(k, r)); !errors.Is(err, attest.ErrRejected) {
		t.Errorf("an attestation is accepted as a signature: %v", err)
	}
	signature, err := attest.Request(artifact.FormatBundle, "r", digestA)
	if err != nil {
		t.Fatal(err)
	}
	wrongType := answer(k, r)
	wrongType.MediaType = "application/json"
	nobody := r
	nobody.Digests = nil
	elsewhere := r
	elsewhere.Digests = []string{digestB}
	for name, c := range map[string]struct {
		request signer.Request
		answer  signer.Signature
	}{
		"another key":         {r, answer(other, r)},
		"another predicate":   {r, answer(k, attestationRequest(t, digestA, `{"x":1}`))},
		"another subject":     {elsewhere, answer(k, r)},
		"a signature":         {signature, answer(k, signature)},
		"another media type":  {r, wrongType},
		"no digest":           {nobody, answer(k, r)},
		"too long":            {r, signer.Signature{MediaType: signer.BundleMediaType, Content: make([]byte, 5<<20)}},
		"something else":      {r, signer.Signature{MediaType: signer.BundleMediaType, Content: []byte("{}")}},
		"signature for its r": {r, answer(k, signature)},
	} {
		if _, err := p.AcceptAttestation(c.request, c.answer); !errors.Is(err, attest.ErrRejected) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Attestations by whoever is trusted are told from signatures, and neither is taken for the other.
func TestJudgeTellsAttestationsFromSignatures(t *testing.T) {
	k, other := newKey(t, "p256"), newKey(t, "p256")
	p := policyOf(t, k)
	ours := artifact.Signature{Format: artifact.FormatBundle, Digest: "sha256:ours", Content: signedBy(t, k, attestationRequest(t, digestA, "{}"))}
	// What its manifest says of a bundle counts for nothing.
	ours.PredicateType = attest.PredicateType
	theirs := artifact.Signature{Format: artifact.FormatBundle, Content: signedBy(t, other, attestationRequest(t, digestA, "{}")), PredicateType: provenance}
	elsewhere := artifact.Signature{Format: artifact.FormatBundle, Content: signedBy(t, k, attestationRequest(t, digestB, "{}")), PredicateType: provenance}
	batch := artifact.Signature{Format: artifact.FormatBundle, Content: batchOf(t, k, digestA, digestB).Content}
	bundle, legacy := []artifact.Format{artifact.FormatBundle}, []artifact.Format{artifact.FormatLegacy}

	v := p.Judge(digestA, []artifact.Signature{theirs, elsewhere, ours}, bundle)
	if v.Good() || v.By != "" || len(v.Reasons) != 3 || !strings.Contains(v.Reasons[2], "attestation") {
		t.Errorf("attestations alone: %+v", v)
	}
	if !v.Attests(provenance) || v.Attests(attest.PredicateType) {
		t.Errorf("attestations %+v", v.Candidates)
	}
	if v := p.Judge(digestA, []artifact.Signature{theirs, elsewhere}, bundle); v.Attests(provenance) {
		t.Errorf("of strangers, and of another artifact: %+v", v.Candidates)
	}
	for range 2 { // the batch is remembered the second time
		if v := p.Judge(digestA, []artifact.Signature{batch, ours}, bundle); !v.Good() || v.Batch == nil || !v.Attests(provenance) {
			t.Errorf("beside a signature: %+v", v)
		}
	}
	if v := p.Judge(digestA, []artifact.Signature{batch}, bundle); v.Attests(provenance) || v.Attests(attest.PredicateType) {
		t.Errorf("no attestation: %+v", v)
	}
	// Where legacy signatures are wanted, ours hides them as those of strangers do: no bundle is the signature.
	if v := p.Judge(digestA, []artifact.Signature{ours}, legacy); !v.Hidden {
		t.Errorf("beside a legacy signature: %+v", v)
	}
}
