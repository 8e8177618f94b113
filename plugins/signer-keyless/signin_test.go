package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/artifactctl/artifactctl/plugins/signer"
)

// people is an identity provider where a person can sign in, who mostly does.
type people struct {
	url string
	key *ecdsa.PrivateKey

	refuse    bool              // the person, or what they clicked on
	nonce     string            // in place of the right one
	pending   int               // how often the device flow has to ask again
	challenge map[string]string // PKCE, by code
	asked     map[string]string // nonce, by code
}

func newPeople(t *testing.T) *people {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p := &people{key: key, challenge: map[string]string{}, asked: map[string]string{}}
	mux := http.NewServeMux()
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	p.url = server.URL
	document := func(v any) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(v) // a client that went away misses it
		}
	}
	mux.HandleFunc("GET /.well-known/openid-configuration", document(map[string]any{
		"issuer": p.url, "jwks_uri": p.url + "/keys", "authorization_endpoint": p.url + "/auth", "token_endpoint": p.url + "/token",
		"device_authorization_endpoint": p.url + "/device", "id_token_signing_alg_values_supported": []string{"ES256"},
	}))
	mux.HandleFunc("GET /keys", document(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: &key.PublicKey, KeyID: "k", Algorithm: "ES256"}}}))
	mux.HandleFunc("GET /auth", p.auth)
	mux.HandleFunc("POST /token", p.token)
	mux.HandleFunc("POST /device", func(w http.ResponseWriter, r *http.Request) {
		p.challenge["device"] = r.FormValue("code_challenge")
		document(map[string]any{"device_code": "device", "user_code": "ABCD-EFGH", "verification_uri": p.url + "/enter", "expires_in": 300, "interval": 1})(w, r)
	})
	return p
}

func (p *people) sign(claims map[string]any) (string, error) {
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: p.key}, (&jose.SignerOptions{}).WithHeader("kid", "k"))
	if err != nil {
		return "", err
	}
	text, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	signed, err := s.Sign(text)
	if err != nil {
		return "", err
	}
	return signed.CompactSerialize()
}

// auth sends the browser back at once.
func (p *people) auth(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	back, err := url.Parse(q.Get("redirect_uri"))
	if err != nil || q.Get("client_id") != "sigstore" || q.Get("code_challenge_method") != "S256" || back.Hostname() != "localhost" {
		http.Error(w, "bad question", http.StatusBadRequest)
		return
	}
	p.challenge["code"], p.asked["code"] = q.Get("code_challenge"), q.Get("nonce")
	back.Host = "127.0.0.1:" + back.Port()
	answer := url.Values{"state": {q.Get("state")}, "code": {"code"}}
	if p.refuse {
		answer = url.Values{"state": {q.Get("state")}, "error": {"access_denied"}}
	}
	back.RawQuery = answer.Encode()
	http.Redirect(w, r, back.String(), http.StatusFound)
}

func (p *people) token(w http.ResponseWriter, r *http.Request) {
	code := r.FormValue("code") + r.FormValue("device_code")
	sum := sha256.Sum256([]byte(r.FormValue("code_verifier")))
	problem := ""
	switch {
	case base64.RawURLEncoding.EncodeToString(sum[:]) != p.challenge[code]:
		problem = "invalid_grant"
	case code == "device" && p.refuse:
		problem = "access_denied"
	case code == "device" && p.pending > 0:
		p.pending--
		problem = "authorization_pending"
	}
	w.Header().Set("Content-Type", "application/json")
	if problem != "" {
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprintf(w, `{"error": %q}`, problem)
		return
	}
	claims := map[string]any{"iss": p.url, "sub": "1", "aud": "sigstore", "email": "ada@example.com", "email_verified": true, "exp": time.Now().Add(time.Minute).Unix()}
	if nonce := p.asked[code]; nonce != "" {
		claims["nonce"] = nonce + p.nonce
	}
	identity, err := p.sign(claims)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	fmt.Fprintf(w, `{"access_token": "x", "token_type": "bearer", "id_token": %q}`, identity)
}

// person is a terminal with somebody at it who opens each link.
type person struct {
	t     *testing.T
	shown strings.Builder
}

var link = regexp.MustCompile(`http://\S+/auth\?\S+`)

func (p *person) Write(text []byte) (int, error) {
	p.shown.Write(text)
	if found := link.FindString(string(text)); found != "" {
		go func() {
			// An answer to no question comes first; it must be ignored.
			u, err := url.Parse(found)
			if err == nil {
				back := strings.Replace(u.Query().Get("redirect_uri"), "localhost", "127.0.0.1", 1)
				_ = open(back + "?state=guess&code=evil")
				err = open(found)
			}
			if err != nil {
				p.t.Error(err)
			}
		}()
	}
	return len(text), nil
}

func (p *person) Close() error { return nil }

func open(address string) error {
	response, err := http.Get(address)
	if err != nil {
		return err
	}
	return response.Body.Close()
}

func TestSignIn(t *testing.T) {
	clean(t)
	for name, c := range map[string]struct {
		provider string
		people   func(*people)
		want     error
		text     string // in what is shown, or said
	}{
		"browser":                {"browser", nil, nil, "open this link in a browser on this machine"},
		"browser, refused":       {"browser", func(p *people) { p.refuse = true }, signer.ErrDenied, "access_denied"},
		"browser, other nonce":   {"browser", func(p *people) { p.nonce = "x" }, signer.ErrDenied, "another question"},
		"device":                 {"device", func(p *people) { p.pending = 1 }, nil, "enter the code ABCD-EFGH"},
		"device, refused":        {"device", func(p *people) { p.refuse = true }, signer.ErrDenied, "access_denied"},
		"provider of other keys": {"device", func(p *people) { p.key = newPeople(t).key }, signer.ErrInvalid, "identity token of http"},
	} {
		t.Run(name, func(t *testing.T) {
			provider, terminal, times := newPeople(t), &person{t: t}, 0
			if c.people != nil {
				c.people(provider)
			}
			at := nowhere(t)
			at.terminal = func() (io.WriteCloser, error) { times++; return terminal, nil }
			o := withAudience(options{provider: c.provider, oidcIssuer: provider.url, oidcClientID: defaultClient})
			source, err := findToken(at, o, newNetwork())
			if err != nil {
				t.Fatal(err)
			}
			got, err := source.fetch(t.Context(), time.Now(), defaultAudience)
			if !errors.Is(err, c.want) || !strings.Contains(terminal.shown.String()+said(err), c.text) {
				t.Errorf("got %s, shown %s", said(err), terminal.shown.String())
			}
			if c.want == nil && got.subject != "ada@example.com" {
				t.Errorf("signed in as %q", got.subject)
			}
			if _, again := source.fetch(t.Context(), time.Now(), defaultAudience); c.want != nil && (again == nil || times != 1) {
				t.Errorf("who refused once was asked %d times: %v", times, again)
			}
		})
	}
}

func TestNobodySignsIn(t *testing.T) {
	clean(t)
	o := withAudience(options{provider: "browser", oidcIssuer: newPeople(t).url, oidcClientID: defaultClient})
	source, err := findToken(nowhere(t), o, newNetwork())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := source.fetch(t.Context(), time.Now(), defaultAudience); !errors.Is(err, signer.ErrInvalid) || !strings.Contains(err.Error(), "no terminal") {
		t.Errorf("without a terminal: %v", err)
	}
	at := nowhere(t)
	shown := make(chan struct{})
	at.terminal = func() (io.WriteCloser, error) { return silent{shown}, nil }
	if source, err = findToken(at, o, newNetwork()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-shown; cancel() }()
	if _, err := source.fetch(ctx, time.Now(), defaultAudience); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	t.Setenv("CI", "true")
	if _, err := findToken(at, o, newNetwork()); !errors.Is(err, signer.ErrInvalid) || !strings.Contains(err.Error(), "CI is set") {
		t.Errorf("in CI: %v", err)
	}
	o.oidcIssuer = "http://127.0.0.1:1"
	t.Setenv("CI", "false")
	if source, err = findToken(at, o, newNetwork()); err != nil {
		t.Fatal(err)
	}
	if _, err := source.fetch(t.Context(), time.Now(), defaultAudience); !errors.Is(err, signer.ErrUnavailable) {
		t.Errorf("no identity provider: %v", err)
	}
}

// silent is a terminal with nobody at it. It tells when something was shown.
type silent struct{ shown chan<- struct{} }

func (s silent) Write(text []byte) (int, error) {
	close(s.shown)
	return len(text), nil
}

func (s silent) Close() error { return nil }
