package attest_test

import (
	"strings"
	"testing"

	"github.com/artifactctl/artifactctl/internal/artifact"
	"github.com/artifactctl/artifactctl/internal/attest"
)

// Where no format is wanted, what Flux accepts is good: attestations, too, and legacy signatures where no bundle is.
func TestJudgeAsFlux(t *testing.T) {
	k, other := newKey(t, "p256"), newKey(t, "p256")
	policy := policyOf(t, k)
	bundle := func(by key, predicateType string) artifact.Signature {
		return artifact.Signature{Format: artifact.FormatBundle, Content: signedBy(t, by, statementOf(predicateType, predicate, digestA)), Digest: digestB}
	}
	legacy := func(by key) artifact.Signature {
		r := request(t, artifact.FormatLegacy, digestA)
		answer, err := by.Sign(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		s, err := policyOf(t, by).Accept(r, answer)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	rubbish := artifact.Signature{Format: artifact.FormatBundle, Content: []byte("{}"), Digest: digestB}
	for name, c := range map[string]struct {
		found  []artifact.Signature
		good   bool
		hidden bool
		hint   string
	}{
		"nothing":                         {hint: "sign it"},
		"bundle":                          {found: []artifact.Signature{bundle(k, attest.PredicateType)}, good: true},
		"attestation":                     {found: []artifact.Signature{bundle(k, provenance)}, good: true},
		"attestation of another":          {found: []artifact.Signature{bundle(other, provenance)}, hint: "trust that key"},
		"legacy":                          {found: []artifact.Signature{legacy(k)}, good: true},
		"legacy of another":               {found: []artifact.Signature{legacy(other)}, hint: "trust that key"},
		"legacy beside a foreign bundle":  {found: []artifact.Signature{legacy(k), bundle(other, attest.PredicateType)}, hidden: true, hint: "signed as a bundle"},
		"legacy beside an attestation":    {found: []artifact.Signature{legacy(other), bundle(k, provenance)}, good: true},
		"legacy beside what is no bundle": {found: []artifact.Signature{legacy(k), rubbish}, good: true},
		"what is no bundle":               {found: []artifact.Signature{rubbish}, hint: "version 0.3"},
	} {
		v := policy.Judge(digestA, c.found, nil)
		if v.Good() != c.good || v.Hidden != c.hidden || (v.By == policy.IDs()[0]) != c.good || !strings.Contains(v.Hint(), c.hint) || (v.Hint() == "") != c.good {
			t.Errorf("%s: %+v, hint %q", name, v, v.Hint())
		}
		if len(v.Candidates) != len(c.found) {
			t.Errorf("%s: %d candidates of %d", name, len(v.Candidates), len(c.found))
		}
		for _, found := range v.Candidates {
			if (found.Problem == "") != (found.By != "") || (found.Problem == "") != (found.Reason == "") {
				t.Errorf("%s: %+v", name, found)
			}
		}
	}
}

// What only claims to be an attestation is listed as one, and what is wrong with it is said.
func TestCandidates(t *testing.T) {
	k, other := newKey(t, "p256"), newKey(t, "p256")
	batch := batchOf(t, k, digestA, digestB)
	for name, c := range map[string]struct {
		digest  string
		content []byte
		want    attest.Candidate
	}{
		"signature":          {digestA, signedBy(t, k, statementOf(attest.PredicateType, "{}", digestA)), attest.Candidate{PredicateType: attest.PredicateType, By: "me"}},
		"attestation":        {digestA, signedBy(t, k, statementOf(provenance, "{}", digestA)), attest.Candidate{PredicateType: provenance, By: "me"}},
		"of another":         {digestA, signedBy(t, other, statementOf(provenance, "{}", digestA)), attest.Candidate{PredicateType: provenance, Problem: attest.ProblemKey}},
		"of another thing":   {digestB, signedBy(t, k, statementOf(provenance, "{}", digestA)), attest.Candidate{PredicateType: provenance, Problem: attest.ProblemSubject}},
		"in a batch":         {digestB, batch.Content, attest.Candidate{PredicateType: attest.PredicateType, By: "me"}},
		"not in that batch":  {"sha256:" + strings.Repeat("c", 64), batch.Content, attest.Candidate{PredicateType: attest.PredicateType, Problem: attest.ProblemSubject}},
		"what is no bundle":  {digestA, []byte("{"), attest.Candidate{Problem: attest.ProblemUnreadable}},
		"changed afterwards": {digestA, []byte(strings.Replace(string(signedBy(t, k, statementOf(provenance, "{}", digestA))), `"sig":"ME`, `"sig":"MF`, 1)), attest.Candidate{PredicateType: provenance, Problem: attest.ProblemInvalid}},
	} {
		p := policyOf(t, k)
		for range 2 { // the second time it may be remembered
			v := p.Judge(c.digest, bundleOf(c.content), nil)
			got := v.Candidates[0]
			if c.want.By != "" {
				c.want.By = p.IDs()[0]
			}
			if got.PredicateType != c.want.PredicateType || got.By != c.want.By || got.Problem != c.want.Problem || got.IsAttestation() != (c.want.PredicateType == provenance) {
				t.Errorf("%s: %+v, want %+v", name, got, c.want)
			}
		}
	}
}
