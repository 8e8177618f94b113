package transit_test

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/artifactctl/artifactctl/test/transit"
)

// secret is a token whose encoded forms all look different.
const secret = `hvs.must-not"be<shown>/+=%&~`

// Whatever happens, and however much is logged, the token is in nothing that is printed or stored, in no form.
func TestNoSecretIsShown(t *testing.T) {
	revoked := func(s *transit.Server) func(http.ResponseWriter, *http.Request) bool {
		var signs atomic.Int64 // the first is the probe
		return func(_ http.ResponseWriter, r *http.Request) bool {
			if strings.Contains(r.URL.Path, "/sign/") && signs.Add(1) > 1 {
				s.Revoke(secret)
			}
			return false
		}
	}
	answer := func(status int, body func(r *http.Request) string) func(*transit.Server) func(http.ResponseWriter, *http.Request) bool {
		return func(*transit.Server) func(http.ResponseWriter, *http.Request) bool {
			return func(w http.ResponseWriter, r *http.Request) bool {
				w.WriteHeader(status)
				_, _ = io.WriteString(w, body(r))
				return true
			}
		}
	}
	tests := map[string]struct {
		rules []transit.Grant // nil: all that is needed
		front func(*transit.Server) func(http.ResponseWriter, *http.Request) bool
		code  int
		want  string
	}{
		"all is well":     {nil, nil, 0, ""},
		"forbidden":       {[]transit.Grant{}, nil, 3, `path "transit/keys/artifacts" { capabilities = ["read"] }`},
		"expired mid-run": {nil, revoked, 1, "the token has expired"},
		"sealed": {nil, answer(503, func(*http.Request) string { return `{"errors": ["Vault is sealed"]}` }), 3,
			"read transit/keys/artifacts: signer backend unavailable: 503 Vault is sealed"},
		"echo": {nil, answer(400, func(r *http.Request) string {
			text, err := json.Marshal(map[string]any{"errors": []string{fmt.Sprint(r.Header), r.Header.Get("X-Vault-Token")}})
			return fmt.Sprintf("%s%v", text, err)
		}), 3, "***"},
		"echo of a proxy": {nil, answer(502, func(r *http.Request) string { return fmt.Sprint("<html>", r.Header) }), 3, "502 bad gateway"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := serve(t, "transit", "", "ecdsa-p256")
			rules := tt.rules
			if rules == nil {
				rules = []transit.Grant{{Path: "transit/keys/artifacts", Capabilities: []string{"read"}}, {Path: "transit/sign/artifacts/sha2-256", Capabilities: []string{"update"}}}
			}
			s.Allow(secret, rules...)
			vault := s.URL
			if tt.front != nil {
				vault = inFront(t, s, tt.front(s))
			}
			fleet, stored := newFleet(t, s, "both"), filepath.Join(t.TempDir(), "registry")
			code, output := runWith(t, vault, secret, fleet, "oci-layout:"+stored, "--log-level", "debug")
			if code != tt.code || !strings.Contains(output, tt.want) {
				t.Errorf("exit status %d, want %d and %q\n%s", code, tt.code, tt.want, output)
			}
			if !strings.Contains(output, "signer.vault") {
				t.Errorf("nothing of the signer was logged:\n%s", output)
			}
			search(t, "the output", []byte(output))
			searchFiles(t, stored, code == 0)
			searchFiles(t, fleet.Dir, true)
		})
	}
}

// search looks for the secret in any form.
func search(t *testing.T, where string, text []byte) {
	t.Helper()
	quoted, err := json.Marshal(secret)
	if err != nil {
		t.Fatal(err)
	}
	raw := []byte(secret)
	for form, needle := range map[string]string{
		"plain": secret, "JSON": strings.Trim(string(quoted), `"`), "Go": strings.Trim(fmt.Sprintf("%q", secret), `"`),
		"query": url.QueryEscape(secret), "path": url.PathEscape(secret), "hex": hex.EncodeToString(raw),
		"base64": base64.RawStdEncoding.EncodeToString(raw), "base64url": base64.RawURLEncoding.EncodeToString(raw),
	} {
		if bytes.Contains(text, []byte(needle)) {
			t.Errorf("%s holds the token (%s)", where, form)
		}
	}
}

// searchFiles looks into all files below dir, and into what they hold if they are compressed.
func searchFiles(t *testing.T, dir string, must bool) {
	t.Helper()
	found := 0
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		found++
		search(t, path, text)
		if z, err := gzip.NewReader(bytes.NewReader(text)); err == nil {
			plain, err := io.ReadAll(z)
			search(t, path, plain)
			return err
		}
		return nil
	})
	if must && (err != nil || found == 0) {
		t.Errorf("looked into %d files of %s, %v", found, dir, err)
	}
}
