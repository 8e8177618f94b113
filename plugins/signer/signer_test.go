package signer_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"testing"

	"github.com/artifactctl/artifactctl/plugins/signer"
)

func TestPAE(t *testing.T) {
	tests := []struct{ payloadType, payload, want string }{
		{"http://example.com/HelloWorld", "hello world", "DSSEv1 29 http://example.com/HelloWorld 11 hello world"}, // the specification's own example
		{"", "", "DSSEv1 0  0 "},
		{"t", "ä\x00 1", "DSSEv1 1 t 5 ä\x00 1"},
	}
	for _, tt := range tests {
		if got := string(signer.PAE(tt.payloadType, []byte(tt.payload))); got != tt.want {
			t.Errorf("got %q, want %q", got, tt.want)
		}
	}
}

func TestSigningInput(t *testing.T) {
	tests := []struct {
		payloadType, payload, want string
		bad                        bool
	}{
		{signer.PayloadInToto, "{}", "DSSEv1 28 application/vnd.in-toto+json 2 {}", false},
		{signer.PayloadSimpleSigning, "{}", "{}", false},
		{signer.PayloadInToto, "", "", true},
		{"text/plain", "{}", "", true},
	}
	for _, tt := range tests {
		got, err := signer.SigningInput(signer.Request{PayloadType: tt.payloadType, Payload: []byte(tt.payload)})
		if string(got) != tt.want || errors.Is(err, signer.ErrInvalid) != tt.bad {
			t.Errorf("%s %q: got %q, %v", tt.payloadType, tt.payload, got, err)
		}
	}
}

// testKey is a fixed key: the bytes below depend on it.
func testKey() crypto.PublicKey {
	return ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)).Public()
}

func TestKeyBundle(t *testing.T) {
	const material = `{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","verificationMaterial":{"publicKey":{"hint":"%s"}},`
	hint, err := signer.KeyHint(testKey())
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]string{
		signer.PayloadInToto:        `"dsseEnvelope":{"payload":"PD4=","payloadType":"application/vnd.in-toto+json","signatures":[{"sig":"+/8="}]}}`,
		signer.PayloadSimpleSigning: `"messageSignature":{"messageDigest":{"algorithm":"SHA2_256","digest":"JClanFRaQC2k8syDPa57TzuAGC9/gDUW1YDKB8BkK2Q="},"signature":"+/8="}}`,
	}
	for payloadType, want := range tests {
		r := signer.Request{PayloadType: payloadType, Payload: []byte("<>")}
		got, err := signer.KeyBundle(r, testKey(), []byte{0xfb, 0xff})
		if err != nil {
			t.Fatal(err)
		}
		if want = fmt.Sprintf(material, hint) + want; got.MediaType != signer.BundleMediaType || string(got.Content) != want {
			t.Errorf("got  %s\nwant %s", got.Content, want)
		}
	}
}

func TestKeyBundleRefuses(t *testing.T) {
	good := signer.Request{PayloadType: signer.PayloadInToto, Payload: []byte("{}")}
	for name, call := range map[string]func() (signer.Signature, error){
		"empty payload":   func() (signer.Signature, error) { return signer.KeyBundle(signer.Request{}, testKey(), []byte("x")) },
		"empty signature": func() (signer.Signature, error) { return signer.KeyBundle(good, testKey(), nil) },
		"no key":          func() (signer.Signature, error) { return signer.KeyBundle(good, nil, []byte("x")) },
	} {
		if got, err := call(); !errors.Is(err, signer.ErrInvalid) || got.Content != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAlgorithm(t *testing.T) {
	curve := func(c elliptic.Curve) crypto.PublicKey {
		key, err := ecdsa.GenerateKey(c, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return key.Public()
	}
	rsaKey := func(bits uint) crypto.PublicKey { // only the size matters
		return &rsa.PublicKey{N: new(big.Int).Lsh(big.NewInt(1), bits-1), E: 65537}
	}
	tests := []struct {
		key       crypto.PublicKey
		want, bad string
	}{
		{curve(elliptic.P256()), "ecdsa-p256-sha256", ""},
		{curve(elliptic.P384()), "ecdsa-p384-sha256", ""},
		{curve(elliptic.P521()), "ecdsa-p521-sha256", ""},
		{curve(elliptic.P224()), "", "curve P-224 is not supported"},
		{&ecdsa.PublicKey{}, "", "curve unknown"},
		{rsaKey(2048), "rsa-pkcs1v15-2048-sha256", ""},
		{rsaKey(2047), "", "2047 bits is too weak"},
		{testKey(), "ed25519", ""},
		{nil, "", "not supported"},
	}
	for _, tt := range tests {
		got, err := signer.Algorithm(tt.key)
		if got != tt.want || (err != nil) != (tt.bad != "") {
			t.Errorf("%T: got %q, %v", tt.key, got, err)
		}
		if err != nil && (!errors.Is(err, signer.ErrInvalid) || !strings.Contains(err.Error(), tt.bad)) {
			t.Errorf("%T: %v", tt.key, err)
		}
	}
}

func TestKeyNames(t *testing.T) {
	fingerprint, err := signer.Fingerprint(testKey())
	if err != nil || !strings.HasPrefix(fingerprint, "sha256:") || len(fingerprint) != len("sha256:")+64 {
		t.Errorf("fingerprint is %q, %v", fingerprint, err)
	}
	for _, call := range []func(crypto.PublicKey) (string, error){signer.Fingerprint, signer.KeyHint} {
		if _, err := call("no key"); !errors.Is(err, signer.ErrInvalid) {
			t.Errorf("no key: %v", err)
		}
	}
	if _, err := signer.MarshalPublicKey(nil); !errors.Is(err, signer.ErrInvalid) {
		t.Errorf("no key: %v", err)
	}
}

func TestWithHint(t *testing.T) {
	if signer.WithHint(nil, "x") != nil {
		t.Error("advice made an error of nothing")
	}
	err := fmt.Errorf("outer: %w", signer.WithHint(fmt.Errorf("inner: %w", signer.ErrDenied), "ask an admin"))
	var h interface{ Hint() string }
	if !errors.As(err, &h) || h.Hint() != "ask an admin" || !errors.Is(err, signer.ErrDenied) || err.Error() != "outer: inner: signer was denied" {
		t.Errorf("got %v", err)
	}
}
