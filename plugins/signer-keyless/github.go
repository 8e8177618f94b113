package main

import (
	"context"
	"net/http"
	"net/url"
	"os"

	"github.com/artifactctl/artifactctl/plugins/signer"
)

// Variables by which GitHub Actions offers identity tokens to a job with `permissions: {id-token: write}`
// (https://docs.github.com/actions/security-for-github-actions/security-hardening-your-deployments).
const (
	githubURL   = "ACTIONS_ID_TOKEN_REQUEST_URL"
	githubToken = "ACTIONS_ID_TOKEN_REQUEST_TOKEN" //nolint:gosec // the name of a variable
)

// openGitHub asks GitHub for a fresh token each time.
func openGitHub(_ place, o options, n network) (tokenSource, error) {
	u, err := url.Parse(os.Getenv(githubURL))
	if err != nil || u.Host == "" {
		return tokenSource{}, signer.Invalidf("GitHub sets the variable itself: pass it on unchanged", "%s holds no URL", githubURL)
	}
	query := u.Query()
	query.Set("audience", o.audience)
	u.RawQuery = query.Encode()
	bearer := os.Getenv(githubToken)
	return tokenSource{where: "GitHub Actions", get: func(ctx context.Context) (string, error) {
		var answer struct {
			Value string `json:"value"`
		}
		err := n.ask(ctx, question{service: "GitHub", method: http.MethodGet, url: u.String(), bearer: bearer}, &answer)
		return answer.Value, err
	}}, nil
}
