// Package signer is the contract between artifactctl and a signer plugin: one interface, plain structs, and the
// errors that cross the wire. It imports nothing but the standard library, so that a plugin author reads all of it in
// five minutes. It does not start processes and knows no transport: that is package rpc.
package signer

import (
	"context"
	"errors"
)

// Signer holds a key or an identity and signs payloads that the host built.
//
// Open is called exactly once, before any Sign, and must find out everything that can be found out early: a wrong
// passphrase or a missing permission is an error of Open, so that nothing is pushed that cannot be signed. Sign is
// called from many goroutines at once. Both must return soon after ctx is done.
type Signer interface {
	// Open configures the signer with the `with:` block of publish.yaml and describes what it will sign with.
	// An unknown key or an unusable value in with is ErrInvalid.
	Open(ctx context.Context, with map[string]any) (Info, error)
	// Sign signs r.Payload as r.PayloadType says and returns the signature as a Sigstore bundle.
	Sign(ctx context.Context, r Request) (Signature, error)
}

// Info describes an opened signer.
type Info struct {
	// Name and Version are the plugin's own, for people: "signer-file", "v1.2.0".
	Name    string
	Version string
	// Identity is what signatures will show, for people: a key fingerprint ("sha256:…"), or a certificate subject.
	Identity string
	// Algorithm names the key type, for people: "ecdsa-p256-sha256", "rsa-pkcs1v15-2048-sha256", "ed25519".
	Algorithm string
	// PublicKey is the PEM (PKIX) of the key that signs; empty when each signature brings a certificate.
	PublicKey []byte
	// Certificate is the PEM of the certificate that signatures will bring, where the signer has one already: the host
	// sees whether it names the trusted identity before anything is pushed. Empty with a plain key, or when none is known
	// before the first signature.
	Certificate []byte
	// Warnings are things the user should mend though they do not stop the run.
	Warnings []string
}

// Request asks for one signature. The host builds Payload and checks afterwards that the answer signs exactly it.
type Request struct {
	// Repository is where the artifacts live, host and path without scheme or tag; informative.
	Repository string
	// Digests are the manifest digests that Payload names ("sha256:…"). More than one only in a batch signature.
	Digests []string
	// PayloadType is PayloadInToto or PayloadSimpleSigning.
	PayloadType string
	// Payload is the exact bytes to sign: the statement of a DSSE envelope, or the document itself.
	Payload []byte
}

// Payload types, and with them the kind of bundle that answers.
const (
	// PayloadInToto asks for a bundle with a DSSE envelope: the signature is over PAE(PayloadType, Payload).
	PayloadInToto = "application/vnd.in-toto+json"
	// PayloadSimpleSigning asks for a bundle with a message signature over the payload bytes themselves
	// (cosign's legacy format, for Flux before 2.8).
	PayloadSimpleSigning = "application/vnd.dev.cosign.simplesigning.v1+json"
)

// BundleMediaType is the media type of every Signature: Sigstore bundle v0.3 in its JSON form.
const BundleMediaType = "application/vnd.dev.sigstore.bundle.v0.3+json"

// Signature is a signer's answer.
type Signature struct {
	MediaType string // BundleMediaType
	Content   []byte
}

// A signer wraps one of these into each error it returns, with its own words around it. What wraps none of them
// counts as ErrInvalid's sibling "internal": reported, never retried.
var (
	// ErrInvalid: the configuration or the request cannot work as it is (unknown option, unreadable key).
	ErrInvalid = errors.New("invalid signer configuration")
	// ErrDenied: the signer may not do this (wrong passphrase, no permission, expired token).
	ErrDenied = errors.New("signer was denied")
	// ErrUnavailable: the signer's backend does not answer now. The only error that the host retries.
	ErrUnavailable = errors.New("signer backend unavailable")
)
