package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/sigstore/sigstore/pkg/oauthflow"

	"github.com/artifactctl/artifactctl/plugins/signer"
)

// defaultToken is the variable that cosign reads, too; GitLab's `id_tokens` can fill it.
const defaultToken = "SIGSTORE_ID_TOKEN"

// tokenSource gives identity tokens (OIDC, as JWT). It is asked anew for each certificate: some places refresh theirs.
type tokenSource struct {
	where string // for messages
	get   func(ctx context.Context) (string, error)
}

// token is an identity token with what it says about itself. Nobody has verified it: that is Fulcio's part.
type token struct {
	raw      string
	issuer   string
	audience string // all of them
	subject  string // what proves possession of the key is signed over it
	expires  time.Time
}

// findToken chooses where identity tokens come from: what the options say, else the variable, else GitHub Actions.
func findToken(o options, n network) (tokenSource, error) {
	switch {
	case o.tokenEnv != "":
		if os.Getenv(o.tokenEnv) == "" {
			return tokenSource{}, signer.Invalidf(fmt.Sprintf("set %s, and list it under `env` of this signer in publish.yaml: a plugin sees no other variables", o.tokenEnv),
				"variable %s, which should hold the identity token, is not set", o.tokenEnv)
		}
		return variableSource(o.tokenEnv), nil
	case o.tokenFile != "":
		return fileSource(o.tokenFile), nil
	case os.Getenv(defaultToken) != "":
		return variableSource(defaultToken), nil
	case os.Getenv(githubURL) != "" && os.Getenv(githubToken) != "":
		return githubSource(n, os.Getenv(githubURL), os.Getenv(githubToken)), nil
	}
	return tokenSource{}, noToken()
}

func variableSource(name string) tokenSource {
	return tokenSource{"variable " + name, func(context.Context) (string, error) { return os.Getenv(name), nil }}
}

func fileSource(path string) tokenSource {
	return tokenSource{"file " + path, func(context.Context) (string, error) {
		text, err := readFile("tokenFile", path)
		return string(text), err
	}}
}

// noToken says what was looked for, and what to do about it where this seems to run.
func noToken() error {
	for _, name := range []string{"FORGEJO_ACTIONS", "GITEA_ACTIONS"} {
		if os.Getenv(name) == "true" {
			return signer.Invalidf("put a token of another OIDC provider into "+defaultToken+", or sign here with signer-file or signer-vault",
				"there is no identity token, and the one that Gitea and Forgejo give to a job cannot be used: Fulcio knows no such issuer")
		}
	}
	looked := []string{defaultToken + " is not set"}
	hint := "set " + defaultToken + " (GitLab: id_tokens with aud: sigstore) or tokenFile; on GitHub Actions give the job `permissions: {id-token: write}`. " +
		"List the variables under `env` of this signer: a plugin sees no others. Jobs of Gitea and Forgejo have no token that Fulcio accepts"
	for _, name := range []string{githubURL, githubToken} {
		if os.Getenv(name) == "" {
			looked = append(looked, name+" (GitHub Actions) is not set")
		}
	}
	return signer.Invalidf(hint, "there is no identity token: neither option token nor tokenFile is given; %s", strings.Join(looked, "; "))
}

// fetch gets a token and reads it.
func (s tokenSource) fetch(ctx context.Context, now time.Time) (token, error) {
	raw, err := s.get(ctx)
	if err != nil {
		return token{}, fmt.Errorf("identity token of %s: %w", s.where, err)
	}
	t, err := parseToken(strings.TrimSpace(raw))
	if err != nil {
		return token{}, signer.Invalidf("it has to be an OIDC identity token, a JWT with the audience sigstore", "identity token of %s: %v", s.where, err)
	}
	if now.After(t.expires) && !t.expires.IsZero() {
		return token{}, signer.WithHint(fmt.Errorf("%w: identity token of %s: it expired at %s", signer.ErrDenied, s.where, t.expires.UTC().Format(time.RFC3339)),
			"get a fresh one right before publishing; a file is read again for each certificate")
	}
	return t, nil
}

// parseToken reads the claims of a JWT (RFC 7519). Its errors show nothing of the token.
func parseToken(raw string) (token, error) {
	parts := strings.Split(raw, ".")
	if len(parts) != 3 {
		return token{}, fmt.Errorf("it has %d parts, and a JWT has 3", len(parts))
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return token{}, fmt.Errorf("its claims are not base64")
	}
	var claims struct {
		Issuer   string    `json:"iss"`
		Audience audiences `json:"aud"`
		Expires  float64   `json:"exp"`
	}
	if err := json.Unmarshal(payload, &claims); err != nil {
		return token{}, fmt.Errorf("its claims are no JSON object")
	}
	subject, err := oauthflow.SubjectFromUnverifiedToken(payload)
	if err != nil {
		return token{}, fmt.Errorf("it names nobody: %w", err)
	}
	t := token{raw: raw, issuer: claims.Issuer, audience: strings.Join(claims.Audience, ", "), subject: subject}
	if claims.Expires > 0 {
		t.expires = time.Unix(int64(claims.Expires), 0)
	}
	return t, nil
}

// audiences is one or a list of them.
type audiences []string

// UnmarshalJSON implements json.Unmarshaler.
func (a *audiences) UnmarshalJSON(text []byte) error {
	var one string
	if json.Unmarshal(text, &one) == nil {
		*a = audiences{one}
		return nil
	}
	return json.Unmarshal(text, (*[]string)(a))
}
