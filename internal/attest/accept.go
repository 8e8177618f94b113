package attest

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/artifactctl/artifactctl/internal/artifact"
	"github.com/artifactctl/artifactctl/plugins/signer"
)

// ErrRejected means that a signer's answer is not a good signature of what it was asked for.
var ErrRejected = errors.New("the signer's answer was rejected")

// maxAnswer bounds a signer's answer; a batch statement with 1,000 subjects takes about 120 kB.
const maxAnswer = 4 << 20

// Accept checks an answer the way a cluster will before anything is attached: right media type, exactly the requested
// payload, one signature, valid under the policy. It returns what is to be stored. Every failure is ErrRejected.
func (p Policy) Accept(r signer.Request, s signer.Signature) (artifact.Signature, error) {
	stored, err := p.accept(r, s)
	if err != nil {
		return artifact.Signature{}, fmt.Errorf("%w: %w", ErrRejected, err)
	}
	return stored, nil
}

// AcceptAttestation is Accept for the answer to an AttestationRequest.
func (p Policy) AcceptAttestation(r signer.Request, s signer.Signature) (artifact.Signature, error) {
	stored, err := p.acceptAttestation(r, s)
	if err != nil {
		return artifact.Signature{}, fmt.Errorf("%w: %w", ErrRejected, err)
	}
	return stored, nil
}

func (p Policy) acceptAttestation(r signer.Request, s signer.Signature) (artifact.Signature, error) {
	if err := checkForm(r, s); err != nil {
		return artifact.Signature{}, err
	}
	stored, err := bundleOf(r, s.Content)
	if err != nil {
		return artifact.Signature{}, err
	}
	for _, d := range r.Digests {
		found, err := p.Attestation(d, s.Content)
		if err != nil {
			return artifact.Signature{}, err
		}
		if stored.PredicateType = found.PredicateType; found.PredicateType == PredicateType {
			return artifact.Signature{}, errors.New("it is a signature, not an attestation")
		}
	}
	return stored, nil
}

// checkForm refuses what need not be parsed to see that it is no answer.
func checkForm(r signer.Request, s signer.Signature) error {
	switch {
	case s.MediaType != signer.BundleMediaType:
		return fmt.Errorf("media type %q, want %q", s.MediaType, signer.BundleMediaType)
	case len(s.Content) > maxAnswer:
		return fmt.Errorf("%d bytes are more than a signature can have", len(s.Content))
	case len(r.Digests) == 0:
		return errors.New("the request names no digest")
	}
	return nil
}

func (p Policy) accept(r signer.Request, s signer.Signature) (artifact.Signature, error) {
	var none artifact.Signature
	if err := checkForm(r, s); err != nil {
		return none, err
	}
	var stored artifact.Signature
	var err error
	if r.PayloadType == signer.PayloadSimpleSigning {
		stored, err = legacyOf(r, s.Content)
	} else {
		stored, err = bundleOf(r, s.Content)
	}
	if err != nil {
		return none, err
	}
	for _, d := range r.Digests {
		if err := p.check(d, stored); err != nil { // the signature itself is verified once: see memo
			return none, err
		}
	}
	return stored, nil
}

func bundleOf(r signer.Request, content []byte) (artifact.Signature, error) {
	b, err := parseBundle(content)
	if err != nil {
		return artifact.Signature{}, err
	}
	envelope := b.GetDsseEnvelope()
	if envelope == nil || len(envelope.GetSignatures()) != 1 {
		return artifact.Signature{}, errors.New("it holds no DSSE envelope with exactly one signature")
	}
	if envelope.GetPayloadType() != r.PayloadType || !bytes.Equal(envelope.GetPayload(), r.Payload) {
		return artifact.Signature{}, errors.New("it signs another payload than it was given")
	}
	return artifact.Signature{Format: artifact.FormatBundle, Content: content, PredicateType: PredicateType}, nil
}

// legacyOf takes the raw signature out of the bundle: a `.sig` manifest stores payload and signature apart.
func legacyOf(r signer.Request, content []byte) (artifact.Signature, error) {
	b, err := parseBundle(content)
	if err != nil {
		return artifact.Signature{}, err
	}
	message := b.GetMessageSignature()
	if message == nil || len(message.GetSignature()) == 0 {
		return artifact.Signature{}, errors.New("it holds no message signature")
	}
	return artifact.Signature{Format: artifact.FormatLegacy, Content: r.Payload, Value: message.GetSignature()}, nil
}
