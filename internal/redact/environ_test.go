package redact

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestFromEnviron(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "signing")
	if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	const pem = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIA\n-----END PRIVATE KEY-----"
	const docker = `{"auths":{"ghcr.io":{"auth":"dXNlcjpwYXNz","username":"robot"}}}`
	tests := []struct {
		name, value string
		want        []string
	}{
		{"COSIGN_PASSWORD", "hunter2!", []string{"hunter2!"}},
		{"COSIGN_PASSWORD", "cosign.key", []string{"cosign.key"}}, // a password may look like anything
		{"COSIGN_PASSWORD", "/etc/passwd", []string{"/etc/passwd"}},
		{"COSIGN_PASSWORD", "abc", nil},
		{"COSIGN_PASSWORD", "", nil},
		{"VAULT_TOKEN", "hvs.CAESIJ", []string{"hvs.CAESIJ"}},
		{"VAULT_TOKEN", "  hvs.CAESIJ\n", []string{"hvs.CAESIJ"}},
		{"VAULT_SECRET_ID", "6a174c20", []string{"6a174c20"}},
		{"VAULT_ROLE_ID", "6a174c20", nil},
		{"VAULT_ADDR", "https://vault.example.com:8200", nil},
		{"VAULT_NAMESPACE", "team", nil},
		{"VAULT_TOKEN_FILE", "/run/secrets/vault", nil},
		{"AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE", nil},
		{"AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG", []string{"wJalrXUtnFEMI/K7MDENG"}},
		{"AWS_REGION", "eu-central-1", nil},
		{"ACTIONS_ID_TOKEN_REQUEST_URL", "https://run.example.com/token?api-version=2", nil},
		{"ACTIONS_ID_TOKEN_REQUEST_TOKEN", "eyJhbGciOi", []string{"eyJhbGciOi"}},
		{"COSIGN_KEY", pem, []string{pem}},
		{"COSIGN_KEY", "cosign.key", nil},
		{"COSIGN_KEY", file, nil},
		{"COSIGN_KEY", file + "-missing", []string{file + "-missing"}},
		{"COSIGN_KEY", "awskms:///alias/artifacts", nil},
		{"COSIGN_KEY", "/9j/4AAQSkZJRgABAQ", []string{"/9j/4AAQSkZJRgABAQ"}}, // base64, not a path
		{"COSIGN_KEY", "-----BEGIN PUBLIC KEY-----\nMCow", nil},
		{"COSIGN_PUBLIC_KEY", "MCowBQYDK2VwAyEA", nil},
		{"GITEA_APIKEY", "0123456789", []string{"0123456789"}},
		{"DB_PASS", "letmein", []string{"letmein"}},
		{"COMPASS", "letmein", nil},
		{"AUTHOR", "somebody", nil},
		{"SIGN_AUTH", "true", nil},
		{"GOOGLE_APPLICATION_CREDENTIALS", "gcp-sa.json", nil},
		{"HTTPS_PROXY", "http://robot:p%40ss@proxy:3128", []string{"p@ss"}},
		{"GIT_REMOTE", "https://ghp_0123456789@github.com/org/fleet", []string{"ghp_0123456789"}},
		{"GIT_REMOTE", "ssh://deploy@github.com/org/fleet", nil},
		{"SAS", "https://account.blob.example.net/c?sig=abcd1234&sv=1", []string{"abcd1234"}},
		{"DOCKER_AUTH_CONFIG", docker, []string{"dXNlcjpwYXNz", docker}},
		{"DOCKER_CONFIG", "/home/ci/.docker", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name+"="+tt.value, func(t *testing.T) {
			lookup := func(name string) (string, bool) { return tt.value, name == tt.name }
			got := FromEnviron([]string{"UNSET_TOKEN", tt.name}, lookup)
			if !slices.Equal(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
