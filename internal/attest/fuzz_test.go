package attest_test

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"slices"
	"testing"

	"github.com/sigstore/sigstore-go/pkg/bundle"

	"github.com/artifactctl/artifactctl/internal/artifact"
	"github.com/artifactctl/artifactctl/internal/attest"
	"github.com/artifactctl/artifactctl/plugins/signer"
)

// FuzzJudge gives anything to the verifiers, as a bundle and as a legacy signature. Nothing may panic, nothing may be good
// by somebody who signed nothing, and what is good by who signed the seeds must be what was signed.
func FuzzJudge(f *testing.F) {
	// Fuzzing runs in several processes, which must agree on what is a good signature: the key is fixed, and no secret.
	k := key{ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, ed25519.SeedSize))}
	one, many := request(f, artifact.FormatBundle, digestA), mustRequest(f, digestA, digestB)
	claims, legacy := statementOf(provenance, predicate, digestA), request(f, artifact.FormatLegacy, digestA)
	for _, r := range []signer.Request{one, many, claims, legacy} {
		f.Add(signedBy(f, k, r), []byte(nil))
	}
	simple, err := policyOf(f, k).Accept(legacy, signer.Signature{MediaType: signer.BundleMediaType, Content: signedBy(f, k, legacy)})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(simple.Content, simple.Value)
	s := newSigstore(f)
	f.Add(s.sign(f, one, subject, issuer, s.certificateLog, nil).Content, []byte(nil))
	f.Add(s.signV2(f, one, nil).Content, []byte(nil))
	j := fuzzJudges{
		owner: policyOf(f, k), signed: [][]byte{one.Payload, many.Payload, claims.Payload},
		strangers: []attest.Policy{
			policyOf(f, newKey(f, "p256")),
			identityPolicy(f, attest.IdentityOptions{Issuer: issuer, Subject: "nobody@example.com", TrustedRoot: s.trustedRoot(f)}),
			{},
		},
	}
	f.Fuzz(func(t *testing.T, content, value []byte) {
		j.askStrangers(t, content, value)
		j.askOwner(t, content, value, simple.Content)
		accepted, err := j.owner.Accept(one, signer.Signature{MediaType: signer.BundleMediaType, Content: content})
		if err != nil && !errors.Is(err, attest.ErrRejected) {
			t.Errorf("accept: %v", err)
		}
		if err == nil && !bytes.Equal(payloadOf(t, accepted.Content), one.Payload) {
			t.Error("accepted another payload")
		}
	})
}

type fuzzJudges struct {
	owner     attest.Policy   // of the key that signed the payloads
	signed    [][]byte        // the payloads of the seeds
	strangers []attest.Policy // of those who signed nothing
}

func (j fuzzJudges) askStrangers(t *testing.T, content, value []byte) {
	t.Helper()
	for i, p := range j.strangers {
		for _, format := range []artifact.Format{artifact.FormatBundle, artifact.FormatLegacy} {
			v := p.Judge(digestA, fuzzed(format, content, value), []artifact.Format{format})
			if v.Good() || v.By != "" || v.Batch != nil {
				t.Errorf("stranger %d, %s: %+v", i, format, v)
			}
		}
		if a, err := p.Attestation(digestA, content); err == nil {
			t.Errorf("stranger %d: %+v", i, a)
		}
	}
}

func (j fuzzJudges) askOwner(t *testing.T, content, value, simple []byte) {
	t.Helper()
	for _, format := range []artifact.Format{artifact.FormatBundle, artifact.FormatLegacy} {
		for range 2 { // the second answer may be a remembered one
			if v := j.owner.Judge(digestC, fuzzed(format, content, value), []artifact.Format{format}); v.Good() {
				t.Errorf("%s: good for what nobody signed: %+v", format, v)
			}
			v := j.owner.Judge(digestA, fuzzed(format, content, value), []artifact.Format{format})
			if format == artifact.FormatLegacy && v.Good() && !bytes.Equal(content, simple) {
				t.Errorf("legacy: good over %q", content)
			}
			if format == artifact.FormatBundle && v.Good() && !j.wasSigned(t, content) {
				t.Errorf("bundle: good over %q", payloadOf(t, content))
			}
		}
	}
	if _, err := j.owner.Attestation(digestA, content); err == nil && !j.wasSigned(t, content) {
		t.Errorf("attestation: good over %q", payloadOf(t, content))
	}
}

func (j fuzzJudges) wasSigned(t *testing.T, content []byte) bool {
	t.Helper()
	return slices.ContainsFunc(j.signed, func(signed []byte) bool { return bytes.Equal(signed, payloadOf(t, content)) })
}

func fuzzed(format artifact.Format, content, value []byte) []artifact.Signature {
	return []artifact.Signature{{Format: format, Content: content, Value: value}}
}

func payloadOf(t *testing.T, content []byte) []byte {
	t.Helper()
	var b bundle.Bundle
	if err := b.UnmarshalJSON(content); err != nil {
		t.Fatal(err)
	}
	return b.GetDsseEnvelope().GetPayload()
}

func mustRequest(t testing.TB, digests ...string) signer.Request {
	t.Helper()
	r, err := attest.Request(artifact.FormatBundle, "registry.example.com/org", digests...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}
