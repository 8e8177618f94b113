// Package attest knows what is signed and whether an answer is good: it builds the payloads that a signer gets, checks
// each signature by the rules that Flux and `cosign verify` use, and turns a signer's answer into what is stored beside
// an artifact. It holds no keys that can sign, and it never touches the network.
package attest

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/artifactctl/artifactctl/internal/artifact"
	"github.com/artifactctl/artifactctl/plugins/signer"
)

// PredicateType marks an in-toto statement as a plain signature (cosign, pkg/types/predicate.go).
const PredicateType = "https://sigstore.dev/cosign/sign/v1"

const statementType = "https://in-toto.io/Statement/v1"

// MaxSubjects is how many artifacts one batch signature may cover. sigstore-go, and with it cosign and Flux, verifies no
// statement of more than 1,024 subjects; the rest is a margin that people can remember.
const MaxSubjects = 1000

// Request builds what a signer is asked for in one format. repository is the full name without tag or scheme
// ("ghcr.io/org/app"), digests are manifest digests ("sha256:…"), each once: a bundle may be asked for up to
// MaxSubjects artifacts at once, a legacy signature for one only. The same arguments give the same bytes, so that a
// deterministic signer gives the same signature again.
func Request(format artifact.Format, repository string, digests ...string) (signer.Request, error) {
	r := signer.Request{Repository: repository, Digests: digests}
	if n := len(digests); n == 0 || n > MaxSubjects || (n > 1 && format == artifact.FormatLegacy) {
		return r, fmt.Errorf("a %s signature cannot cover %d artifacts", format, n)
	}
	var err error
	switch format {
	case artifact.FormatBundle:
		r.PayloadType = signer.PayloadInToto
		r.Payload, err = signatureStatement(digests...)
	case artifact.FormatLegacy:
		r.PayloadType = signer.PayloadSimpleSigning
		r.Payload, err = simpleSigning(repository, digests[0])
	default:
		err = fmt.Errorf("unknown signature format %q", format)
	}
	return r, err
}

// AttestationRequest builds what a signer is asked for to attest something of one artifact: an in-toto statement whose
// predicate, JSON, is of a type other than PredicateType. The arguments are otherwise those of Request, and the same ones
// give the same bytes.
func AttestationRequest(repository, digest, predicateType string, predicate []byte) (signer.Request, error) {
	r := signer.Request{Repository: repository, Digests: []string{digest}, PayloadType: signer.PayloadInToto}
	if predicateType == "" || predicateType == PredicateType {
		return r, fmt.Errorf("predicate type %q is not one of an attestation", predicateType)
	}
	if len(predicate) == 0 {
		return r, fmt.Errorf("there is no predicate of %s", predicateType)
	}
	s, err := subjectOf(digest)
	if err != nil {
		return r, err
	}
	s.Name = repository
	r.Payload, err = json.Marshal(statement{statementType, []subject{s}, predicateType, predicate})
	if err != nil {
		return r, fmt.Errorf("encode the statement of %s: %w", predicateType, err)
	}
	return r, nil
}

// statement is an in-toto statement (https://github.com/in-toto/attestation, spec/v1/statement.md).
type statement struct {
	Type          string          `json:"_type"`
	Subject       []subject       `json:"subject"`
	PredicateType string          `json:"predicateType"`
	Predicate     json.RawMessage `json:"predicate"`
}

type subject struct {
	Name   string            `json:"name,omitempty"`
	Digest map[string]string `json:"digest"`
}

func subjectOf(digest string) (subject, error) {
	algorithm, hex, ok := strings.Cut(digest, ":")
	if !ok || algorithm != "sha256" {
		return subject{}, fmt.Errorf("digest %q is not sha256", digest)
	}
	return subject{Digest: map[string]string{algorithm: hex}}, nil
}

// signatureStatement is the in-toto statement of `cosign sign`.
func signatureStatement(digests ...string) ([]byte, error) {
	var subjects []subject
	for _, d := range digests {
		s, err := subjectOf(d)
		if err != nil {
			return nil, err
		}
		subjects = append(subjects, s)
	}
	return json.Marshal(statement{statementType, subjects, PredicateType, json.RawMessage("{}")})
}

// simple is cosign's simple-signing document (sigstore/sigstore, pkg/signature/payload).
type simple struct {
	Critical struct {
		Identity struct {
			DockerReference string `json:"docker-reference"`
		} `json:"identity"`
		Image struct {
			DockerManifestDigest string `json:"docker-manifest-digest"`
		} `json:"image"`
		Type string `json:"type"`
	} `json:"critical"`
	Optional map[string]any `json:"optional"`
}

const simpleType = "cosign container image signature"

func simpleSigning(repository, digest string) ([]byte, error) {
	var doc simple
	doc.Critical.Identity.DockerReference = repository
	doc.Critical.Image.DockerManifestDigest = digest
	doc.Critical.Type = simpleType
	return json.Marshal(doc)
}
