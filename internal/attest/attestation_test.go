package attest_test

import (
	"strings"
	"testing"

	"github.com/artifactctl/artifactctl/internal/artifact"
	"github.com/artifactctl/artifactctl/internal/attest"
	"github.com/artifactctl/artifactctl/plugins/signer"
)

const provenance = "https://slsa.dev/provenance/v1"

// A number that no float holds, and keys in an order that no map keeps.
const predicate = `{"z": 9007199254740993, "a": ["ä", 1.50]}`

// statementOf asks for the signature of a statement about digests, as somebody else's tool makes it.
func statementOf(predicateType, predicate string, digests ...string) signer.Request {
	var subjects []string
	for _, d := range digests {
		subjects = append(subjects, `{"name":"app","digest":{"sha256":"`+strings.TrimPrefix(d, "sha256:")+`"}}`)
	}
	text := `{"_type":"https://in-toto.io/Statement/v1","subject":[` + strings.Join(subjects, ",") + `],"predicateType":"` + predicateType + `"`
	if predicate != "" {
		text += `,"predicate":` + predicate
	}
	return signer.Request{PayloadType: signer.PayloadInToto, Payload: []byte(text + "}"), Digests: digests}
}

func signedBy(t testing.TB, k key, r signer.Request) []byte {
	t.Helper()
	s, err := k.Sign(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	return s.Content
}

func TestAttestation(t *testing.T) {
	k, other := newKey(t, "p256"), newKey(t, "p256")
	s := newSigstore(t)
	r := statementOf(provenance, predicate, digestA, digestB)
	identity := identityPolicy(t, attest.IdentityOptions{Issuer: issuer, Subject: subject, TrustedRoot: s.trustedRoot(t)})
	keys := policyOf(t, other, k)
	for name, c := range map[string]struct {
		policy  attest.Policy
		content []byte
		want    attest.Attestation
	}{
		"by a key":       {keys, signedBy(t, k, r), attest.Attestation{By: policyOf(t, k).IDs()[0], PredicateType: provenance, Predicate: []byte(predicate)}},
		"by an identity": {identity, s.sign(t, r, subject, issuer, s.certificateLog, nil).Content, attest.Attestation{By: identity.IDs()[0], PredicateType: provenance, Predicate: []byte(predicate)}},
		"says nothing":   {keys, signedBy(t, k, statementOf(provenance, "", digestA, digestB)), attest.Attestation{By: policyOf(t, k).IDs()[0], PredicateType: provenance}},
		"a signature":    {keys, batchOf(t, k, digestA, digestB).Content, attest.Attestation{By: policyOf(t, k).IDs()[0], PredicateType: attest.PredicateType, Predicate: []byte("{}")}},
	} {
		for _, digest := range []string{digestA, digestB} {
			got, err := c.policy.Attestation(digest, c.content)
			if err != nil || got.By != c.want.By || got.PredicateType != c.want.PredicateType || string(got.Predicate) != string(c.want.Predicate) {
				t.Errorf("%s, %s: %+v %v, want %+v", name, digest, got, err, c.want)
			}
		}
		if c.want.PredicateType != attest.PredicateType && c.policy.Judge(digestA, bundleOf(c.content), []artifact.Format{artifact.FormatBundle}).Good() {
			t.Errorf("%s: it counts as a signature", name)
		}
	}
}

func bundleOf(content []byte) []artifact.Signature {
	return []artifact.Signature{{Format: artifact.FormatBundle, Content: content}}
}

func TestAttestationIsRefused(t *testing.T) {
	k := newKey(t, "p256")
	keys, good := policyOf(t, k), signedBy(t, k, statementOf(provenance, predicate, digestA))
	s := newSigstore(t)
	identity := identityPolicy(t, attest.IdentityOptions{Issuer: issuer, Subject: subject, TrustedRoot: s.trustedRoot(t)})
	plain := statementOf(provenance, predicate, digestA)
	plain.PayloadType = "text/plain"
	twice := statementOf(provenance, predicate+`,"predicate":{}`, digestA)
	for name, c := range map[string]struct {
		policy  attest.Policy
		digest  string
		content []byte
		want    string
	}{
		"other artifact":            {keys, digestB, good, "of another artifact, " + digestA},
		"other key":                 {policyOf(t, newKey(t, "p256")), digestA, good, "not signed by"},
		"nobody":                    {attest.Policy{}, digestA, good, "nobody is trusted"},
		"key for an identity":       {identity, digestA, good, "not signed by"},
		"other identity":            {identity, digestA, s.sign(t, statementOf(provenance, predicate, digestA), "eve@example.com", issuer, s.certificateLog, nil).Content, "it was signed by eve@example.com"},
		"tampered":                  {keys, digestA, []byte(strings.Replace(string(good), `"sig":"ME`, `"sig":"MF`, 1)), "not signed by"},
		"old bundle":                {keys, digestA, []byte(strings.Replace(string(good), "bundle.v0.3+json", "bundle+json;version=0.1", 1)), "older than v0.3"},
		"no bundle":                 {keys, digestA, []byte("{}"), "not a sigstore bundle"},
		"nothing":                   {keys, digestA, nil, "not a sigstore bundle"},
		"message":                   {keys, digestA, signedBy(t, k, request(t, artifact.FormatLegacy, digestA)), "not signed by"},
		"no statement":              {identity, digestA, s.sign(t, plain, subject, issuer, s.certificateLog, nil).Content, "payload type"},
		"predicate twice":           {keys, digestA, signedBy(t, k, twice), "not signed by"},
		"digest without its hash":   {keys, strings.TrimPrefix(digestA, "sha256:"), good, "is not sha256"},
		"digest of another hash":    {keys, "sha512:" + strings.TrimPrefix(digestA, "sha256:"), good, "is not sha256"},
		"digest that is too short":  {keys, "sha256:aa", good, "is not sha256"},
		"no digest":                 {keys, "", good, "is not sha256"},
		"subject without its bytes": {keys, "sha256:", signedBy(t, k, statementOf(provenance, predicate, "sha256:")), "is not sha256"},
	} {
		if got, err := c.policy.Attestation(c.digest, c.content); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %+v %v, want %q", name, got, err, c.want)
		}
	}
}
