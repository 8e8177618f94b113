package main

import (
	"context"
	"net/http"
	"net/url"
	"os"
	"strings"
)

const (
	// googleHost names another metadata server, as Google's own libraries have it.
	googleHost = "GCE_METADATA_HOST"
	// googleAccount is the service account to act as, as cosign has it.
	googleAccount = "GOOGLE_SERVICE_ACCOUNT_NAME"
	googleDefault = "metadata.google.internal"
	// googlePath is the account of the machine or pod (https://cloud.google.com/compute/docs/metadata/predefined-metadata-keys).
	googlePath    = "/computeMetadata/v1/instance/service-accounts/default/"
	googleService = "Google's metadata server"
)

// placeIsGoogle looks at a variable and at the firmware; it asks nobody.
func placeIsGoogle(at place) bool {
	if os.Getenv(googleHost) != "" {
		return true
	}
	name, err := os.ReadFile(at.productName)
	return err == nil && strings.HasPrefix(strings.TrimSpace(string(name)), "Google")
}

// openGoogle asks the metadata server for a fresh token each time, or lets the machine's account ask for one of another
// account.
func openGoogle(at place, o options, n network) (tokenSource, error) {
	host := os.Getenv(googleHost)
	if host == "" {
		host = googleDefault
	}
	base := "http://" + host + googlePath
	own := func(ctx context.Context) (string, error) {
		query := url.Values{"audience": {o.audience}, "format": {"full"}} // full: with the e-mail address that Fulcio certifies
		return n.direct().askText(ctx, question{service: googleService, method: http.MethodGet, url: base + "identity?" + query.Encode(), metadata: true})
	}
	account := os.Getenv(googleAccount)
	if account == "" {
		return tokenSource{where: googleService, get: own}, nil
	}
	return tokenSource{where: "Google's service account " + account, get: func(ctx context.Context) (string, error) {
		var machine struct {
			AccessToken string `json:"access_token"`
		}
		if err := n.direct().ask(ctx, question{service: googleService, method: http.MethodGet, url: base + "token", metadata: true}, &machine); err != nil {
			return "", err
		}
		var answer struct {
			Token string `json:"token"`
		}
		err := n.ask(ctx, question{
			service: "Google", method: http.MethodPost, bearer: machine.AccessToken,
			url:  at.googleIAM + "/v1/projects/-/serviceAccounts/" + url.PathEscape(account) + ":generateIdToken",
			body: map[string]any{"audience": o.audience, "includeEmail": true},
		}, &answer)
		return answer.Token, err
	}}, nil
}
