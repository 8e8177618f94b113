package attest

import (
	"errors"
	"fmt"
)

// Problem is the kind of fault that a signature has.
type Problem string

// The problems.
const (
	ProblemUnreadable Problem = "unreadable"     // verifiers pass over it
	ProblemKey        Problem = "foreign-key"    // nobody who is trusted signed it
	ProblemIdentity   Problem = "other-identity" // all evidence is good, but of somebody else
	ProblemKind       Problem = "other-kind"     // a certificate where a key is trusted, or the reverse
	ProblemSubject    Problem = "other-artifact" // a good signature, of something else
	ProblemHash       Problem = "other-hash"     // by a trusted key, in a way that Flux does not verify
	ProblemAuthority  Problem = "untrusted-root" // its certificate is of another Sigstore
	ProblemEvidence   Problem = "evidence"       // it does not prove when it was signed, or that it was logged
	ProblemInvalid    Problem = "invalid"        // changed after it was signed, or never good
)

// refusal is an error with the kind of fault.
type refusal struct {
	problem Problem
	error
}

func (r *refusal) Unwrap() error { return r.error }

func problem(kind Problem, format string, args ...any) error {
	return &refusal{kind, fmt.Errorf(format, args...)}
}

// problemOf is the kind of fault that an error is about.
func problemOf(err error) Problem {
	var r *refusal
	if errors.As(err, &r) {
		return r.problem
	}
	return ProblemInvalid
}

// Hint says what can be done for the artifact to be accepted; empty when it is.
func (v Verdict) Hint() string {
	if v.Good() {
		return ""
	}
	if v.Hidden {
		return "have it signed as a bundle, too: where there is any bundle, Flux looks at no legacy signature"
	}
	has := map[Problem]bool{}
	for _, c := range v.Candidates {
		has[c.Problem] = true
	}
	for _, h := range []struct {
		problem Problem
		hint    string
	}{
		{ProblemHash, "sign again over SHA-256: the signers of artifactctl do, and cosign does with ECDSA P-256 and RSA keys"},
		{ProblemEvidence, "sign again with a transparency log, and a timestamp where its entries have no time: Flux wants the proofs in the bundle"},
		{ProblemAuthority, "name the trusted root of the Sigstore that signed it, if you trust that"},
		{ProblemSubject, "the tag may name what was never signed, or the wrong thing: look at who moved it"},
		{ProblemIdentity, "trust that identity if you know it, or have the artifact signed by the one that is trusted"},
		{ProblemKind, "a policy trusts keys or an identity, not both: choose the one that signed it, if you know it"},
		{ProblemInvalid, "do not use the artifact before you know who changed its signature; signing it again adds a good one"},
		{ProblemKey, "trust that key if you know whose it is, or have the artifact signed with the one that is trusted"},
		{ProblemUnreadable, "sign again: a bundle has to be of version 0.3"},
	} {
		if has[h.problem] {
			return h.hint
		}
	}
	return "sign it, or look for who deleted its signature: `artifactctl publish` signs what lacks one"
}
