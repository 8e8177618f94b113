package registry

import (
	"context"
	"net/http"
	"strings"

	"oras.land/oras-go/v2/registry/remote/auth"
)

const headerChallenge = "Www-Authenticate"

// challenges lets oras-go, which reads only the first WWW-Authenticate header, see the best of several: registries offer
// Bearer beside Basic (Gitea), and proxies in front of them Negotiate beside both.
func challenges(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(req *http.Request) (*http.Response, error) {
		resp, err := next.RoundTrip(req)
		if err != nil || resp.StatusCode != http.StatusUnauthorized {
			return resp, err
		}
		if offered := resp.Header.Values(headerChallenge); len(offered) > 1 {
			resp.Header.Set(headerChallenge, best(offered))
		}
		return resp, nil
	})
}

func best(offered []string) string {
	choice, rank := offered[0], 0
	for _, o := range offered {
		scheme, params, _ := strings.Cut(strings.TrimSpace(o), " ")
		r := 0
		switch {
		case strings.EqualFold(scheme, "bearer") && strings.Contains(strings.ToLower(params), "realm="):
			r = 2
		case strings.EqualFold(scheme, "basic"):
			r = 1
		}
		if r > rank {
			choice, rank = o, r
		}
	}
	return choice
}

// tokens is a cache of oras-go that also finds a token by the scopes that were asked for, when the registry's challenge
// named further ones. Without it each request to a registry that asks for its own scope (Gitea: "*") is refused once
// before it is sent with the token that was there all the time.
type tokens struct{ auth.Cache }

// Set fetches a token and remembers it under both names.
func (t tokens) Set(ctx context.Context, registry string, scheme auth.Scheme, key string, fetch func(context.Context) (string, error)) (string, error) {
	token, err := t.Cache.Set(ctx, registry, scheme, key, fetch)
	if err != nil || scheme != auth.SchemeBearer {
		return token, err
	}
	asked := strings.Join(auth.GetAllScopesForHost(ctx, registry), " ")
	if asked == key {
		return token, nil
	}
	return t.Cache.Set(ctx, registry, scheme, asked, func(context.Context) (string, error) { return token, nil })
}
