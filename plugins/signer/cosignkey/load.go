// Package cosignkey reads the private keys that people sign with (cosign's encrypted files and plain PEM) and makes new
// ones that cosign reads. It does not ask for passwords, opens no files, and writes none.
package cosignkey

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"strings"

	"github.com/artifactctl/artifactctl/plugins/signer"
)

// PEM types. cosign writes typeSigstore today and wrote typeCosign before version 2.
const (
	typeSigstore  = "ENCRYPTED SIGSTORE PRIVATE KEY"
	typeCosign    = "ENCRYPTED COSIGN PRIVATE KEY"
	typePKCS8     = "PRIVATE KEY"
	typePKCS1     = "RSA PRIVATE KEY"
	typeSEC1      = "EC PRIVATE KEY"
	typeEncrypted = "ENCRYPTED PRIVATE KEY"
	typePublic    = "PUBLIC KEY"
)

// MaxSize is the size, in bytes, above which Load and ParsePublic refuse to read: no key file is that large.
const MaxSize = 64 << 10

// Key is a private key that was read.
type Key struct {
	// Signer is *ecdsa.PrivateKey, *rsa.PrivateKey or ed25519.PrivateKey.
	Signer crypto.Signer
	// Encrypted tells that a password was needed.
	Encrypted bool
	// Warnings are things that the owner should mend.
	Warnings []string
}

// Load reads a private key in PEM: cosign's encrypted keys, or plain PKCS #8, PKCS #1 or SEC 1. password is called only
// when the key is encrypted; nil counts as a password that nobody knows. A wrong password is signer.ErrDenied, whatever
// else keeps the key from being read signer.ErrInvalid. No error and no warning holds anything of key or password.
//
// PEM whose line breaks were lost on their way through variables and forms is repaired, with a warning.
func Load(text []byte, password func() ([]byte, error)) (Key, error) {
	block, warnings, err := decode(text)
	if err != nil {
		return Key{}, err
	}
	defer clear(block.Bytes)
	key := Key{Warnings: warnings}
	der, kind := block.Bytes, block.Type
	if kind == typeSigstore || kind == typeCosign {
		if der, err = decrypt(block.Bytes, password); err != nil {
			return Key{}, err
		}
		defer clear(der)
		key.Encrypted, kind = true, typePKCS8
	}
	parsed, err := parse(kind, der)
	if err != nil {
		return Key{}, err
	}
	switch k := parsed.(type) {
	case *ecdsa.PrivateKey:
		key.Signer = k
	case *rsa.PrivateKey:
		key.Signer = k
	case ed25519.PrivateKey:
		key.Signer = k
	default:
		return Key{}, fmt.Errorf("%w: this type of private key cannot sign; use ECDSA, RSA or Ed25519", signer.ErrInvalid)
	}
	return key, nil
}

// parse reads a key in the form that its PEM type names, or in one of the others: the label is often wrong.
func parse(kind string, der []byte) (any, error) {
	readers := []struct {
		kind string
		read func([]byte) (any, error)
	}{
		{typePKCS8, x509.ParsePKCS8PrivateKey},
		{typePKCS1, func(der []byte) (any, error) { return x509.ParsePKCS1PrivateKey(der) }},
		{typeSEC1, func(der []byte) (any, error) { return x509.ParseECPrivateKey(der) }},
	}
	var reason error
	for _, r := range readers {
		key, err := r.read(der)
		if err == nil {
			return key, nil
		}
		if r.kind == kind {
			reason = err
		}
	}
	return nil, fmt.Errorf("%w: parse private key: %s", signer.ErrInvalid, strings.TrimPrefix(reason.Error(), "x509: "))
}

// decode finds the one private key in text.
func decode(text []byte) (*pem.Block, []string, error) {
	block, warnings, err := firstBlock(text, func(kind string) bool {
		return kind != "EC PARAMETERS" && kind != "CERTIFICATE" && kind != typePublic
	})
	if err != nil {
		return nil, nil, err
	}
	switch block.Type {
	case typeSigstore, typeCosign, typePKCS8, typePKCS1, typeSEC1:
	case typeEncrypted:
		return nil, nil, refuse("a key encrypted by PKCS #8 is not supported", "convert it once: cosign import-key-pair --key FILE")
	case "OPENSSH PRIVATE KEY":
		return nil, nil, refuse("an OpenSSH key is not supported", "make a key for signing: artifactctl keygen")
	default:
		return nil, nil, refuse(fmt.Sprintf("PEM of type %q is no private key", block.Type), "a private key is needed here; a public key goes into `trust`")
	}
	if strings.Contains(block.Headers["Proc-Type"], "ENCRYPTED") {
		return nil, nil, refuse("a key encrypted by OpenSSL's old method is not supported", "convert it once: cosign import-key-pair --key FILE")
	}
	return block, warnings, nil
}

// ParsePublic reads a public key in PEM (PKIX "PUBLIC KEY"; also PKCS #1 "RSA PUBLIC KEY"), repairing it like Load.
func ParsePublic(text []byte) (key crypto.PublicKey, warnings []string, err error) {
	block, warnings, err := firstBlock(text, func(kind string) bool { return kind != "EC PARAMETERS" })
	if err != nil {
		return nil, nil, err
	}
	switch block.Type {
	case typePublic:
		key, err = x509.ParsePKIXPublicKey(block.Bytes)
	case "RSA PUBLIC KEY":
		key, err = x509.ParsePKCS1PublicKey(block.Bytes)
	case "CERTIFICATE":
		return nil, nil, refuse("this is a certificate, not a public key", "extract the key: openssl x509 -pubkey -noout -in FILE")
	default:
		if strings.HasSuffix(block.Type, "PRIVATE KEY") {
			return nil, nil, refuse("this is a private key where the public one belongs", "never hand out this file; derive the public key: cosign public-key --key FILE")
		}
		return nil, nil, refuse(fmt.Sprintf("PEM of type %q is no public key", block.Type), "")
	}
	if err != nil {
		return nil, nil, fmt.Errorf("%w: parse public key: %s", signer.ErrInvalid, strings.TrimPrefix(err.Error(), "x509: "))
	}
	return key, warnings, nil
}

func refuse(text, hint string) error {
	return signer.WithHint(fmt.Errorf("%w: %s", signer.ErrInvalid, text), hint)
}
