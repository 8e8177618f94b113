package main

import (
	"context"
	"crypto"
	"io"

	"github.com/sigstore/sigstore/pkg/signature"
)

// provider is what is particular to one kind of service.
type provider struct {
	// check checks the key's URI and version, and completes the URI.
	check func(o *options) error
	// load prepares sigstore's driver. Some drivers look for credentials here, and may ask the network for them.
	load func(ctx context.Context, o options, hash crypto.Hash) (service, error)
	// judge puts an error of the driver into words and a class of package signer.
	judge func(err error) failure
	// ed25519 tells whether the driver can sign with Ed25519, pure.
	ed25519 bool
	// Advice: which keys do; what must be set and listed under env; what a signature by another key may come from.
	keys, credentials, mismatch string
}

// service is what is used of a driver, that is of kms.SignerVerifier. Drivers are safe for concurrent use.
type service interface {
	PublicKey(opts ...signature.PublicKeyOption) (crypto.PublicKey, error)
	SignMessage(message io.Reader, opts ...signature.SignOption) ([]byte, error)
	// CryptoSigner is only asked for its second result: the hash that the service prescribes for this key.
	CryptoSigner(ctx context.Context, errFunc func(error)) (crypto.Signer, crypto.SignerOpts, error)
}
