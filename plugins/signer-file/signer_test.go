package main

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/artifactctl/artifactctl/plugins/signer"
	"github.com/artifactctl/artifactctl/plugins/signer/rpc"
	"github.com/artifactctl/artifactctl/plugins/signer/signertest"
)

// pluginVariable makes the test binary the plugin.
const pluginVariable = "SIGNER_FILE_TEST_PLUGIN"

func TestMain(m *testing.M) {
	if os.Getenv(pluginVariable) != "" {
		main()
	}
	os.Exit(m.Run())
}

// fixtures were made by cosign; see package cosignkey.
const fixtures = "../signer/cosignkey/testdata/"

func writeKey(t *testing.T, key crypto.PrivateKey) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "key.pem")
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func ecdsaKey(t *testing.T, curve elliptic.Curve) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func ed25519Key() ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
}

func TestConformance(t *testing.T) {
	t.Setenv(defaultPassword, "test")
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	keys := map[string]struct{ path, algorithm string }{
		"P-256":     {writeKey(t, ecdsaKey(t, elliptic.P256())), "ecdsa-p256-sha256"},
		"P-384":     {writeKey(t, ecdsaKey(t, elliptic.P384())), "ecdsa-p384-sha256"},
		"P-521":     {writeKey(t, ecdsaKey(t, elliptic.P521())), "ecdsa-p521-sha256"},
		"RSA":       {writeKey(t, rsaKey), "rsa-pkcs1v15-2048-sha256"},
		"Ed25519":   {writeKey(t, ed25519Key()), "ed25519"},
		"encrypted": {absolute(t, fixtures+"p256.key"), "ecdsa-p256-sha256"},
	}
	for name, key := range keys {
		t.Run(name+" in process", func(t *testing.T) {
			signertest.Run(t, signertest.Suite{
				New: func(*testing.T) (signer.Signer, map[string]any) {
					return newFileSigner(), map[string]any{"key": key.path}
				},
				Deterministic: true,
			})
			if info, err := newFileSigner().Open(t.Context(), map[string]any{"key": key.path}); err != nil || info.Algorithm != key.algorithm {
				t.Errorf("algorithm is %q, %v", info.Algorithm, err)
			}
		})
		t.Run(name+" as a plugin", func(t *testing.T) {
			signertest.Run(t, signertest.Suite{
				New: func(t *testing.T) (signer.Signer, map[string]any) {
					p, err := rpc.Start(t.Context(), rpc.StartOptions{
						Name: "file", Path: self, Dir: filepath.Dir(key.path),
						Env: []string{pluginVariable + "=1", defaultPassword + "=test"},
					})
					if err != nil {
						t.Fatal(err)
					}
					t.Cleanup(func() { _ = p.Close() })
					return p, map[string]any{"key": filepath.Base(key.path)} // relative to Dir
				},
				Deterministic: true,
			})
		})
	}
}

func absolute(t *testing.T, path string) string {
	t.Helper()
	path, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func TestWhereKeysComeFrom(t *testing.T) {
	encrypted, err := os.ReadFile(fixtures + "p256.key")
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("MY_KEY", strings.ReplaceAll(string(encrypted), "\n", `\n`))
	t.Setenv("MY_PASSWORD", "test")
	passwordFile := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(passwordFile, []byte("test\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	path := writeKey(t, ed25519Key())
	open := writeKey(t, ed25519Key())
	if err := os.Chmod(open, 0o640); err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		with    map[string]any
		warning string
	}{
		"path":              {map[string]any{"key": path}, ""},
		"file reference":    {map[string]any{"key": "file://" + path}, ""},
		"variable":          {map[string]any{"key": "env://MY_KEY", "password": "env://MY_PASSWORD"}, "key env://MY_KEY: the line breaks"},
		"password file":     {map[string]any{"key": fixtures + "ed25519.key", "password": "file://" + passwordFile}, ""},
		"readable by group": {map[string]any{"key": open}, "key " + open + ": other users may read or change the file (mode 0640); chmod 600"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			info, err := newFileSigner().Open(t.Context(), tt.with)
			if err != nil {
				t.Fatal(err)
			}
			warnings := strings.Join(info.Warnings, "\n")
			if tt.warning == "" && warnings != "" && !strings.Contains(name, "password file") || !strings.Contains(warnings, tt.warning) {
				t.Errorf("warnings are %q, want %q", warnings, tt.warning)
			}
			if !strings.HasPrefix(info.Identity, "sha256:") || len(info.PublicKey) == 0 {
				t.Errorf("info is %+v", info)
			}
		})
	}
}

func TestOpenRefuses(t *testing.T) {
	t.Setenv("EMPTY", "")
	t.Setenv("WRONG", "s3cret-but-wrong")
	weak := filepath.Join(t.TempDir(), "weak.pem")
	if err := os.WriteFile(weak, []byte(weakRSA(t)), 0o600); err != nil {
		t.Fatal(err)
	}
	large := filepath.Join(t.TempDir(), "large")
	if err := os.WriteFile(large, make([]byte, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	encrypted := fixtures + "p256.key"
	tests := map[string]struct {
		with       map[string]any
		class      error
		want, hint string
	}{
		"nothing":            {nil, signer.ErrInvalid, `option "key" is missing`, "cosign.key"},
		"misspelt":           {map[string]any{"key": "x", "pasword": "env://X"}, signer.ErrInvalid, `unknown option "pasword"`, `did you mean "password"?`},
		"by another name":    {map[string]any{"keyFile": "x"}, signer.ErrInvalid, `unknown option "keyFile"`, `did you mean "key"?`},
		"unknown":            {map[string]any{"url": "x"}, signer.ErrInvalid, `unknown option "url"`, "the options are: key, password"},
		"number":             {map[string]any{"key": 1}, signer.ErrInvalid, `option "key" must be a text`, ""},
		"empty option":       {map[string]any{"key": ""}, signer.ErrInvalid, `option "key" must be a text`, ""},
		"key in the file":    {map[string]any{"key": "-----BEGIN PRIVATE KEY-----\ns3cret"}, signer.ErrInvalid, "holds the key itself", "env://COSIGN_KEY"},
		"password in file":   {map[string]any{"key": "x", "password": "s3cret"}, signer.ErrInvalid, `option "password" is no reference`, "env://NAME"},
		"variable not set":   {map[string]any{"key": "env://NOT_SET"}, signer.ErrInvalid, "variable NOT_SET is not set", "list it under `env`"},
		"empty variable":     {map[string]any{"key": "env://EMPTY"}, signer.ErrInvalid, "key env://EMPTY: invalid signer configuration: the key is empty", "is the variable set"},
		"missing file":       {map[string]any{"key": "nothing.key"}, signer.ErrInvalid, "file nothing.key does not exist", "directory of publish.yaml"},
		"directory":          {map[string]any{"key": "."}, signer.ErrInvalid, ". is no regular file", ""},
		"file for directory": {map[string]any{"key": weak + "/x"}, signer.ErrInvalid, "read " + weak + "/x: not a directory", "permissions"},
		"large file":         {map[string]any{"key": large}, signer.ErrInvalid, "is too large", ""},
		"weak RSA":           {map[string]any{"key": weak}, signer.ErrInvalid, "RSA key of 1024 bits is too weak", ""},
		"P-224":              {map[string]any{"key": writeKey(t, ecdsaKey(t, elliptic.P224()))}, signer.ErrInvalid, "curve P-224 is not supported", ""},
		"public key":         {map[string]any{"key": fixtures + "p256.pub"}, signer.ErrInvalid, "is no private key", "trust"},
		"wrong password":     {map[string]any{"key": encrypted, "password": "env://WRONG"}, signer.ErrDenied, "the password does not open the key", ""},
		"no password":        {map[string]any{"key": encrypted}, signer.ErrDenied, "the key is encrypted and no password is given", defaultPassword},
		"password not set":   {map[string]any{"key": encrypted, "password": "env://NOT_SET"}, signer.ErrInvalid, "password: invalid signer configuration: variable NOT_SET is not set", "list it under `env`"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := newFileSigner()
			s.ask = func(context.Context, string) ([]byte, error) { return nil, errNoTerminal }
			_, err := s.Open(t.Context(), tt.with)
			if !errors.Is(err, tt.class) || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "s3cret") {
				t.Fatalf("got  %v\nwant %s", err, tt.want)
			}
			var h interface{ Hint() string }
			if tt.hint != "" && (!errors.As(err, &h) || !strings.Contains(h.Hint(), tt.hint)) {
				t.Errorf("the hint does not say %q", tt.hint)
			}
		})
	}
}

// weakRSA is a key that today's crypto/rsa would not make.
func weakRSA(t *testing.T) string {
	t.Helper()
	t.Setenv("GODEBUG", "rsa1024min=0")
	key, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}))
}

func TestPasswordIsAskedForOnce(t *testing.T) {
	var prompts []string
	s := newFileSigner()
	s.ask = func(_ context.Context, prompt string) ([]byte, error) {
		prompts = append(prompts, prompt)
		return []byte("test"), nil
	}
	if _, err := s.Open(t.Context(), map[string]any{"key": fixtures + "p256.key"}); err != nil {
		t.Fatal(err)
	}
	if len(prompts) != 1 || prompts[0] != "Password for key "+fixtures+"p256.key: " {
		t.Errorf("asked %q", prompts)
	}
	s.ask = func(context.Context, string) ([]byte, error) { return nil, context.Canceled }
	if _, err := s.Open(t.Context(), map[string]any{"key": fixtures + "p256.key"}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled at the prompt: %v", err)
	}
}
