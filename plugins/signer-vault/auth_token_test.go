package main

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/artifactctl/artifactctl/plugins/signer"
)

// `vault login` leaves a token in the home directory; it is the last place to look at.
func TestTokenOfVaultLogin(t *testing.T) {
	tests := map[string]struct {
		content *string
		env     string
		sent    string
		want    string // error
	}{
		"there":    {ptr(testToken), "", testToken, ""},
		"variable": {ptr("other"), testToken, testToken, ""},
		"none":     {nil, "", "", ""},
		"empty":    {ptr(""), "", "", ""},
		"rubbish":  {ptr("two words"), "", "", "~/.vault-token: the file does not hold a token"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			isolate(t)
			t.Setenv("VAULT_TOKEN", tt.env)
			if tt.content != nil {
				if err := os.WriteFile(filepath.Join(os.Getenv("HOME"), ".vault-token"), []byte(*tt.content), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			f.fault = func(_ http.ResponseWriter, r *http.Request, _ int64) bool {
				if got := r.Header.Get("X-Vault-Token"); got != tt.sent {
					t.Errorf("the token is %q", got)
				}
				return false
			}
			_, err := (&vaultSigner{}).Open(t.Context(), map[string]any{"key": "artifacts"})
			if tt.want != "" {
				check(t, err, signer.ErrInvalid, tt.want, "")
			} else if err != nil {
				t.Error(err)
			}
		})
	}
}

func ptr(s string) *string { return &s }

func TestInsecureWarnings(t *testing.T) {
	tests := map[string]struct {
		address, skip string
		want          string
	}{
		"https":            {"https://vault.example.com:8200", "", ""},
		"loopback":         {"http://127.0.0.1:8200", "", ""},
		"loopback 6":       {"http://[::1]:8200", "", ""},
		"localhost":        {"http://localhost:8200", "true", ""},
		"socket":           {"unix:///run/agent.sock", "true", ""},
		"http":             {"http://vault.example.com:8200", "", "is http, not https"},
		"not verified":     {"https://vault.example.com:8200", "true", "VAULT_SKIP_VERIFY is set"},
		"not verified (1)": {"https://127.0.0.1:8200", "1", "VAULT_SKIP_VERIFY is set"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			prepareFake(t)
			t.Setenv("VAULT_SKIP_VERIFY", tt.skip)
			_, warnings, err := connect(t.Context(), options{address: tt.address})
			if got := strings.Join(warnings, "\n"); err != nil || (got != "") != (tt.want != "") || !strings.Contains(got, tt.want) {
				t.Errorf("warnings are %q, %v", got, err)
			}
		})
	}
}

// A secret id that everybody may read is worth a warning.
func TestExposedSecretID(t *testing.T) {
	f := newFake(t)
	loginTo(f, token)
	path := filepath.Join(t.TempDir(), "secret-id")
	if err := os.WriteFile(path, []byte(testSecretID), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	s := &vaultSigner{}
	info, err := s.Open(t.Context(), map[string]any{"key": "artifacts", "auth": map[string]any{"method": "approle", "roleID": "r", "secretID": "file://" + path}})
	if want := `option "auth.secretID": every user may read or change the secret id (mode 0644)`; err != nil || strings.Join(info.Warnings, "\n") != want {
		t.Errorf("warnings are %q, %v", info.Warnings, err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}
