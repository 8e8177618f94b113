package cosignkey

import (
	"bytes"
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/secure-systems-lab/go-securesystemslib/encrypted"

	"github.com/artifactctl/artifactctl/plugins/signer"
)

// The keys in testdata were made by cosign v3.1.3 (generate-key-pair, import-key-pair) with the password "test". They
// protect nothing.
func fixture(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func password(text string) func() ([]byte, error) {
	return func() ([]byte, error) { return []byte(text), nil }
}

// noPassword must not be called.
func noPassword(t *testing.T) func() ([]byte, error) {
	return func() ([]byte, error) {
		t.Error("a password was asked for")
		return nil, errors.New("no password")
	}
}

func samePublic(a, b crypto.PublicKey) bool {
	k, ok := a.(interface{ Equal(crypto.PublicKey) bool })
	return ok && k.Equal(b)
}

// Each password costs 64 MiB and a good part of a second, more under the race detector: the tests spare them.

func TestLoadCosignKeys(t *testing.T) {
	for _, name := range []string{"p256", "rsa", "ed25519"} {
		t.Run(name, func(t *testing.T) {
			text := fixture(t, name+".key")
			if name == "ed25519" { // what cosign 1 wrote
				text = bytes.ReplaceAll(text, []byte("SIGSTORE"), []byte("COSIGN"))
			}
			key, err := Load(text, password("test"))
			if err != nil {
				t.Fatal(err)
			}
			public, _, err := ParsePublic(fixture(t, name+".pub"))
			if err != nil {
				t.Fatal(err)
			}
			if !key.Encrypted || len(key.Warnings) != 0 || !samePublic(public, key.Signer.Public()) {
				t.Errorf("got %+v", key)
			}
		})
	}
}

func TestEmptyPassword(t *testing.T) {
	der, err := x509.MarshalPKCS8PrivateKey(ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)))
	if err != nil {
		t.Fatal(err)
	}
	body, err := encrypted.EncryptWithCustomKDFParameters(der, nil, encrypted.Legacy)
	if err != nil {
		t.Fatal(err)
	}
	key, err := Load(pem.EncodeToMemory(&pem.Block{Type: typeSigstore, Bytes: body}), password(""))
	if err != nil || !key.Encrypted {
		t.Errorf("got %+v, %v", key, err)
	}
}

func TestPasswords(t *testing.T) {
	text := fixture(t, "p256.key")
	interrupted := errors.New("interrupted")
	tests := map[string]struct {
		password func() ([]byte, error)
		want     error
	}{
		"wrong":     {password("s3cret-but-wrong"), signer.ErrDenied},
		"none":      {nil, signer.ErrDenied},
		"no answer": {func() ([]byte, error) { return nil, interrupted }, interrupted},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			key, err := Load(text, tt.password)
			if !errors.Is(err, tt.want) || key.Signer != nil || strings.Contains(err.Error(), "s3cret") {
				t.Errorf("got %+v, %v", key, err)
			}
		})
	}
}

// plain gives a key in each of the forms that hold it unencrypted.
func plain(t *testing.T, key crypto.Signer) map[string][]byte {
	t.Helper()
	forms := map[string][]byte{}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	forms[typePKCS8] = pem.EncodeToMemory(&pem.Block{Type: typePKCS8, Bytes: der})
	switch k := key.(type) {
	case *rsa.PrivateKey:
		forms[typePKCS1] = pem.EncodeToMemory(&pem.Block{Type: typePKCS1, Bytes: x509.MarshalPKCS1PrivateKey(k)})
	case *ecdsa.PrivateKey:
		if der, err = x509.MarshalECPrivateKey(k); err != nil {
			t.Fatal(err)
		}
		forms[typeSEC1] = pem.EncodeToMemory(&pem.Block{Type: typeSEC1, Bytes: der})
		forms["SEC1 after parameters"] = append([]byte("-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"), forms[typeSEC1]...)
		forms["wrong label"] = pem.EncodeToMemory(&pem.Block{Type: typePKCS8, Bytes: der})
	}
	return forms
}

func TestLoadPlainKeys(t *testing.T) {
	var keys []crypto.Signer
	for _, curve := range []elliptic.Curve{elliptic.P256(), elliptic.P384(), elliptic.P521()} {
		key, err := ecdsa.GenerateKey(curve, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, key)
	}
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	keys = append(keys, rsaKey, ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)))
	for _, key := range keys {
		for form, text := range plain(t, key) {
			got, err := Load(text, noPassword(t))
			if err != nil || got.Encrypted || len(got.Warnings) > 0 || !samePublic(key.Public(), got.Signer.Public()) {
				t.Errorf("%T as %s: %+v, %v", key, form, got, err)
			}
		}
	}
}

func TestMangledPEM(t *testing.T) {
	good := string(fixture(t, "p256.pub"))
	key := string(plain(t, ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)))[typePKCS8])
	mangle := map[string]func(string) string{
		"escaped newlines":      func(s string) string { return strings.ReplaceAll(s, "\n", `\n`) },
		"escaped CRLF":          func(s string) string { return strings.ReplaceAll(s, "\n", `\r\n`) },
		"blanks for newlines":   func(s string) string { return strings.ReplaceAll(s, "\n", " ") },
		"no newlines at all":    func(s string) string { return strings.ReplaceAll(s, "\n", "") },
		"quotes and escapes":    func(s string) string { return `"` + strings.ReplaceAll(s, "\n", `\n`) + `"` },
		"single quotes, blanks": func(s string) string { return "'" + strings.ReplaceAll(s, "\n", " ") + "'" },
		"indented markers":      func(s string) string { return "  " + strings.ReplaceAll(s, "\n", "\n  ") },
	}
	for name, f := range mangle {
		t.Run(name, func(t *testing.T) {
			got, err := Load([]byte(f(key)), noPassword(t))
			if err != nil || len(got.Warnings) != 1 || got.Warnings[0] != warnRepaired {
				t.Errorf("private: %v, %v", got.Warnings, err)
			}
			if _, warnings, err := ParsePublic([]byte(f(good))); err != nil || len(warnings) != 1 {
				t.Errorf("public: %v, %v", warnings, err)
			}
		})
	}
	harmless := map[string]string{
		"CRLF":               strings.ReplaceAll(key, "\n", "\r\n"),
		"no newline at end":  strings.TrimSpace(key),
		"byte order mark":    "\ufeff\n" + key,
		"text around it":     "# my key\n" + key + "# end\n",
		"blank lines around": "\n\n" + key + "\n\n",
	}
	for name, text := range harmless {
		if got, err := Load([]byte(text), noPassword(t)); err != nil || len(got.Warnings) != 0 {
			t.Errorf("%s: %v, %v", name, got.Warnings, err)
		}
	}
	mangled := strings.ReplaceAll(string(fixture(t, "p256.key")), "\n", `\n`)
	want, _ := pem.Decode(fixture(t, "p256.key"))
	if block, warnings, err := decode([]byte(mangled)); err != nil || len(warnings) != 1 || !bytes.Equal(block.Bytes, want.Bytes) {
		t.Errorf("encrypted: %v, %v", warnings, err)
	}
}

// sealed is a cosign key with some of its JSON replaced.
func sealed(t *testing.T, from, to string) []byte {
	t.Helper()
	block, _ := pem.Decode(fixture(t, "p256.key"))
	if !bytes.Contains(block.Bytes, []byte(from)) {
		t.Fatalf("there is no %s in %s", from, block.Bytes)
	}
	block.Bytes = bytes.Replace(block.Bytes, []byte(from), []byte(to), 1)
	return pem.EncodeToMemory(block)
}

func TestLoadRefuses(t *testing.T) {
	p224, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Load(plain(t, p224)[typePKCS8], nil); err != nil {
		t.Errorf("which keys are allowed is the signer's business: %v", err)
	}
	x25519, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	agreement, err := x509.MarshalPKCS8PrivateKey(x25519)
	if err != nil {
		t.Fatal(err)
	}
	block := func(kind string, content string) []byte {
		return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: []byte(content)})
	}
	ed := plain(t, ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)))[typePKCS8]
	tests := map[string]struct {
		text       []byte
		want, hint string
	}{
		"empty":                {nil, "the key is empty", "is the variable set"},
		"white space":          {[]byte(" \n"), "the key is empty", ""},
		"too large":            {make([]byte, MaxSize+1), "too many", "right file"},
		"no PEM":               {[]byte("hello"), "not in PEM", "a key begins with"},
		"base64 of PEM":        {[]byte(base64.StdEncoding.EncodeToString(ed)), "not in PEM", "base64 once more"},
		"cut off":              {ed[:len(ed)-20], "not in PEM", "cut off"},
		"two keys":             {append(append([]byte{}, ed...), ed...), "more than one key", "file of its own"},
		"public key":           {fixture(t, "p256.pub"), `"PUBLIC KEY" is no private key`, "trust"},
		"certificate":          {block("CERTIFICATE", "x"), `"CERTIFICATE" is no private key`, ""},
		"OpenSSH":              {block("OPENSSH PRIVATE KEY", "x"), "OpenSSH", "artifactctl keygen"},
		"encrypted PKCS #8":    {block(typeEncrypted, "x"), "PKCS #8 is not supported", "cosign import-key-pair"},
		"OpenSSL's encryption": {pem.EncodeToMemory(&pem.Block{Type: typePKCS1, Headers: map[string]string{"Proc-Type": "4,ENCRYPTED"}, Bytes: []byte("x")}), "old method", "cosign import-key-pair"},
		"rubbish in PKCS #8":   {block(typePKCS8, "rubbish"), "parse private key", ""},
		"rubbish in PKCS #1":   {block(typePKCS1, "rubbish"), "parse private key", ""},
		"rubbish in SEC 1":     {block(typeSEC1, "rubbish"), "parse private key", ""},
		"key agreement":        {block(typePKCS8, string(agreement)), "cannot sign", ""},
		"not JSON":             {block(typeSigstore, "rubbish"), "not JSON inside", ""},
		"huge N":               {sealed(t, `"N":65536`, `"N":1073741824`), "scrypt with N=1073741824", ""},
		"small N":              {sealed(t, `"N":65536`, `"N":2`), "scrypt with N=2,", ""},
		"huge r":               {sealed(t, `"r":8`, `"r":8388608`), "r=8388608", ""},
		"other KDF":            {sealed(t, `"scrypt"`, `"argon2"`), `unknown encryption "argon2"`, ""},
		"other cipher":         {sealed(t, `"nacl/secretbox"`, `"rot13"`), `"rot13"`, ""},
		"no nonce":             {sealed(t, `"nonce":"`, `"once":"`), "nonce or ciphertext is missing", ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			key, err := Load(tt.text, noPassword(t))
			if !errors.Is(err, signer.ErrInvalid) || key.Signer != nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got  %+v, %v\nwant %s", key, err, tt.want)
			}
			var h interface{ Hint() string }
			if tt.hint != "" && (!errors.As(err, &h) || !strings.Contains(h.Hint(), tt.hint)) {
				t.Errorf("the hint does not say %q", tt.hint)
			}
		})
	}
}

func TestParsePublicRefuses(t *testing.T) {
	tests := map[string]struct {
		text []byte
		want string
	}{
		"private key": {fixture(t, "p256.key"), "private key where the public one belongs"},
		"certificate": {pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("x")}), "this is a certificate"},
		"other":       {pem.EncodeToMemory(&pem.Block{Type: "X", Bytes: []byte("x")}), `"X" is no public key`},
		"rubbish":     {pem.EncodeToMemory(&pem.Block{Type: typePublic, Bytes: []byte("x")}), "parse public key"},
		"two":         {append(fixture(t, "p256.pub"), fixture(t, "rsa.pub")...), "more than one key"},
	}
	for name, tt := range tests {
		if key, _, err := ParsePublic(tt.text); !errors.Is(err, signer.ErrInvalid) || key != nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, %v", name, key, err)
		}
	}
	rsaKey, _, err := ParsePublic(fixture(t, "rsa.pub"))
	if err != nil {
		t.Fatal(err)
	}
	pkcs1 := pem.EncodeToMemory(&pem.Block{Type: "RSA PUBLIC KEY", Bytes: x509.MarshalPKCS1PublicKey(rsaKey.(*rsa.PublicKey))})
	if got, _, err := ParsePublic(pkcs1); err != nil || !samePublic(got, rsaKey) {
		t.Errorf("PKCS #1: %v", err)
	}
}

func TestGenerate(t *testing.T) {
	private, public, err := Generate([]byte("correct horse"))
	if err != nil {
		t.Fatal(err)
	}
	key, err := Load(private, password("correct horse"))
	if err != nil {
		t.Fatal(err)
	}
	parsed, _, err := ParsePublic(public)
	if err != nil || !key.Encrypted || !samePublic(parsed, key.Signer.Public()) {
		t.Errorf("the pair does not fit: %v", err)
	}
	if !bytes.HasPrefix(private, []byte("-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\n")) {
		t.Errorf("cosign would not read %.50s", private)
	}
	if block, _ := pem.Decode(private); !bytes.Contains(block.Bytes, []byte(`{"kdf":{"name":"scrypt","params":{"N":65536,"r":8,"p":1}`)) {
		t.Error("the parameters are not cosign's")
	}
}

func FuzzLoad(f *testing.F) {
	for _, name := range []string{"p256.pub", "rsa.pub"} {
		text, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Add([]byte(`"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----"`))
	f.Add([]byte("-----BEGIN PRIVATE KEY----- -----END PRIVATE KEY-----"))
	f.Fuzz(func(_ *testing.T, text []byte) {
		_, _ = Load(text, nil) // must not panic
		_, _, _ = ParsePublic(text)
	})
}
