package attest_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/artifactctl/artifactctl/internal/artifact"
	"github.com/artifactctl/artifactctl/internal/attest"
)

const digestC = "sha256:cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"

// batchOf signs digests in one bundle.
func batchOf(t testing.TB, k key, digests ...string) artifact.Signature {
	t.Helper()
	r, err := attest.Request(artifact.FormatBundle, "registry.example.com/org", digests...)
	if err != nil {
		t.Fatal(err)
	}
	s, err := k.Sign(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	out, err := policyOf(t, k).Accept(r, s)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestBatchCoversItsSubjectsOnly(t *testing.T) {
	k := newKey(t, "p256")
	s := batchOf(t, k, digestA, digestB)
	// In either order: what was remembered from one subject says no more for another.
	for _, order := range [][]string{{digestA, digestC, digestB}, {digestC, digestB, digestA}} {
		policy := policyOf(t, k)
		for _, d := range order {
			v := policy.Judge(d, []artifact.Signature{s}, []artifact.Format{artifact.FormatBundle})
			if v.Good() != (d != digestC) {
				t.Errorf("%s: %+v", d, v)
			}
			if v.Good() && (v.Batch == nil || !slices.Equal(v.Batch.Subjects, []string{digestA, digestB})) {
				t.Errorf("%s: batch %+v", d, v.Batch)
			}
		}
	}
}

func TestBatchOfSomebodyElse(t *testing.T) {
	k, other := newKey(t, "p256"), newKey(t, "p256")
	s := batchOf(t, k, digestA, digestB)
	good, foreign := policyOf(t, k), policyOf(t, other)
	for range 2 {
		if v := good.Judge(digestA, []artifact.Signature{s}, []artifact.Format{artifact.FormatBundle}); !v.Good() {
			t.Errorf("own: %+v", v)
		}
		if v := foreign.Judge(digestA, []artifact.Signature{s}, []artifact.Format{artifact.FormatBundle}); v.Good() {
			t.Errorf("foreign: %+v", v)
		}
		// One byte more or less is another bundle, which nothing is remembered of.
		tampered := s
		tampered.Content = bytes.Replace(s.Content, []byte(`"sig":"`), []byte(`"sig":"AAAA`), 1)
		if v := good.Judge(digestA, []artifact.Signature{tampered}, []artifact.Format{artifact.FormatBundle}); v.Good() {
			t.Errorf("tampered: %+v", v)
		}
	}
}

func TestRequestBounds(t *testing.T) {
	many := make([]string, attest.MaxSubjects+1)
	for i := range many {
		many[i] = "sha256:" + fmt.Sprintf("%064x", i)
	}
	tests := map[string]struct {
		format  artifact.Format
		digests []string
		ok      bool
	}{
		"none":           {artifact.FormatBundle, nil, false},
		"most":           {artifact.FormatBundle, many[:attest.MaxSubjects], true},
		"too many":       {artifact.FormatBundle, many, false},
		"legacy of two":  {artifact.FormatLegacy, many[:2], false},
		"another hash":   {artifact.FormatBundle, []string{"sha512:" + strings.Repeat("a", 128)}, false},
		"unknown format": {"other", many[:1], false},
	}
	for name, tt := range tests {
		if _, err := attest.Request(tt.format, "r.example.com/a", tt.digests...); (err == nil) != tt.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
	k := newKey(t, "ed25519")
	s := batchOf(t, k, many[:attest.MaxSubjects]...)
	if v := policyOf(t, k).Judge(many[attest.MaxSubjects-1], []artifact.Signature{s}, []artifact.Format{artifact.FormatBundle}); !v.Good() {
		t.Errorf("the last subject: %+v", v)
	}
}

// A signer that leaves a subject out signed another payload.
func TestBatchAnswerMustCoverAll(t *testing.T) {
	k := newKey(t, "p256")
	asked, err := attest.Request(artifact.FormatBundle, "r.example.com", digestA, digestB)
	if err != nil {
		t.Fatal(err)
	}
	less, err := attest.Request(artifact.FormatBundle, "r.example.com", digestA)
	if err != nil {
		t.Fatal(err)
	}
	s, err := k.Sign(t.Context(), less)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := policyOf(t, k).Accept(asked, s); !errors.Is(err, attest.ErrRejected) || !strings.Contains(err.Error(), "another payload") {
		t.Errorf("got %v", err)
	}
}

func BenchmarkJudgeBatch(b *testing.B) {
	k := newKey(b, "p256")
	many := make([]string, attest.MaxSubjects)
	for i := range many {
		many[i] = "sha256:" + fmt.Sprintf("%064x", i)
	}
	r, err := attest.Request(artifact.FormatBundle, "r.example.com", many...)
	if err != nil {
		b.Fatal(err)
	}
	s, err := k.Sign(b.Context(), r)
	if err != nil {
		b.Fatal(err)
	}
	p := policyOf(b, k)
	stored := []artifact.Signature{{Format: artifact.FormatBundle, Content: s.Content}}
	for b.Loop() {
		for _, d := range many {
			if !p.Judge(d, stored, []artifact.Format{artifact.FormatBundle}).Good() {
				b.Fatal(d)
			}
		}
	}
}
