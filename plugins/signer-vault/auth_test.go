package main

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/artifactctl/artifactctl/plugins/signer"
	"github.com/artifactctl/artifactctl/plugins/signer/signertest"
)

// Secrets of these tests, none of which may be shown.
const (
	testSecretID = "5f0d0e5e-secret-id"
	testBearer   = "bearer-of-the-job"
	testLogin    = "hvs.obtained-token"
)

// testJWT is one whose claims can be read. Nobody here looks at its signature.
func testJWT() string {
	part := func(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }
	return part(`{"alg":"ES256"}`) + "." + part(`{"iss":"https://ci.example.com","sub":"fleet","aud":"vault","exp":4000000000}`) + ".c2lnbmF0dXJl"
}

func TestAuthOptions(t *testing.T) {
	got, err := parseOptions(map[string]any{"key": "a", "auth": map[string]any{
		"method": "approle", "mount": "/auth/teams/a/", "namespace": "admin/", "roleID": "1-2-3", "secretID": "env://SECRET", "wrapped": true,
	}})
	want := authOptions{
		method: "approle", mount: "teams/a", namespace: "admin", wrapped: true,
		roleID: source{what: "role id", literal: "1-2-3"}, secretID: source{what: "secret id", env: "SECRET"},
	}
	if err != nil || got.auth != want {
		t.Errorf("got %+v, %v", got.auth, err)
	}
	for method, want := range map[string]authOptions{
		"approle":    {method: "approle", mount: "approle", roleID: source{what: "role id", env: "VAULT_ROLE_ID"}},
		"jwt":        {method: "jwt", mount: "jwt", role: "r"},
		"kubernetes": {method: "kubernetes", mount: "kubernetes", role: "r", jwt: source{what: "service account token", file: serviceAccountToken}},
		"cert":       {method: "cert", mount: "cert", role: "r"},
	} {
		block := map[string]any{"method": method, "role": "r"}
		if method == "approle" {
			delete(block, "role")
		}
		if got, err := parseAuth(block); err != nil || got != want {
			t.Errorf("%s: got %+v, %v", method, got, err)
		}
	}
}

func TestAuthRefused(t *testing.T) {
	block := func(pairs ...any) map[string]any {
		m := map[string]any{}
		for i := 0; i < len(pairs); i += 2 {
			m[pairs[i].(string)] = pairs[i+1]
		}
		return m
	}
	tests := map[string]struct {
		auth       any
		env        string // NAME=value
		want, hint string
	}{
		"no block":          {"approle", "", `option "auth" must be a block of options`, "auth: {method: approle"},
		"no method":         {block(), "", `option "auth.method" must name one of the methods`, "approle, jwt, kubernetes, cert, token"},
		"other method":      {block("method", "ldap"), "", `option "auth.method" must name one`, "the methods are"},
		"misspelt":          {block("method", "jwt", "rolee", "ci"), "", `option "auth": invalid signer configuration: unknown option "rolee"`, `did you mean "role"?`},
		"other's option":    {block("method", "jwt", "secretID", "env://X"), "", `option "auth.secretID" does not belong to the method jwt`, "method, mount, namespace, role, jwt, audience"},
		"not a text":        {block("method", "jwt", "role", 1), "", `option "auth.role" must be a text that is not empty`, ""},
		"empty":             {block("method", "jwt", "role", " "), "", `option "auth.role" must be a text that is not empty`, ""},
		"not a bool":        {block("method", "approle", "wrapped", "yes"), "", `option "auth.wrapped" must be true or false`, ""},
		"secret in it":      {block("method", "approle", "secretID", testSecretID), "", `option "auth.secretID" does not say where the secret id is`, "hold no secrets"},
		"JWT in it":         {block("method", "jwt", "jwt", testJWT()), "", `option "auth.jwt" does not say where the JWT is`, "env://NAME or file://PATH"},
		"token in it":       {block("method", "token", "token", testToken), "", `option "auth.token" does not say where the token is`, "env://NAME"},
		"empty place":       {block("method", "jwt", "jwt", "env://"), "", `option "auth.jwt" does not say where`, ""},
		"other place":       {block("method", "approle", "roleID", "k8s://ns/secret"), "", `option "auth.roleID" does not say where the role id is`, ""},
		"climbing mount":    {block("method", "jwt", "mount", "../sys"), "", `option "auth.mount"`, ""},
		"no role":           {block("method", "kubernetes"), "", `option "auth.role" is missing`, "bound to this service account"},
		"audience of a jwt": {block("method", "jwt", "audience", "x", "jwt", "env://X"), "", `option "auth.audience" is only for the tokens that the plugin asks GitHub for`, ""},
		"wrapped nothing":   {block("method", "approle", "wrapped", true), "", `option "auth.wrapped" needs the option "auth.secretID"`, ""},
		"no role id":        {block("method", "approle"), "", "log in at auth/approle/login: invalid signer configuration: variable VAULT_ROLE_ID, which should hold the role id, is not set", "list it under `env`"},
		"no such file":      {block("method", "approle", "roleID", "x", "secretID", "file://none"), "", "the secret id: open none: no such file", "directory of publish.yaml"},
		"two lines":         {block("method", "approle", "roleID", "x"), "VAULT_SECRET_ID=" + testSecretID + "\n" + testSecretID, "variable VAULT_SECRET_ID does not hold a secret id", ""},
		"no certificate":    {block("method", "cert"), "", "VAULT_CLIENT_CERT and VAULT_CLIENT_KEY are not both set", "list them under `env`"},
		"half of GitHub":    {block("method", "jwt"), githubURL + "=https://x", "VAULT_ID_TOKEN is not set, ACTIONS_ID_TOKEN_REQUEST_TOKEN is not set", "id-token: write"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			isolate(t)
			f.fault = func(_ http.ResponseWriter, r *http.Request, _ int64) bool {
				t.Errorf("the server was asked for %s", r.URL)
				return false
			}
			if name, value, ok := strings.Cut(tt.env, "="); ok {
				t.Setenv(name, value)
			}
			_, err := (&vaultSigner{}).Open(t.Context(), map[string]any{"key": "artifacts", "auth": tt.auth})
			check(t, err, signer.ErrInvalid, tt.want, tt.hint)
			silent(t, err)
		})
	}
	newFake(t)
	_, err := (&vaultSigner{}).Open(t.Context(), map[string]any{"key": "a", "tokenFile": "x", "auth": block("method", "cert")})
	check(t, err, signer.ErrInvalid, `options "tokenFile" and "auth" both say where the token comes from`, "")
}

// isolate removes what a CI system may have set.
func isolate(t *testing.T) {
	t.Helper()
	t.Setenv(githubURL, "")
	t.Setenv(githubToken, "")
	t.Setenv("HOME", t.TempDir())
}

// silent checks that an error shows none of the secrets.
func silent(t *testing.T, err error) {
	t.Helper()
	text := fmt.Sprint(err)
	var h interface{ Hint() string }
	if errors.As(err, &h) {
		text += h.Hint()
	}
	for _, secret := range []string{testSecretID, testBearer, testLogin, testJWT(), testToken} {
		if strings.Contains(text, secret) || strings.Contains(text, base64.StdEncoding.EncodeToString([]byte(secret))) {
			t.Errorf("a secret is shown: %s", text)
		}
	}
}

// loginTo makes the fake answer logins, and what is asked about tokens; the rest is up to it.
func loginTo(f *fake, answer func(w http.ResponseWriter, r *http.Request)) {
	f.fault = func(w http.ResponseWriter, r *http.Request, _ int64) bool {
		if !strings.Contains(r.URL.Path, "/auth/") && !strings.Contains(r.URL.Path, "/sys/") {
			return false
		}
		answer(w, r)
		return true
	}
}

// token answers with a token.
func token(w http.ResponseWriter, _ *http.Request) {
	text(200, `{"auth": {"client_token": "`+testLogin+`", "lease_duration": 3600, "renewable": true}}`)(w)
}

// Answers to a login that the real methods do not give at will, and those that repeat what was sent.
func TestLoginFaults(t *testing.T) {
	echo := "what is " + testSecretID + ", or " + base64.StdEncoding.EncodeToString([]byte(testSecretID)) + "?"
	tests := map[string]struct {
		answer     func(http.ResponseWriter)
		class      error
		want, hint string
	}{
		"sealed":         {errs(503, "Vault is sealed"), signer.ErrUnavailable, "503 Vault is sealed", "unsealed"},
		"internal":       {errs(500, "internal error"), signer.ErrUnavailable, "500 internal error", ""},
		"too many":       {errs(429, "rate limit quota exceeded"), signer.ErrUnavailable, "429 rate limit", ""},
		"locked out":     {errs(403, "permission denied"), signer.ErrDenied, "403 permission denied", "or is the method not mounted at auth/approle?"},
		"echoed":         {errs(400, echo), signer.ErrDenied, "400 what is ***, or ***?", "secret_id_num_uses"},
		"no handler":     {errs(404, `no handler for route "auth/approle/login". route entry not found.`), signer.ErrInvalid, "404 no handler", "vault auth list"},
		"not configured": {errs(400, "could not load configuration"), signer.ErrInvalid, "400 could not load configuration", "vault write auth/approle/config"},
		"older vault":    {errs(400, "missing client token"), signer.ErrInvalid, "400 missing client token", "vault auth list"},
		"login page":     {text(200, "<html>"+testSecretID), signer.ErrInvalid, "the answer is not one of Vault", "address"},
		"proxy":          {text(403, "<html>"+testSecretID), signer.ErrDenied, "403 forbidden", ""},
		"no token":       {text(200, `{"auth": {"client_token": ""}}`), signer.ErrInvalid, "not one of Vault", ""},
		"no auth":        {text(200, `{"data": {"x": 1}}`), signer.ErrInvalid, "not one of Vault", ""},
		"empty":          {text(204, ""), signer.ErrUnavailable, "the answer is empty", ""},
		"second factor":  {text(200, `{"auth": {"client_token": "", "mfa_requirement": {"mfa_request_id": "1"}}}`), signer.ErrDenied, "asks for a second factor", "exempt"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			t.Setenv("VAULT_SECRET_ID", testSecretID)
			loginTo(f, func(w http.ResponseWriter, r *http.Request) {
				if r.Header.Get("X-Vault-Token") != "" {
					t.Error("a login carries a token")
				}
				tt.answer(w)
			})
			_, err := (&vaultSigner{}).Open(t.Context(), map[string]any{"key": "artifacts", "auth": map[string]any{"method": "approle", "roleID": "r"}})
			check(t, err, tt.class, "log in at auth/approle/login: ", tt.hint)
			check(t, err, tt.class, tt.want, "")
			silent(t, err)
		})
	}
}

// In mid-run the login may fail for reasons that pass: the host hears that it may try again.
func TestLoginAgainUnavailable(t *testing.T) {
	f := newFake(t)
	t.Setenv("VAULT_SECRET_ID", testSecretID)
	loginTo(f, token)
	s := &vaultSigner{}
	if _, err := s.Open(t.Context(), map[string]any{"key": "artifacts", "auth": map[string]any{"method": "approle", "roleID": "r"}}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	f.fault = func(w http.ResponseWriter, r *http.Request, _ int64) bool {
		if strings.Contains(r.URL.Path, "/auth/") {
			errs(503, "Vault is sealed, "+testSecretID)(w)
		} else {
			errs(403, "permission denied", invalidToken, testLogin)(w)
		}
		return true
	}
	_, err := s.Sign(t.Context(), signertest.Request(signer.PayloadInToto, 1))
	check(t, err, signer.ErrUnavailable, "sign with transit/sign/artifacts/sha2-256: 403 permission denied; invalid token; ***; then log in at auth/approle/login: signer backend unavailable: 503 Vault is sealed, ***", "unsealed")
	silent(t, err)
}
