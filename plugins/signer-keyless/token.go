package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/sigstore/sigstore/pkg/oauthflow"

	"github.com/artifactctl/artifactctl/plugins/signer"
)

// tokenSource gives identity tokens (OIDC, as JWT). It is asked anew for each certificate: most places give fresh ones.
type tokenSource struct {
	where string // for messages
	get   func(ctx context.Context) (string, error)
	// fresh is what to do about a token that is out of date or for somebody else.
	fresh string
}

// token is an identity token with what it says about itself. Nobody has verified it: that is Fulcio's part.
type token struct {
	raw       string
	issuer    string
	audiences []string
	subject   string // what proves possession of the key is signed over it
	expires   time.Time
}

// freshFixed is advice for tokens that were there before the run.
const freshFixed = "get a fresh one right before publishing, for the audience %s; a file is read again for each certificate"

func variableSource(name string) tokenSource {
	return tokenSource{"variable " + name, func(context.Context) (string, error) { return os.Getenv(name), nil }, freshFixed}
}

// fileSource reads a file that an option names.
func fileSource(option, path string) tokenSource {
	return tokenSource{"file " + path, func(context.Context) (string, error) {
		text, err := readFile(option, path)
		return string(text), err
	}, freshFixed}
}

// fetch gets a token, reads it, and refuses one that Fulcio cannot accept.
func (s tokenSource) fetch(ctx context.Context, now time.Time, audience string) (token, error) {
	raw, err := s.get(ctx)
	if err != nil {
		return token{}, fmt.Errorf("identity token of %s: %w", s.where, err)
	}
	t, err := parseToken(strings.TrimSpace(raw))
	if err != nil {
		return token{}, signer.Invalidf("it has to be an OIDC identity token, a JWT with the audience "+audience, "identity token of %s: %v", s.where, err)
	}
	why := ""
	switch {
	case now.After(t.expires) && !t.expires.IsZero():
		why = "it expired at " + t.expires.UTC().Format(time.RFC3339)
	case !slices.Contains(t.audiences, audience):
		why = fmt.Sprintf("it is for the audience %q and not for %q", strings.Join(t.audiences, ", "), audience)
	default:
		return t, nil
	}
	hint := s.fresh
	if strings.Contains(hint, "%s") {
		hint = fmt.Sprintf(hint, audience)
	}
	return token{}, signer.WithHint(fmt.Errorf("%w: identity token of %s: %s", signer.ErrDenied, s.where, why), hint)
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
	t := token{raw: raw, issuer: claims.Issuer, audiences: claims.Audience, subject: subject}
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
