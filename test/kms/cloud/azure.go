package cloud

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"net/http"
	"strings"
	"sync"
	"testing"
)

// Where Azure's test tenant is, and what it knows.
const (
	AzureVault       = "fleet.vault.azure.net"
	AzureLogin       = "login.microsoftonline.com"
	AzureTenant      = "11111111-2222-3333-4444-555555555555"
	AzureClient      = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"
	AzureSecret      = "client-secret-of-the-test"
	AzureFederated   = "eyJ-federated-token-of-the-test"
	azureAccessToken = "eyJ-access-token-of-the-test"
)

// Azure is a Key Vault and as much of Entra ID as gives it tokens.
type Azure struct {
	faults
	mu       sync.Mutex
	versions map[string][]azureVersion // by name of the key, the latest last
}

type azureVersion struct {
	id  string
	key crypto.Signer
}

// NewAzure adds Azure to an internet.
func NewAzure(n *Internet) *Azure {
	a := &Azure{versions: map[string][]azureVersion{}}
	n.Handle(AzureVault, a)
	n.Handle(AzureLogin, http.HandlerFunc(a.serveLogin))
	return a
}

// AddVersion adds a version to a key, which is then its latest.
func (a *Azure) AddVersion(t testing.TB, key, version, kind string) crypto.PublicKey {
	t.Helper()
	made := Key(t, kind, "azure/"+key+"/"+version)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.versions[key] = append(a.versions[key], azureVersion{version, made})
	return made.Public()
}

// WriteAzureError writes an error as Key Vault does.
func WriteAzureError(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"error": map[string]string{"code": code, "message": message}})
}

func (a *Azure) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") != "Bearer "+azureAccessToken {
		w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Bearer authorization="https://%s/%s", resource="https://vault.azure.net"`, AzureLogin, AzureTenant))
		WriteAzureError(w, http.StatusUnauthorized, "Unauthorized", "AKV10000: Request is missing a Bearer or PoP token.")
		return
	}
	action := "get"
	if r.Method == http.MethodPost {
		action = r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:]
	}
	if a.spoiled(w, r, action) {
		return
	}
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/") // keys/NAME[/VERSION[/sign]]
	if len(parts) < 2 || parts[0] != "keys" {
		WriteAzureError(w, http.StatusNotFound, "NotFound", "no such path")
		return
	}
	version := ""
	if len(parts) > 2 && parts[2] != "sign" {
		version = parts[2]
	}
	found, ok := a.find(parts[1], version)
	if !ok {
		WriteAzureError(w, http.StatusNotFound, "KeyNotFound", fmt.Sprintf("A key with (name/id) %s was not found in this key vault.", parts[1]))
		return
	}
	w.Header().Set("Content-Type", "application/json")
	kid := "https://" + AzureVault + "/keys/" + parts[1] + "/" + found.id
	if action == "get" {
		_ = json.NewEncoder(w).Encode(map[string]any{"key": found.jwk(kid), "attributes": map[string]any{"enabled": true}})
		return
	}
	found.sign(w, r, kid)
}

func (a *Azure) find(name, version string) (azureVersion, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	all := a.versions[name]
	for i := len(all) - 1; i >= 0; i-- {
		if version == "" || all[i].id == version {
			return all[i], true
		}
	}
	return azureVersion{}, false
}

func (v azureVersion) jwk(kid string) map[string]any {
	b64 := base64.RawURLEncoding.EncodeToString
	switch key := v.key.Public().(type) {
	case *ecdsa.PublicKey:
		point, err := key.Bytes()
		if err != nil {
			return nil
		}
		half := (len(point) - 1) / 2
		return map[string]any{"kid": kid, "kty": "EC-HSM", "crv": curveName(key), "x": b64(point[1 : 1+half]), "y": b64(point[1+half:]), "key_ops": []string{"sign", "verify"}}
	case *rsa.PublicKey:
		return map[string]any{"kid": kid, "kty": "RSA", "n": b64(key.N.Bytes()), "e": b64(big.NewInt(int64(key.E)).Bytes()), "key_ops": []string{"sign", "verify"}}
	}
	return nil
}

func (v azureVersion) sign(w http.ResponseWriter, r *http.Request, kid string) {
	var request struct{ Alg, Value string }
	err := json.NewDecoder(r.Body).Decode(&request)
	digest, err2 := base64.RawURLEncoding.DecodeString(request.Value)
	hash := map[string]crypto.Hash{"256": crypto.SHA256, "384": crypto.SHA384, "512": crypto.SHA512}[request.Alg[min(2, len(request.Alg)):]]
	if err != nil || err2 != nil || len(digest) != hash.Size() {
		WriteAzureError(w, http.StatusBadRequest, "BadParameter", "Invalid length of 'value'")
		return
	}
	sig, err := v.key.Sign(rand.Reader, digest, hash)
	if key, ok := v.key.Public().(*ecdsa.PublicKey); ok && err == nil {
		sig, err = fixedSize(sig, (key.Params().BitSize+7)/8)
	}
	if err != nil {
		WriteAzureError(w, http.StatusInternalServerError, "InternalError", err.Error())
		return
	}
	_ = json.NewEncoder(w).Encode(map[string]string{"kid": kid, "value": base64.RawURLEncoding.EncodeToString(sig)})
}

// fixedSize turns an ASN.1 signature into the two numbers one after the other, as Azure gives them.
func fixedSize(der []byte, size int) ([]byte, error) {
	var s struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(der, &s); err != nil {
		return nil, err
	}
	out := make([]byte, 2*size)
	s.R.FillBytes(out[:size])
	s.S.FillBytes(out[size:])
	return out, nil
}

// serveLogin is Entra ID: what it says of itself, and tokens for a client secret or a federated token.
func (a *Azure) serveLogin(w http.ResponseWriter, r *http.Request) {
	base := "https://" + AzureLogin + "/" + AzureTenant
	w.Header().Set("Content-Type", "application/json")
	switch {
	case strings.HasSuffix(r.URL.Path, "/discovery/instance"):
		_, _ = fmt.Fprintf(w, `{"tenant_discovery_endpoint":"%s/v2.0/.well-known/openid-configuration","api-version":"1.1","metadata":[{"preferred_network":%q,"preferred_cache":%q,"aliases":[%q]}]}`, base, AzureLogin, AzureLogin, AzureLogin)
	case strings.HasSuffix(r.URL.Path, "/openid-configuration"):
		_, _ = fmt.Fprintf(w, `{"token_endpoint":"%s/oauth2/v2.0/token","authorization_endpoint":"%s/oauth2/v2.0/authorize","issuer":"%s/v2.0"}`, base, base, base)
	case r.FormValue("client_id") == AzureClient && (r.FormValue("client_secret") == AzureSecret || r.FormValue("client_assertion") == AzureFederated):
		_, _ = fmt.Fprintf(w, `{"token_type":"Bearer","expires_in":3600,"ext_expires_in":3600,"access_token":%q}`, azureAccessToken)
	default:
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = fmt.Fprint(w, `{"error":"invalid_client","error_description":"AADSTS7000215: Invalid client secret provided. Ensure the secret being sent in the request is the client secret value.","error_codes":[7000215]}`)
	}
}
