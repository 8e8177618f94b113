package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/artifactctl/artifactctl/plugins/signer"
)

func TestGitHub(t *testing.T) {
	tests := map[string]struct {
		answer     func(http.ResponseWriter)
		class      error
		want, hint string
	}{
		"token":    {text(200, `{"value": "`+testJWT()+`"}`), nil, "", ""},
		"refused":  {text(403, testBearer), signer.ErrDenied, "ask GitHub for a JWT: it answers with status 403", "id-token: write"},
		"rubbish":  {text(200, "<html>"+testBearer), signer.ErrUnavailable, "its answer holds none", ""},
		"no value": {text(200, `{"value": ""}`), signer.ErrUnavailable, "its answer holds none", ""},
		"cut":      {func(http.ResponseWriter) { panic(http.ErrAbortHandler) }, signer.ErrUnavailable, "ask GitHub for a JWT: EOF", ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			var sent map[string]any
			loginTo(f, func(w http.ResponseWriter, r *http.Request) {
				if strings.HasSuffix(r.URL.Path, "/login") {
					_ = json.NewDecoder(r.Body).Decode(&sent)
				}
				token(w, r)
			})
			tried := 0
			h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Header.Get("Authorization") != "Bearer "+testBearer || r.URL.Query().Get("audience") != "https://vault" || r.URL.Query().Get("v") != "2" {
					t.Errorf("the request is %s with %v", r.URL, r.Header)
				}
				if tried++; tried == 1 {
					w.WriteHeader(http.StatusBadGateway)
					return
				}
				tt.answer(w)
			}))
			h.Config.ErrorLog = f.Config.ErrorLog
			t.Cleanup(h.Close)
			t.Setenv(githubURL, h.URL+"/?v=2")
			t.Setenv(githubToken, testBearer)
			s := &vaultSigner{}
			_, err := s.Open(t.Context(), map[string]any{"key": "artifacts", "auth": map[string]any{"method": "jwt", "role": "ci", "audience": "https://vault"}})
			t.Cleanup(func() { _ = s.Close() })
			if silent(t, err); tt.class != nil {
				check(t, err, tt.class, "log in at auth/jwt/login: ", tt.hint)
				check(t, err, tt.class, tt.want, "")
			} else if err != nil || sent["jwt"] != testJWT() || sent["role"] != "ci" {
				t.Errorf("sent %v, %v", sent, err)
			}
		})
	}
}
