package attest

import (
	"encoding/json"
	"fmt"
)

// Attestation is a statement about an artifact, signed by somebody whom a policy trusts.
type Attestation struct {
	// By is who signed it.
	By string
	// PredicateType is the URI of the kind of statement. That of a plain signature is PredicateType.
	PredicateType string
	// Predicate is the JSON of what is stated, byte for byte as it was signed; nil when the statement has none.
	Predicate []byte
}

// Attestation verifies one bundle beside the artifact with this digest ("sha256:…") by the rules of Judge, except that
// it takes a statement of every kind and returns what it states. The caller compares the type of the predicate and decides
// whether this signer may state such things.
func (p Policy) Attestation(digest string, content []byte) (Attestation, error) {
	b, err := parseBundle(content)
	if err != nil {
		return Attestation{}, err
	}
	found, by, err := p.verifyStatement(digest, b)
	if err != nil {
		return Attestation{}, err
	}
	// The library parses the predicate, which loses the precision of large numbers and the order of keys. That it parsed
	// the statement means that no key stands in it twice and that none is unknown.
	var statement map[string]json.RawMessage
	if err := json.Unmarshal(b.GetDsseEnvelope().GetPayload(), &statement); err != nil {
		return Attestation{}, fmt.Errorf("parse the statement: %w", err)
	}
	return Attestation{By: by, PredicateType: found.GetPredicateType(), Predicate: statement["predicate"]}, nil
}
