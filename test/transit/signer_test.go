package transit_test

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/artifactctl/artifactctl/plugins/signer"
	"github.com/artifactctl/artifactctl/plugins/signer/rpc"
	"github.com/artifactctl/artifactctl/plugins/signer/signertest"
	"github.com/artifactctl/artifactctl/test/peers"
	"github.com/artifactctl/artifactctl/test/transit"
)

// token may do what a signer needs, on the key "artifacts" alone.
const token = "hvs.token-that-must-not-be-shown"

// keyTypes are the types that Flux can verify signatures of, with the name that Info gives the algorithm.
func keyTypes() map[string]string {
	return map[string]string{
		"ecdsa-p256": "ecdsa-p256-sha256", "ecdsa-p384": "ecdsa-p384-sha256", "ecdsa-p521": "ecdsa-p521-sha256",
		"rsa-2048": "rsa-pkcs1v15-2048-sha256", "rsa-3072": "rsa-pkcs1v15-3072-sha256", "rsa-4096": "rsa-pkcs1v15-4096-sha256",
		"ed25519": "ed25519",
	}
}

// serve starts a server with a key "artifacts" of a type, which token may read and sign with, no more.
func serve(t *testing.T, mount, namespace, keyType string) *transit.Server {
	t.Helper()
	s := transit.Start(t, mount, namespace)
	s.Write(t, "keys/artifacts", map[string]any{"type": keyType})
	sign := mount + "/sign/artifacts"
	if keyType != "ed25519" {
		sign += "/sha2-256"
	}
	s.Allow(token, transit.Grant{Path: mount + "/keys/artifacts", Capabilities: []string{"read"}},
		transit.Grant{Path: sign, Capabilities: []string{"update"}})
	return s
}

// start starts the plugin with these variables and nothing else.
func start(t *testing.T, env ...string) *rpc.Process {
	t.Helper()
	p, err := rpc.Start(t.Context(), rpc.StartOptions{
		Name: "vault", Path: filepath.Join(peers.Product(t, false), "signer-vault"), Dir: t.TempDir(), Env: env,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	return p
}

func TestConformance(t *testing.T) {
	for keyType, algorithm := range keyTypes() {
		t.Run(keyType, func(t *testing.T) {
			s := serve(t, "transit", "", keyType)
			env := []string{"VAULT_ADDR=" + s.URL, "VAULT_TOKEN=" + token}
			signertest.Run(t, signertest.Suite{
				New: func(t *testing.T) (signer.Signer, map[string]any) {
					return start(t, env...), map[string]any{"key": "artifacts"}
				},
				Deterministic: !strings.HasPrefix(keyType, "ecdsa"),
			})
			info, err := start(t, env...).Open(t.Context(), map[string]any{"key": "artifacts"})
			if err != nil || info.Algorithm != algorithm || len(info.Warnings) > 0 {
				t.Errorf("info is %+v, %v", info, err)
			}
		})
	}
}

// However the address, the token, the namespace and the mount are given, the same key signs.
func TestWhereItLooks(t *testing.T) {
	s := serve(t, "teams/a/transit", "prod/eu", "ecdsa-p256")
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(token+"\n"), 0o640); err != nil {
		t.Fatal(err)
	}
	all := map[string]any{"key": "artifacts", "mount": "teams/a/transit", "namespace": "prod/eu", "address": s.URL, "tokenFile": file}
	tests := map[string]struct {
		env     []string
		without []string // options that are not given
	}{
		"options":        {nil, nil},
		"vault":          {[]string{"VAULT_ADDR=" + s.URL, "VAULT_TOKEN=" + token, "VAULT_NAMESPACE=prod/eu"}, []string{"address", "tokenFile", "namespace"}},
		"openbao":        {[]string{"BAO_ADDR=" + s.URL, "BAO_TOKEN=" + token + "\n", "BAO_NAMESPACE=prod/eu"}, []string{"address", "tokenFile", "namespace"}},
		"token file":     {[]string{"VAULT_TOKEN_FILE=" + file}, []string{"tokenFile"}},
		"agent":          {[]string{"VAULT_ADDR=http://127.0.0.1:1", "VAULT_AGENT_ADDR=" + s.URL}, []string{"address"}},
		"options win":    {[]string{"VAULT_ADDR=http://127.0.0.1:1", "VAULT_AGENT_ADDR=http://127.0.0.1:1", "VAULT_TOKEN=other", "VAULT_NAMESPACE=other"}, nil},
		"vault over bao": {[]string{"VAULT_TOKEN=" + token, "BAO_TOKEN=other"}, []string{"tokenFile"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			with := map[string]any{}
			for k, v := range all {
				with[k] = v
			}
			for _, k := range tt.without {
				delete(with, k)
			}
			info, err := start(t, tt.env...).Open(t.Context(), with)
			if err != nil {
				t.Fatal(err)
			}
			if warnings := strings.Join(info.Warnings, "\n"); (warnings != "") != (name == "vault over bao") || strings.Contains(warnings, "other") {
				t.Errorf("warnings are %q", warnings)
			}
		})
	}
}

// The version that signs is the one that was announced, whatever happens to the key in between.
func TestVersions(t *testing.T) {
	s := serve(t, "transit", "", "ecdsa-p256")
	first := publicKey(t, s, "1")
	env := []string{"VAULT_ADDR=" + s.URL, "VAULT_TOKEN=" + token, "VAULT_MAX_RETRIES=0"}
	running := start(t, env...)
	if info, err := running.Open(t.Context(), map[string]any{"key": "artifacts"}); err != nil || string(info.PublicKey) != first {
		t.Fatalf("announced %s, %v", info.PublicKey, err)
	}
	s.Write(t, "keys/artifacts/rotate", nil)
	second := publicKey(t, s, "2")
	for with, want := range map[any]string{1: first, "1": first, 2: second, "latest": second} {
		p := start(t, env...)
		info, err := p.Open(t.Context(), map[string]any{"key": "artifacts", "keyVersion": with})
		if err != nil || string(info.PublicKey) != want {
			t.Errorf("version %v: announced %s, %v", with, info.PublicKey, err)
		}
		if _, err := p.Sign(t.Context(), signertest.Request(signer.PayloadInToto, 1)); err != nil {
			t.Errorf("version %v: %v", with, err)
		}
	}
	// Sign checks the signature against the key that was announced.
	if _, err := running.Sign(t.Context(), signertest.Request(signer.PayloadInToto, 1)); err != nil {
		t.Errorf("after a rotation: %v", err)
	}
	s.Write(t, "keys/artifacts/config", map[string]any{"min_encryption_version": 2})
	if _, err := running.Sign(t.Context(), signertest.Request(signer.PayloadInToto, 1)); !errors.Is(err, signer.ErrInvalid) || !strings.Contains(err.Error(), "minimum encryption key version") {
		t.Errorf("a version that may not sign any more: %v", err)
	}
}

func TestOpenRefuses(t *testing.T) {
	s := serve(t, "transit", "", "ecdsa-p256")
	for name, data := range map[string]map[string]any{
		"aes":     {"type": "aes256-gcm96"},
		"hmac":    {"type": "hmac", "key_size": 32},
		"derived": {"type": "ed25519", "derived": true},
		"rotated": {"type": "ecdsa-p256"},
	} {
		s.Write(t, "keys/"+name, data)
	}
	s.Write(t, "keys/rotated/rotate", nil)
	s.Write(t, "keys/rotated/config", map[string]any{"min_encryption_version": 2})
	read := transit.Grant{Path: "transit/keys/artifacts", Capabilities: []string{"read"}}
	s.Allow("hvs.reader", read)
	s.Allow("hvs.nobody")
	tests := map[string]struct {
		token      string
		with       map[string]any
		class      error
		want, hint string
	}{
		"no such key":     {transit.RootToken, map[string]any{"key": "missing"}, signer.ErrInvalid, "read transit/keys/missing: invalid signer configuration: 404 not found", "vault write -f"},
		"no such mount":   {transit.RootToken, map[string]any{"key": "artifacts", "mount": "a/b"}, signer.ErrInvalid, "read a/b/keys/artifacts: invalid signer configuration: 404 no handler for route", "the mount"},
		"no such version": {transit.RootToken, map[string]any{"key": "artifacts", "keyVersion": 3}, signer.ErrInvalid, "there is no version 3; the latest is 1", "leave keyVersion out"},
		"retired version": {transit.RootToken, map[string]any{"key": "rotated", "keyVersion": 1}, signer.ErrInvalid, "version 1 may not sign: min_encryption_version is 2", ""},
		"symmetric":       {transit.RootToken, map[string]any{"key": "aes"}, signer.ErrInvalid, `key transit/keys/aes: invalid signer configuration: it is of type "aes256-gcm96", which Flux cannot verify`, "ecdsa-p256"},
		"hmac":            {transit.RootToken, map[string]any{"key": "hmac"}, signer.ErrInvalid, `it is of type "hmac"`, "ecdsa-p256"},
		"derived":         {transit.RootToken, map[string]any{"key": "derived"}, signer.ErrInvalid, "it is derived", "derived=true"},
		"may not read":    {"hvs.nobody", map[string]any{"key": "artifacts"}, signer.ErrDenied, "read transit/keys/artifacts: signer was denied: 403 permission denied", `path "transit/keys/artifacts" { capabilities = ["read"] }`},
		"may not sign":    {"hvs.reader", map[string]any{"key": "artifacts"}, signer.ErrDenied, "sign with transit/sign/artifacts/sha2-256: signer was denied: 403 permission denied", `path "transit/sign/artifacts/sha2-256" { capabilities = ["update"] }`},
		"unknown token":   {"hvs.unknown", map[string]any{"key": "artifacts"}, signer.ErrDenied, "read transit/keys/artifacts: signer was denied: 403 permission denied, invalid token", "has expired"},
		"no token":        {"", map[string]any{"key": "artifacts"}, signer.ErrDenied, "403 permission denied", "VAULT_TOKEN"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := start(t, "VAULT_ADDR="+s.URL, "VAULT_TOKEN="+tt.token).Open(t.Context(), tt.with)
			if !errors.Is(err, tt.class) || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("got  %v\nwant %s", err, tt.want)
			}
			var h interface{ Hint() string }
			if !errors.As(err, &h) || !strings.Contains(h.Hint(), tt.hint) {
				t.Errorf("the hint of %q does not say %q", err, tt.hint)
			}
		})
	}
}

// A token that ends in the middle of a run is a denial, not an outage.
func TestTokenEnds(t *testing.T) {
	s := serve(t, "transit", "", "ecdsa-p256")
	p := start(t, "VAULT_ADDR="+s.URL, "VAULT_TOKEN="+token)
	if _, err := p.Open(t.Context(), map[string]any{"key": "artifacts"}); err != nil {
		t.Fatal(err)
	}
	s.Revoke(token)
	if _, err := p.Sign(t.Context(), signertest.Request(signer.PayloadInToto, 1)); !errors.Is(err, signer.ErrDenied) {
		t.Errorf("got %v", err)
	}
}

// publicKey asks the engine for the public key of a version, in PEM.
func publicKey(t *testing.T, s *transit.Server, version string) string {
	t.Helper()
	text := s.Read(t, "keys/artifacts")["keys"].(map[string]map[string]any)[version]["public_key"].(string)
	if block, _ := pem.Decode([]byte(text)); block != nil {
		return string(pem.EncodeToMemory(block))
	}
	// Ed25519 keys come as base64: PKIX is a fixed header (RFC 8410) before the 32 bytes.
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	der := append([]byte{0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00}, raw...)
	if _, err := x509.ParsePKIXPublicKey(der); err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}
