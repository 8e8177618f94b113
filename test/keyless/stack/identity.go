package stack

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"
)

// keyID names the issuer's only key.
const keyID = "k1"

// Issuer is an OpenID Connect provider: discovery, keys, and identity tokens for whoever asks in process.
type Issuer struct {
	URL string

	server *httptest.Server
	key    *ecdsa.PrivateKey
}

func newIssuer() (*Issuer, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make the key of the identity provider: %w", err)
	}
	public, err := key.PublicKey.Bytes() // 4, x, y
	if err != nil {
		return nil, fmt.Errorf("encode the key of the identity provider: %w", err)
	}
	i := &Issuer{key: key}
	mux := http.NewServeMux()
	i.server = httptest.NewServer(mux)
	i.URL = i.server.URL
	mux.HandleFunc("GET /.well-known/openid-configuration", answer(map[string]any{
		"issuer": i.URL, "jwks_uri": i.URL + "/keys", "authorization_endpoint": i.URL + "/auth", "token_endpoint": i.URL + "/token",
		"response_types_supported": []string{"id_token"}, "subject_types_supported": []string{"public"},
		"id_token_signing_alg_values_supported": []string{"ES256"},
	}))
	mux.HandleFunc("GET /keys", answer(map[string]any{"keys": []any{map[string]any{
		"kty": "EC", "crv": "P-256", "kid": keyID, "use": "sig", "alg": "ES256", "x": encode(public[1:33]), "y": encode(public[33:]),
	}}}))
	return i, nil
}

// Token is an identity token for a person with this address, as Fulcio expects it, that is valid for so long.
func (i *Issuer) Token(email string, valid time.Duration) (string, error) {
	return i.TokenFor("sigstore", email, valid)
}

// TokenFor is Token for another audience.
func (i *Issuer) TokenFor(audience, email string, valid time.Duration) (string, error) {
	now := time.Now()
	header, err := json.Marshal(map[string]any{"alg": "ES256", "kid": keyID, "typ": "JWT"})
	if err != nil {
		return "", err
	}
	claims, err := json.Marshal(map[string]any{
		"iss": i.URL, "sub": email, "aud": audience, "email": email, "email_verified": true,
		"iat": now.Add(min(valid, 0)).Unix(), "exp": now.Add(valid).Unix(),
	})
	if err != nil {
		return "", err
	}
	signed := encode(header) + "." + encode(claims)
	digest := sha256.Sum256([]byte(signed))
	r, s, err := ecdsa.Sign(rand.Reader, i.key, digest[:])
	if err != nil {
		return "", fmt.Errorf("sign an identity token: %w", err)
	}
	var signature [64]byte
	r.FillBytes(signature[:32])
	s.FillBytes(signature[32:])
	return signed + "." + encode(signature[:]), nil
}

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// answer serves a document.
func answer(document any) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(document) // a client that went away misses it
	}
}
