package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"

	"github.com/artifactctl/artifactctl/plugins/signer"
)

// Variables by which GitHub Actions offers identity tokens to a job with `permissions: {id-token: write}`
// (https://docs.github.com/actions/security-for-github-actions/security-hardening-your-deployments).
const (
	githubURL   = "ACTIONS_ID_TOKEN_REQUEST_URL"
	githubToken = "ACTIONS_ID_TOKEN_REQUEST_TOKEN" //nolint:gosec // the name of a variable
)

// audience is whom identity tokens are for: Fulcio.
const audience = "sigstore"

// githubSource asks GitHub for a fresh token each time.
func githubSource(n network, address, bearer string) tokenSource {
	return tokenSource{"GitHub Actions", func(ctx context.Context) (string, error) {
		u, err := url.Parse(address)
		if err != nil || u.Host == "" {
			return "", signer.Invalidf("GitHub sets the variable itself: pass it on unchanged", "%s holds no URL", githubURL)
		}
		query := u.Query()
		query.Set("audience", audience)
		u.RawQuery = query.Encode()
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
		if err != nil {
			return "", signer.Invalidf("", "%s holds no URL", githubURL)
		}
		request.Header.Set("Authorization", "Bearer "+bearer)
		response, err := n.client(ctx, "GitHub").Do(request)
		if err != nil {
			return "", plain(ctx, "GitHub", err)
		}
		defer func() { _ = response.Body.Close() }()
		var answer struct {
			Value string `json:"value"`
		}
		if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
			return "", fmt.Errorf("%w: GitHub's answer is no JSON", signer.ErrUnavailable)
		}
		return answer.Value, nil
	}}
}
