package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/hashicorp/go-retryablehttp"

	"github.com/artifactctl/artifactctl/plugins/signer"
)

// Variables by which GitHub Actions offers identity tokens to a job with `permissions: {id-token: write}`
// (https://docs.github.com/actions/reference/security/oidc).
const (
	githubURL   = "ACTIONS_ID_TOKEN_REQUEST_URL"
	githubToken = "ACTIONS_ID_TOKEN_REQUEST_TOKEN" //nolint:gosec // the name of a variable
)

const (
	githubTimeout = 30 * time.Second // for one attempt
	githubRetries = 3
	maxJWT        = 64 << 10
)

const githubPermission = "give the job `permissions: {id-token: write}`; a pull request from a fork cannot have it"

// identityToken finds the JWT that the CI system gives to its jobs: where the option says, in the variable that GitLab's
// id_tokens fill by custom, or from GitHub, which makes one for audience on request. GitHub's own default audience, the
// URL of the repository's owner, counts if audience is empty.
func identityToken(ctx context.Context, a authOptions, hidden *secrets) (string, error) {
	if a.jwt != (source{}) {
		return a.jwt.read()
	}
	if os.Getenv(idTokenVariable) != "" {
		return source{what: "JWT", env: idTokenVariable}.read()
	}
	address, bearer := os.Getenv(githubURL), strings.TrimSpace(os.Getenv(githubToken))
	if address == "" || bearer == "" {
		return "", noIdentityToken(address, bearer)
	}
	hidden.add(bearer)
	return askGitHub(ctx, address, bearer, a.audience)
}

// noIdentityToken says what was looked for.
func noIdentityToken(address, bearer string) error {
	looked := []string{idTokenVariable + " is not set"}
	if address == "" {
		looked = append(looked, githubURL+" is not set")
	}
	if bearer == "" {
		looked = append(looked, githubToken+" is not set")
	}
	hint := "GitHub: `permissions: {id-token: write}` for the job, and both ACTIONS_… variables under `env` of this signer; " +
		"GitLab: `id_tokens: {VAULT_ID_TOKEN: {aud: …}}`, and VAULT_ID_TOKEN under `env`; elsewhere: auth: {jwt: env://NAME}, or file://PATH. " +
		"Where jobs have no such token, as in Gitea, log in with approle"
	return signer.Invalidf(hint, "there is no JWT to log in with: option \"auth.jwt\" is not given, %s", strings.Join(looked, ", "))
}

func askGitHub(ctx context.Context, address, bearer, audience string) (string, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return "", signer.Invalidf("GitHub sets the variable itself: pass it on unchanged", "%s holds no URL", githubURL)
	}
	if audience != "" {
		query := u.Query()
		query.Set("audience", audience)
		u.RawQuery = query.Encode()
	}
	request, err := retryablehttp.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return "", signer.Invalidf("", "%s holds no URL", githubURL)
	}
	request.Header.Set("Authorization", "Bearer "+bearer)
	client := retryablehttp.NewClient()
	client.Logger, client.RetryMax, client.RetryWaitMin = nil, githubRetries, 200*time.Millisecond
	client.HTTPClient.Timeout = githubTimeout
	client.ErrorHandler = retryablehttp.PassthroughErrorHandler
	defer client.HTTPClient.CloseIdleConnections()
	response, err := client.Do(request)
	if err != nil {
		if ctx.Err() != nil {
			return "", fmt.Errorf("ask GitHub for a JWT: %w", ctx.Err())
		}
		return "", fmt.Errorf("%w: ask GitHub for a JWT: %s", signer.ErrUnavailable, cause(err).Error())
	}
	defer func() { _ = response.Body.Close() }()
	return readGitHub(response)
}

func readGitHub(response *http.Response) (string, error) {
	switch status := response.StatusCode; {
	case status >= http.StatusInternalServerError || status == http.StatusTooManyRequests:
		return "", fmt.Errorf("%w: ask GitHub for a JWT: it answers with status %d", signer.ErrUnavailable, status)
	case status != http.StatusOK:
		return "", signer.WithHint(fmt.Errorf("%w: ask GitHub for a JWT: it answers with status %d", signer.ErrDenied, status), githubPermission)
	}
	var answer struct {
		Value string `json:"value"`
	}
	if err := json.NewDecoder(io.LimitReader(response.Body, maxJWT)).Decode(&answer); err != nil || !printable(answer.Value) || answer.Value == "" {
		return "", fmt.Errorf("%w: ask GitHub for a JWT: its answer holds none", signer.ErrUnavailable)
	}
	return answer.Value, nil
}
