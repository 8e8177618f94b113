package registry

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"sync"
)

// realmPrefix begins the paths under which oras-go knows token servers that realms vouches for.
const realmPrefix = "/.token-server/"

var realmParam = regexp.MustCompile(`(?i)\brealm="([^"]*)"`)

// realms lets a registry on a private network use a token server beside it, as a self-hosted GitLab does
// (registry.corp and gitlab.corp). oras-go refuses every token server at an internal address whose host name is not the
// registry's, lest a foreign registry have its clients call internal services (GHSA-xf85-363p-868w), and cannot be told
// otherwise (oras-go #1246). That danger is not there when the registry is internal itself: then the realm is shown to oras-go
// as a path of the registry, and requests for that path go to the token server. Link-local addresses, where cloud metadata
// lives, stay refused.
type realms struct {
	next   http.RoundTripper
	lookup func(ctx context.Context, host string) ([]netip.Addr, error)

	mu    sync.Mutex
	known map[string]*url.URL // by path
}

func newRealms(next http.RoundTripper) *realms {
	return &realms{next: next, known: map[string]*url.URL{}, lookup: func(ctx context.Context, host string) ([]netip.Addr, error) {
		return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	}}
}

// RoundTrip sends a request, to the token server if its path stands for one.
func (r *realms) RoundTrip(req *http.Request) (*http.Response, error) {
	if strings.HasPrefix(req.URL.Path, realmPrefix) {
		return r.token(req)
	}
	resp, err := r.next.RoundTrip(req)
	if err != nil || resp.StatusCode != http.StatusUnauthorized {
		return resp, err
	}
	challenge := resp.Header.Get(headerChallenge)
	param := realmParam.FindStringSubmatchIndex(challenge)
	if param == nil {
		return resp, nil
	}
	realm, err := url.Parse(challenge[param[2]:param[3]])
	if err != nil || !r.vouches(req.Context(), req.URL, realm) {
		return resp, nil //nolint:nilerr // oras-go says what is wrong with the realm
	}
	path := realmPrefix + realm.Host + realm.Path
	r.mu.Lock()
	r.known[path] = realm
	r.mu.Unlock()
	shown := url.URL{Scheme: req.URL.Scheme, Host: req.URL.Host, Path: path}
	resp.Header.Set(headerChallenge, challenge[:param[2]]+shown.String()+challenge[param[3]:])
	return resp, nil
}

func (r *realms) token(req *http.Request) (*http.Response, error) {
	r.mu.Lock()
	realm := r.known[req.URL.Path]
	r.mu.Unlock()
	if realm == nil {
		return r.next.RoundTrip(req)
	}
	out := req.Clone(req.Context())
	target := *realm
	target.RawQuery = strings.Trim(realm.RawQuery+"&"+req.URL.RawQuery, "&")
	out.URL, out.Host = &target, realm.Host
	resp, err := r.next.RoundTrip(out)
	if err != nil {
		return nil, err
	}
	resp.Request = req
	if location, err := target.Parse(resp.Header.Get("Location")); err == nil && resp.Header.Get("Location") != "" {
		resp.Header.Set("Location", location.String())
	}
	return resp, nil
}

// vouches reports whether both are internal, and the realm no step down from TLS.
func (r *realms) vouches(ctx context.Context, registry, realm *url.URL) bool {
	if realm.Scheme != "https" && (realm.Scheme != "http" || registry.Scheme != "http") {
		return false
	}
	return !strings.EqualFold(realm.Hostname(), registry.Hostname()) &&
		r.internal(ctx, registry.Hostname()) && r.internal(ctx, realm.Hostname())
}

func (r *realms) internal(ctx context.Context, host string) bool {
	ip, err := netip.ParseAddr(host)
	addrs := []netip.Addr{ip}
	if err != nil {
		if addrs, err = r.lookup(ctx, host); err != nil {
			return false
		}
	}
	for _, a := range addrs {
		if a = a.Unmap(); !a.IsPrivate() && !a.IsLoopback() {
			return false
		}
	}
	return len(addrs) > 0
}
