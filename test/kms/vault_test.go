package kms_test

import (
	"testing"

	"github.com/artifactctl/artifactctl/plugins/signer"
	"github.com/artifactctl/artifactctl/test/transit"
)

// vaultToken may do what a signer needs, on the key "artifacts" alone.
const vaultToken = "hvs.token-that-must-not-be-shown"

// sealedPassword is what the program sigstore-kms-sealed gets.
const sealedPassword = "open-sesame-and-tell-nobody"

func newVault(t *testing.T, mount, keyType string) (*transit.Server, []string) {
	t.Helper()
	s := transit.Start(t, mount, "")
	s.Write(t, "keys/artifacts", map[string]any{"type": keyType})
	sign := mount + "/sign/artifacts"
	if keyType != "ed25519" {
		sign += "/sha2-256"
	}
	s.Allow(vaultToken, transit.Grant{Path: mount + "/keys/artifacts", Capabilities: []string{"read"}},
		transit.Grant{Path: sign, Capabilities: []string{"update"}})
	return s, []string{"VAULT_ADDR=" + s.URL, "VAULT_TOKEN=" + vaultToken}
}

func vaultKey() map[string]any { return map[string]any{"key": "hashivault://artifacts"} }

// All types, the larger curves and Ed25519 included, which cosign cannot use there.
func TestVaultConformance(t *testing.T) {
	for keyType, algorithm := range map[string]string{
		"ecdsa-p256": "ecdsa-p256-sha256", "ecdsa-p384": "ecdsa-p384-sha256", "ecdsa-p521": "ecdsa-p521-sha256",
		"rsa-2048": "rsa-pkcs1v15-2048-sha256", "rsa-3072": "rsa-pkcs1v15-3072-sha256", "rsa-4096": "rsa-pkcs1v15-4096-sha256", "ed25519": "ed25519",
	} {
		t.Run(keyType, func(t *testing.T) {
			_, env := newVault(t, "transit", keyType)
			conform(t, env, vaultKey(), algorithm)
		})
	}
	t.Run("openbao", func(t *testing.T) {
		s, _ := newVault(t, "team/transit", "ecdsa-p256")
		env := []string{"BAO_ADDR=" + s.URL, "BAO_TOKEN=" + vaultToken, "TRANSIT_SECRET_ENGINE_PATH=team/transit"}
		conform(t, env, map[string]any{"key": "openbao://artifacts"}, "ecdsa-p256-sha256")
	})
}

// The version that signed when the signer was opened signs the whole run.
func TestVaultVersions(t *testing.T) {
	s, env := newVault(t, "transit", "ecdsa-p256")
	running := start(t, env...)
	if _, err := running.Open(t.Context(), vaultKey()); err != nil {
		t.Fatal(err)
	}
	s.Write(t, "keys/artifacts/rotate", nil)
	if _, err := running.Sign(t.Context(), request()); err != nil {
		t.Errorf("after a rotation: %v", err)
	}
	for _, version := range []any{2, "2", "latest"} {
		if _, err := start(t, env...).Open(t.Context(), map[string]any{"key": "hashivault://artifacts", "keyVersion": version}); err != nil {
			t.Errorf("version %v: %v", version, err)
		}
	}
	_, err := start(t, env...).Open(t.Context(), map[string]any{"key": "hashivault://artifacts", "keyVersion": 1})
	want(t, err, signer.ErrInvalid, "its signature does not verify with the public key that the service shows", "signer-vault")
	_, err = start(t, env...).Open(t.Context(), map[string]any{"key": "hashivault://artifacts", "keyVersion": 7})
	want(t, err, signer.ErrInvalid, "requested version for signing is higher", "keyVersion")
	s.Write(t, "keys/artifacts/config", map[string]any{"min_encryption_version": 2})
	_, err = running.Sign(t.Context(), request())
	want(t, err, signer.ErrInvalid, "requested version for signing", "retired")
}

func TestVaultOpenRefuses(t *testing.T) {
	s, env := newVault(t, "transit", "ecdsa-p256")
	s.Write(t, "keys/aes", map[string]any{"type": "aes256-gcm96"})
	s.Allow("hvs.reader", transit.Grant{Path: "transit/keys/artifacts", Capabilities: []string{"read"}})
	address := "VAULT_ADDR=" + s.URL
	tests := map[string]struct {
		with       map[string]any
		env        []string
		class      error
		text, hint string
	}{
		"missing":      {map[string]any{"key": "hashivault://other"}, []string{address, "VAULT_TOKEN=" + transit.RootToken}, signer.ErrInvalid, "there is no such key", "TRANSIT_SECRET_ENGINE_PATH"},
		"encryption":   {map[string]any{"key": "hashivault://aes"}, []string{address, "VAULT_TOKEN=" + transit.RootToken}, signer.ErrInvalid, "the key is not for signing", "ecdsa-p256"},
		"may not sign": {vaultKey(), []string{address, "VAULT_TOKEN=hvs.reader"}, signer.ErrDenied, "permission denied", "MOUNT/sign/KEY"},
		"bad token":    {vaultKey(), []string{address, "VAULT_TOKEN=hvs.unknown"}, signer.ErrDenied, "permission denied", "expired"},
		"no token":     {vaultKey(), []string{address, "HOME=" + t.TempDir()}, signer.ErrDenied, "no token was found", "VAULT_TOKEN"},
		"no address":   {vaultKey(), nil, signer.ErrInvalid, "neither VAULT_ADDR nor BAO_ADDR is set", "VAULT_ADDR"},
		"no server":    {vaultKey(), []string{"VAULT_ADDR=http://127.0.0.1:1", env[1]}, signer.ErrUnavailable, "connection refused", ""},
		"bad address":  {vaultKey(), []string{"VAULT_ADDR=http://user:" + sealedPassword + "@%zz", env[1]}, signer.ErrInvalid, "the client cannot be set up", "VAULT_ADDR"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := start(t, tt.env...).Open(t.Context(), tt.with)
			want(t, err, tt.class, tt.text, tt.hint)
		})
	}
}
