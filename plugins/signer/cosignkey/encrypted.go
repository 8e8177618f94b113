package cosignkey

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"

	"github.com/secure-systems-lab/go-securesystemslib/encrypted"

	"github.com/artifactctl/artifactctl/plugins/signer"
)

// envelope is the JSON inside the PEM of cosign's keys, as go-securesystemslib writes it. It is read here only to tell a
// damaged key from a wrong password, which the library does not.
type envelope struct {
	KDF struct {
		Name   string `json:"name"`
		Params struct {
			N int `json:"N"`
			R int `json:"r"`
			P int `json:"p"`
		} `json:"params"`
		Salt []byte `json:"salt"`
	} `json:"kdf"`
	Cipher struct {
		Name  string `json:"name"`
		Nonce []byte `json:"nonce"`
	} `json:"cipher"`
	Ciphertext []byte `json:"ciphertext"`
}

// check allows exactly the parameters that cosign allows: others could make a tampered key eat all memory.
func (e *envelope) check() error {
	switch p := e.KDF.Params; {
	case e.KDF.Name != "scrypt" || e.Cipher.Name != "nacl/secretbox":
		return fmt.Errorf("unknown encryption %.20q with %.20q", e.KDF.Name, e.Cipher.Name)
	case p.N != 1<<15 && p.N != 1<<16 && p.N != 1<<17, p.R != 8, p.P != 1:
		return fmt.Errorf("scrypt with N=%d, r=%d, p=%d is not what cosign writes", p.N, p.R, p.P)
	case len(e.KDF.Salt) == 0, len(e.Cipher.Nonce) != 24, len(e.Ciphertext) == 0:
		return errors.New("salt, nonce or ciphertext is missing")
	}
	return nil
}

func decrypt(body []byte, password func() ([]byte, error)) ([]byte, error) {
	var e envelope
	if err := json.Unmarshal(body, &e); err != nil {
		return nil, fmt.Errorf("%w: the encrypted key is damaged: it is not JSON inside", signer.ErrInvalid)
	}
	if err := e.check(); err != nil {
		return nil, fmt.Errorf("%w: the encrypted key is damaged: %w", signer.ErrInvalid, err)
	}
	if password == nil {
		return nil, fmt.Errorf("%w: the key is encrypted and there is no password", signer.ErrDenied)
	}
	secret, err := password()
	if err != nil {
		return nil, err
	}
	defer clear(secret)
	der, err := encrypted.Decrypt(body, secret)
	if err != nil {
		return nil, fmt.Errorf("%w: the password does not open the key (or the key is damaged)", signer.ErrDenied)
	}
	return der, nil
}

// Generate makes a new ECDSA P-256 key pair in the form of cosign generate-key-pair: the private key encrypted with
// password, which may be empty, and the public key, both in PEM.
func Generate(password []byte) (privatePEM, publicPEM []byte, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, fmt.Errorf("generate key: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, nil, fmt.Errorf("encode private key: %w", err)
	}
	defer clear(der)
	body, err := encrypted.Encrypt(der, password)
	if err != nil {
		return nil, nil, fmt.Errorf("encrypt private key: %w", err)
	}
	publicPEM, err = signer.MarshalPublicKey(key.Public())
	if err != nil {
		return nil, nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: typeSigstore, Bytes: body}), publicPEM, nil
}
