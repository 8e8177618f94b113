package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/artifactctl/artifactctl/plugins/signer"
)

// clouds answers as Buildkite and Google do, each with a token that is good for another number of hours.
func clouds(t *testing.T) *httptest.Server {
	t.Helper()
	mux := http.NewServeMux()
	give := func(w http.ResponseWriter, name string, hours int) {
		fmt.Fprintf(w, `{%q: %q}`, name, jwt(time.Duration(hours)*time.Hour))
	}
	mux.HandleFunc("POST /v3/jobs/job-7/oidc/tokens", func(w http.ResponseWriter, r *http.Request) {
		var asked struct{ Audience string }
		if err := json.NewDecoder(r.Body).Decode(&asked); err != nil || r.Header.Get("Authorization") != "Token agent" || asked.Audience != "sigstore" {
			http.Error(w, `{"message": "no"}`, http.StatusForbidden)
			return
		}
		give(w, "token", 2)
	})
	mux.HandleFunc("GET "+googlePath+"identity", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Metadata-Flavor") != "Google" || r.URL.Query().Get("audience") != "sigstore" || r.URL.Query().Get("format") != "full" {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		fmt.Fprint(w, jwt(3*time.Hour))
	})
	mux.HandleFunc("GET "+googlePath+"token", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"access_token": "machine"}`) })
	mux.HandleFunc("POST /v1/projects/-/serviceAccounts/ci@p.iam:generateIdToken", func(w http.ResponseWriter, r *http.Request) {
		text, err := io.ReadAll(r.Body)
		if err != nil || r.Header.Get("Authorization") != "Bearer machine" || string(text) != `{"audience":"sigstore","includeEmail":true}` {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		give(w, "token", 4)
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server
}

func TestProviders(t *testing.T) {
	server := clouds(t)
	host := strings.TrimPrefix(server.URL, "http://")
	at := nowhere(t)
	at.googleIAM = server.URL
	mounted := at
	mounted.kubernetesToken = filepath.Join(t.TempDir(), "oidc-token")
	google := at
	google.productName = filepath.Join(t.TempDir(), "product_name")
	for path, text := range map[string]string{mounted.kubernetesToken: jwt(5 * time.Hour), google.productName: "Google Compute Engine\n"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	buildkite := map[string]string{buildkiteToken: "agent", buildkiteJob: "job-7", buildkiteEndpoint: server.URL + "/v3/"}
	for name, c := range map[string]struct {
		at       place
		provider string
		env      map[string]string
		hours    int
	}{
		"Buildkite":       {at, "", buildkite, 2},
		"Buildkite asked": {mounted, "buildkite", buildkite, 2},
		"Google":          {at, "", map[string]string{googleHost: host}, 3},
		"Google asked":    {at, "google", map[string]string{googleHost: host, defaultToken: jwt(time.Hour)}, 3},
		"Google account":  {at, "", map[string]string{googleHost: host, googleAccount: "ci@p.iam"}, 4},
		"Kubernetes":      {mounted, "", map[string]string{googleHost: host}, 5},
		"CircleCI":        {at, "", map[string]string{circleToken: jwt(6 * time.Hour)}, 6},
		"variable first":  {mounted, "", map[string]string{defaultToken: jwt(time.Hour), circleToken: jwt(6 * time.Hour)}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			clean(t)
			for k, v := range c.env {
				t.Setenv(k, v)
			}
			source, err := findToken(c.at, withAudience(options{provider: c.provider}), newNetwork())
			if err != nil {
				t.Fatal(err)
			}
			got, err := source.fetch(t.Context(), time.Now(), defaultAudience)
			if err != nil {
				t.Fatal(err)
			}
			if left := time.Until(got.expires).Round(time.Hour); left != time.Duration(c.hours)*time.Hour {
				t.Errorf("the token of %s is good for %s, want %d hours", source.where, left, c.hours)
			}
		})
	}
	clean(t)
	if !placeIsGoogle(google) || placeIsGoogle(at) {
		t.Error("Google's machines are not told by their firmware")
	}
}

func TestProvidersThatRefuse(t *testing.T) {
	server := clouds(t)
	other := strings.Replace(jwt(time.Hour), ".", "x.", 1) // no matter: only its claims are read
	for name, c := range map[string]struct {
		env  map[string]string
		want error
		text string
	}{
		"Buildkite": {map[string]string{buildkiteToken: "wrong", buildkiteJob: "job-7", buildkiteEndpoint: server.URL + "/v3"}, signer.ErrDenied, "Buildkite answers 403: no"},
		"GitHub":    {map[string]string{githubURL: "nowhere", githubToken: "x"}, signer.ErrInvalid, "holds no URL"},
		"Google":    {map[string]string{googleHost: strings.TrimPrefix(server.URL, "http://") + "/x"}, signer.ErrInvalid, "metadata server answers 404"},
		"CircleCI":  {map[string]string{circleToken: other}, signer.ErrDenied, "circleci run oidc get --claims '{\"aud\":\"fulcio\"}'"},
		"SPIFFE":    {map[string]string{spiffeSocket: "what"}, signer.ErrInvalid, "unix:///run/spire"},
	} {
		t.Run(name, func(t *testing.T) {
			clean(t)
			for k, v := range c.env {
				t.Setenv(k, v)
			}
			source, err := findToken(nowhere(t), options{audience: "fulcio"}, newNetwork())
			if err == nil {
				_, err = source.fetch(t.Context(), time.Now(), "fulcio")
			}
			if !errors.Is(err, c.want) || !strings.Contains(said(err), c.text) {
				t.Errorf("got %s, want %q", said(err), c.text)
			}
		})
	}
}
