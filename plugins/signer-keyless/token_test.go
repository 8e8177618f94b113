package main

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/artifactctl/artifactctl/plugins/signer"
)

func TestTokenSources(t *testing.T) {
	clean(t)
	github := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer request" || r.URL.Query().Get("audience") != "sigstore" || r.URL.Query().Get("api-version") != "2" {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		fmt.Fprintf(w, `{"value": %q}`, jwt(4*time.Hour))
	}))
	t.Cleanup(github.Close)
	path := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(path, []byte(jwt(2*time.Hour)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		options options
		env     map[string]string
		hours   int // by which the token can be told
	}{
		"variable":         {options{}, map[string]string{defaultToken: jwt(time.Hour)}, 1},
		"file":             {options{tokenFile: path}, map[string]string{defaultToken: jwt(time.Hour)}, 2},
		"own variable":     {options{tokenEnv: "MY_TOKEN"}, map[string]string{defaultToken: jwt(time.Hour), "MY_TOKEN": jwt(3 * time.Hour)}, 3},
		"GitHub":           {options{}, map[string]string{githubURL: github.URL + "/?api-version=2", githubToken: "request"}, 4},
		"variable, GitHub": {options{}, map[string]string{defaultToken: jwt(time.Hour), githubURL: github.URL, githubToken: "request"}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			for k, v := range c.env {
				t.Setenv(k, v)
			}
			source, err := findToken(nowhere(t), withAudience(c.options), newNetwork())
			if err != nil {
				t.Fatal(err)
			}
			got, err := source.fetch(t.Context(), time.Now(), defaultAudience)
			if err != nil {
				t.Fatal(err)
			}
			if left := time.Until(got.expires).Round(time.Hour); left != time.Duration(c.hours)*time.Hour || got.subject != "ci" || got.audiences[0] != "sigstore" {
				t.Errorf("%+v is the wrong token", got)
			}
		})
	}
	t.Setenv(githubURL, github.URL)
	t.Setenv(githubToken, "wrong")
	source, err := findToken(nowhere(t), options{audience: defaultAudience}, newNetwork())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := source.fetch(t.Context(), time.Now(), defaultAudience); !errors.Is(err, signer.ErrDenied) || !strings.Contains(err.Error(), "GitHub") {
		t.Errorf("got %v", err)
	}
}

func TestNoToken(t *testing.T) {
	for name, c := range map[string]struct {
		env  map[string]string
		want []string
	}{
		"nothing": {nil, []string{"SIGSTORE_ID_TOKEN (GitLab and others) is not set", "ACTIONS_ID_TOKEN_REQUEST_URL (github) is not set", "id-token: write", "under `env`", "Gitea", "BUILDKITE_JOB_ID (buildkite)", "CIRCLE_OIDC_TOKEN_V2", "SPIFFE_ENDPOINT_SOCKET", "oidc-token (kubernetes)", "(google)", "token: browser"}},
		"GitHub":  {map[string]string{githubURL: "https://x"}, []string{"ACTIONS_ID_TOKEN_REQUEST_TOKEN (github) is not set"}},
		"Gitea":   {map[string]string{"GITEA_ACTIONS": "true"}, []string{"cannot be used", "signer-vault"}},
		"Forgejo": {map[string]string{"FORGEJO_ACTIONS": "true"}, []string{"cannot be used", "signer-vault"}},
	} {
		t.Run(name, func(t *testing.T) {
			clean(t)
			for k, v := range c.env {
				t.Setenv(k, v)
			}
			_, err := findToken(nowhere(t), options{audience: defaultAudience}, newNetwork())
			for _, want := range c.want {
				if !errors.Is(err, signer.ErrInvalid) || !strings.Contains(said(err), want) {
					t.Errorf("got %s, want %q", said(err), want)
				}
			}
		})
	}
}

func TestBadTokens(t *testing.T) {
	part := base64.RawURLEncoding.EncodeToString
	for name, c := range map[string]struct {
		raw, want string
		class     error
	}{
		"empty":      {"", "has 1 parts", signer.ErrInvalid},
		"opaque":     {"s3cret", "has 1 parts", signer.ErrInvalid},
		"not base64": {"s3cret.s3cret!.s3cret", "not base64", signer.ErrInvalid},
		"not JSON":   {"a." + part([]byte("s3cret")) + ".c", "no JSON object", signer.ErrInvalid},
		"nobody":     {"a." + part([]byte(`{"iss":"x"}`)) + ".c", "names nobody", signer.ErrInvalid},
		"unverified": {"a." + part([]byte(`{"email":"x@y"}`)) + ".c", "not verified", signer.ErrInvalid},
		"expired":    {jwt(-time.Minute), "it expired at", signer.ErrDenied},
		"for others": {"a." + part([]byte(`{"iss":"x","sub":"y","aud":["a","b"]}`)) + ".c", `for the audience "a, b" and not for "sigstore"`, signer.ErrDenied},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv(defaultToken, c.raw)
			_, err := variableSource(defaultToken).fetch(t.Context(), time.Now(), defaultAudience)
			if !errors.Is(err, c.class) || !strings.Contains(err.Error(), c.want) || strings.Contains(said(err), "s3cret") {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}
