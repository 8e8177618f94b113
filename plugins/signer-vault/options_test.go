package main

import (
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/artifactctl/artifactctl/plugins/signer"
)

func TestOptions(t *testing.T) {
	got, err := parseOptions(map[string]any{
		"key": "app.key_1", "mount": "/teams/a/transit/", "namespace": "prod/eu/", "keyVersion": 3, "address": "https://vault.example.com:8200", "tokenFile": "file:///run/token",
	})
	want := options{key: "app.key_1", mount: "teams/a/transit", namespace: "prod/eu", keyVersion: 3, address: "https://vault.example.com:8200", tokenFile: "/run/token"}
	if err != nil || got != want {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	write := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	tests := map[string]struct {
		with       map[string]any
		env        [2]string
		want, hint string
	}{
		"nothing":           {nil, [2]string{}, `option "key" is missing`, "with: {key: NAME}"},
		"misspelt":          {map[string]any{"kee": "a"}, [2]string{}, `unknown option "kee"`, `did you mean "key"?`},
		"other case":        {map[string]any{"keyversion": 1}, [2]string{}, `unknown option "keyversion"`, `did you mean "keyVersion"?`},
		"shortened":         {map[string]any{"token": "a"}, [2]string{}, `unknown option "token"`, `did you mean "tokenFile"?`},
		"unknown":           {map[string]any{"role": "a"}, [2]string{}, `unknown option "role"`, "the options are: key, mount"},
		"number":            {map[string]any{"key": 1}, [2]string{}, `option "key" must be a text`, ""},
		"empty":             {map[string]any{"key": ""}, [2]string{}, `option "key" must be a text`, ""},
		"cosign's form":     {map[string]any{"key": "hashivault://app"}, [2]string{}, `"hashivault://app" is no name of a transit key`, "key: app"},
		"path for key":      {map[string]any{"key": "../sys/seal"}, [2]string{}, "is no name of a transit key", "the option mount"},
		"climbing mount":    {map[string]any{"key": "a", "mount": "a/../b"}, [2]string{}, `option "mount": "a/../b" is no path`, ""},
		"empty mount":       {map[string]any{"key": "a", "mount": "/"}, [2]string{}, `option "mount": "" is no path`, ""},
		"query in mount":    {map[string]any{"key": "a", "mount": "a?b"}, [2]string{}, `option "mount"`, ""},
		"namespace":         {map[string]any{"key": "a", "namespace": "a b"}, [2]string{}, `option "namespace"`, ""},
		"version 0":         {map[string]any{"key": "a", "keyVersion": 0}, [2]string{}, `option "keyVersion" must be a number from 1`, ""},
		"half a version":    {map[string]any{"key": "a", "keyVersion": 1.5}, [2]string{}, `option "keyVersion" must be a number from 1`, ""},
		"no address":        {map[string]any{"key": "a"}, [2]string{"VAULT_ADDR", ""}, "the address of the server is not given", "VAULT_ADDR"},
		"bad address":       {map[string]any{"key": "a", "address": "vault:8200"}, [2]string{}, `option "address" is no address of a server`, "https://"},
		"bad variable":      {map[string]any{"key": "a"}, [2]string{"VAULT_ADDR", "ftp://x"}, "variable VAULT_ADDR is no address", "https://"},
		"secret in address": {map[string]any{"key": "a", "address": "https://u:hvs.s3cret-token@vault"}, [2]string{}, "holds a user or password", "VAULT_TOKEN"},
		"secret in proxy":   {map[string]any{"key": "a"}, [2]string{"VAULT_PROXY_ADDR", "http://u:hvs.s3cret-token@proxy:port"}, "not a URL", ""},
		"bad retries":       {map[string]any{"key": "a"}, [2]string{"VAULT_MAX_RETRIES", "many"}, `"many"`, "under `env`"},
		"no token file":     {map[string]any{"key": "a", "tokenFile": "none"}, [2]string{}, `option "tokenFile": open none: no such file`, "directory of publish.yaml"},
		"empty token file":  {map[string]any{"key": "a", "tokenFile": write("empty", "\n")}, [2]string{}, `option "tokenFile": the file is empty`, ""},
		"not a token":       {map[string]any{"key": "a", "tokenFile": write("json", "{\n}")}, [2]string{}, "the file does not hold a token", ""},
		"token variable":    {map[string]any{"key": "a"}, [2]string{"VAULT_TOKEN_FILE", "none"}, "variable VAULT_TOKEN_FILE: open none", ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			f.fault = func(_ http.ResponseWriter, r *http.Request, _ int64) bool {
				t.Errorf("the server was asked for %s", r.URL)
				return false
			}
			if name == "token variable" {
				t.Setenv("VAULT_TOKEN", "")
			}
			if tt.env[0] != "" {
				t.Setenv(tt.env[0], tt.env[1])
			}
			_, err := (&vaultSigner{}).Open(t.Context(), tt.with)
			check(t, err, signer.ErrInvalid, tt.want, tt.hint)
		})
	}
}

// Keys that the engine of test/transit cannot make: those of Vault Enterprise and OpenBao, and nonsense.
func TestKeysRefused(t *testing.T) {
	const good = `"latest_version": 1, "supports_signing": true, "keys": {"1": {"public_key": "x"}}`
	tests := map[string]struct{ answer, want string }{
		"post-quantum":  {`{"type": "ml-dsa", ` + good + `}`, "it is of type ml-dsa: Flux and cosign verify no post-quantum signatures"},
		"hybrid":        {`{"type": "hybrid", ` + good + `}`, "post-quantum"},
		"managed":       {`{"type": "managed_key", ` + good + `}`, "it is a managed key"},
		"deleted":       {`{"type": "ecdsa-p256", "soft_deleted": true, ` + good + `}`, "it is deleted"},
		"cannot sign":   {`{"type": "rsa-2048"}`, "the server says that it cannot sign"},
		"no public key": {`{"type": "ecdsa-p256", ` + good + `}`, "public key of version 1: it is neither PEM nor an Ed25519 key"},
		"numbers":       {`{"type": "ed25519", "latest_version": 1, "supports_signing": true, "keys": {"1": 1700000000}}`, "neither PEM"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			f.fault = always("/keys/", text(200, `{"data": `+tt.answer+`}`))
			_, err := (&vaultSigner{}).Open(t.Context(), map[string]any{"key": "artifacts"})
			check(t, err, nil, "key transit/keys/artifacts: ", "")
			check(t, err, nil, tt.want, "")
		})
	}
}

// Of the request, everything that is configured arrives; of the token file, a warning if anybody may read it.
func TestWhatIsSent(t *testing.T) {
	f := prepareFake(t)
	f.StartTLS()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	file := filepath.Join(t.TempDir(), "token")
	der := f.Certificate().Raw
	if _, err := x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(testToken+"\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(file, 0o644); err != nil {
		t.Fatal(err)
	}
	t.Setenv("VAULT_TOKEN", "")
	t.Setenv("VAULT_NAMESPACE", "other")
	t.Setenv("VAULT_CACERT", "") // so that what follows is undone
	t.Setenv("BAO_CACERT", ca)
	t.Setenv("VAULT_TOKEN_FILE", "")
	t.Setenv("BAO_TOKEN_FILE", file)
	f.fault = func(_ http.ResponseWriter, r *http.Request, _ int64) bool {
		if r.Header.Get("X-Vault-Token") != testToken || r.Header.Get("X-Vault-Namespace") != "prod/eu" {
			t.Errorf("headers are %v", r.Header)
		}
		if !strings.HasPrefix(r.URL.Path, "/v1/a/b/") {
			t.Errorf("path is %s", r.URL.Path)
		}
		return false
	}
	info, err := (&vaultSigner{}).Open(t.Context(), map[string]any{"key": "artifacts", "mount": "a/b", "namespace": "prod/eu", "address": f.URL})
	if err != nil {
		t.Fatal(err)
	}
	if want := "variable VAULT_TOKEN_FILE: every user may read or change the token (mode 0644)"; strings.Join(info.Warnings, "\n") != want {
		t.Errorf("warnings are %q", info.Warnings)
	}
	if info.Algorithm != "ecdsa-p256-sha256" || !strings.HasPrefix(info.Identity, "sha256:") || info.Name != "signer-vault" || info.Version == "" {
		t.Errorf("info is %+v", info)
	}
}
