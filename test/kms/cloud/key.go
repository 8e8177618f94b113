package cloud

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"sync"
	"testing"
)

// Kinds of keys.
const (
	P256    = "p256"
	P384    = "p384"
	P521    = "p521"
	RSA2048 = "rsa2048"
	RSA3072 = "rsa3072"
	RSA4096 = "rsa4096"
	Ed25519 = "ed25519"
)

// keys are made once for each kind and number: those of RSA take long.
type keys struct {
	mu   sync.Mutex
	made map[string]crypto.Signer
}

// madeKeys is a cache of what is the same for all tests.
var madeKeys = keys{made: map[string]crypto.Signer{}}

// Key returns a key of a kind; the same one for the same name.
func Key(t testing.TB, kind, name string) crypto.Signer {
	t.Helper()
	madeKeys.mu.Lock()
	defer madeKeys.mu.Unlock()
	if key := madeKeys.made[kind+"/"+name]; key != nil {
		return key
	}
	key, err := makeKey(kind)
	if err != nil {
		t.Fatal(err)
	}
	madeKeys.made[kind+"/"+name] = key
	return key
}

func makeKey(kind string) (crypto.Signer, error) {
	switch kind {
	case P256:
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case P384:
		return ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case P521:
		return ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	case RSA2048:
		return rsa.GenerateKey(rand.Reader, 2048)
	case RSA3072:
		return rsa.GenerateKey(rand.Reader, 3072)
	case RSA4096:
		return rsa.GenerateKey(rand.Reader, 4096)
	default:
		_, key, err := ed25519.GenerateKey(rand.Reader)
		return key, err
	}
}
