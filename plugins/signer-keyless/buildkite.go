package main

import (
	"context"
	"net/http"
	"net/url"
	"os"
	"strings"
)

// Variables by which Buildkite's agent lets a job ask for identity tokens; `buildkite-agent oidc request-token` uses the same
// (https://buildkite.com/docs/agent/v3/cli/reference/oidc).
const (
	buildkiteToken    = "BUILDKITE_AGENT_ACCESS_TOKEN" //nolint:gosec // the name of a variable
	buildkiteJob      = "BUILDKITE_JOB_ID"
	buildkiteEndpoint = "BUILDKITE_AGENT_ENDPOINT"
	// buildkiteDefault is where the agent's API is unless the endpoint says otherwise.
	buildkiteDefault = "https://agent.buildkite.com/v3"
)

// openBuildkite asks Buildkite for a fresh token each time.
func openBuildkite(_ place, o options, n network) (tokenSource, error) {
	endpoint := os.Getenv(buildkiteEndpoint)
	if endpoint == "" {
		endpoint = buildkiteDefault
	}
	q := question{
		service: "Buildkite", method: http.MethodPost, scheme: "Token", bearer: os.Getenv(buildkiteToken),
		url:  strings.TrimRight(endpoint, "/") + "/jobs/" + url.PathEscape(os.Getenv(buildkiteJob)) + "/oidc/tokens",
		body: map[string]any{"audience": o.audience},
	}
	return tokenSource{where: q.service, get: func(ctx context.Context) (string, error) {
		var answer struct {
			Token string `json:"token"`
		}
		err := n.ask(ctx, q, &answer)
		return answer.Token, err
	}}, nil
}
