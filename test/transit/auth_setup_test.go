package transit_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	authjwt "github.com/hashicorp/vault-plugin-auth-jwt"
	authkubernetes "github.com/hashicorp/vault-plugin-auth-kubernetes"
	"github.com/hashicorp/vault/builtin/credential/approle"

	"github.com/artifactctl/artifactctl/plugins/signer/rpc"
	"github.com/artifactctl/artifactctl/test/peers"
	"github.com/artifactctl/artifactctl/test/transit"
)

// policy is what the roles of all methods give: what a signer needs, no more.
const policy = "artifactctl"

// allow makes a key "artifacts", and the policy.
func allow(t *testing.T, s *transit.Server) {
	t.Helper()
	s.Write(t, "keys/artifacts", map[string]any{"type": "ecdsa-p256"})
	s.Policy(policy, transit.Grant{Path: s.Mount + "/keys/artifacts", Capabilities: []string{"read"}},
		transit.Grant{Path: s.Mount + "/sign/artifacts/sha2-256", Capabilities: []string{"update"}})
}

func newServer(t *testing.T) *transit.Server {
	t.Helper()
	s := transit.Start(t, "transit", "")
	allow(t, s)
	return s
}

// plugin is one with everything that it says, and the secrets that must not be in there.
type plugin struct {
	*rpc.Process
	mu   sync.Mutex
	text bytes.Buffer
}

func (p *plugin) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.Write(b)
}

// launch starts the plugin with these variables and nothing else; its log, at debug level, is kept.
func launch(t *testing.T, env ...string) *plugin {
	t.Helper()
	p := &plugin{}
	process, err := rpc.Start(t.Context(), rpc.StartOptions{
		Name: "vault", Path: filepath.Join(peers.Product(t, false), "signer-vault"), Dir: t.TempDir(), Env: env, Log: p, LogLevel: "debug",
	})
	if err != nil {
		t.Fatal(err)
	}
	p.Process = process
	t.Cleanup(func() { _ = p.Close() })
	return p
}

// silent checks that neither the log nor these texts show any of the secrets, nor any token that the server issued.
func (p *plugin) silent(t *testing.T, s *transit.Server, secrets []string, texts ...string) {
	t.Helper()
	p.mu.Lock()
	all := p.text.String() + strings.Join(texts, "\n")
	p.mu.Unlock()
	for _, token := range s.Issued() {
		secrets = append(secrets, token.ID)
	}
	for _, secret := range secrets {
		for _, form := range []string{secret, base64.StdEncoding.EncodeToString([]byte(secret)), base64.RawURLEncoding.EncodeToString([]byte(secret))} {
			if secret != "" && strings.Contains(all, form) {
				t.Errorf("a secret is shown:\n%s", all)
			}
		}
	}
}

// hintOf is the advice that an error gives.
func hintOf(err error) string {
	var h interface{ Hint() string }
	if errors.As(err, &h) {
		return h.Hint()
	}
	return ""
}

// file writes a secret that only its owner may read.
func file(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, []byte(content+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// enableAppRole mounts AppRole with a role "ci", and returns its role id and a secret id.
func enableAppRole(t *testing.T, s *transit.Server, mount, namespace string, role map[string]any) (roleID, secretID string) {
	t.Helper()
	s.Enable(t, approle.Factory, mount, namespace)
	data := map[string]any{"token_policies": policy}
	for k, v := range role {
		data[k] = v
	}
	s.WriteAuth(t, mount, namespace, "role/ci", data)
	roleID, _ = s.ReadAuth(t, mount, namespace, "role/ci/role-id")["role_id"].(string)
	if role["bind_secret_id"] != false {
		secretID, _ = s.WriteAuth(t, mount, namespace, "role/ci/secret-id", nil)["secret_id"].(string)
	}
	return roleID, secretID
}

// issuer makes JWTs.
type issuer struct {
	url string
	key *ecdsa.PrivateKey
}

func newIssuer(t *testing.T, url string) *issuer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return &issuer{url, key}
}

func (i *issuer) publicPEM(t *testing.T) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(i.key.Public())
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

// token makes one; more claims replace the usual ones.
func (i *issuer) token(t testing.TB, subject, audience string, more map[string]any) string {
	claims := map[string]any{
		"iss": i.url, "sub": subject, "aud": audience, "iat": time.Now().Unix(), "nbf": time.Now().Add(-time.Minute).Unix(), "exp": time.Now().Add(time.Hour).Unix(),
	}
	for k, v := range more {
		claims[k] = v
	}
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: i.key}, (&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		t.Fatal(err)
	}
	text, err := jwt.Signed(s).Claims(claims).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

const (
	subject  = "repo:org/fleet:ref:refs/heads/main"
	audience = "https://vault.example.com"
)

// enableJWT mounts the JWT method with a role "ci" for the issuer, subject and audience.
func enableJWT(t *testing.T, s *transit.Server, mount, namespace string) *issuer {
	t.Helper()
	i := newIssuer(t, "https://token.actions.githubusercontent.com")
	s.Enable(t, authjwt.Factory, mount, namespace)
	s.WriteAuth(t, mount, namespace, "config", map[string]any{"jwt_validation_pubkeys": i.publicPEM(t), "bound_issuer": i.url})
	s.WriteAuth(t, mount, namespace, "role/ci", map[string]any{
		"role_type": "jwt", "user_claim": "sub", "bound_audiences": audience, "bound_claims": map[string]any{"sub": subject}, "token_policies": policy,
	})
	return i
}

// github is the part of GitHub Actions that gives tokens to jobs.
func github(t *testing.T, i *issuer, bearer string) (env []string) {
	t.Helper()
	h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+bearer || r.URL.Query().Get("api-version") != "2.0" {
			http.Error(w, "no", http.StatusUnauthorized)
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"value": i.token(t, subject, r.URL.Query().Get("audience"), nil)})
	}))
	t.Cleanup(h.Close)
	return []string{"ACTIONS_ID_TOKEN_REQUEST_URL=" + h.URL + "/token?api-version=2.0", "ACTIONS_ID_TOKEN_REQUEST_TOKEN=" + bearer}
}

// enableKubernetes mounts the Kubernetes method with a role "ci" for the service account flux-system/publisher, and a
// cluster that reviews tokens.
func enableKubernetes(t *testing.T, s *transit.Server, mount string) *issuer {
	t.Helper()
	i := newIssuer(t, "https://kubernetes.default.svc.cluster.local")
	cluster := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { review(w, r, i) }))
	t.Cleanup(cluster.Close)
	s.Enable(t, authkubernetes.Factory, mount, "")
	s.WriteAuth(t, mount, "", "config", map[string]any{"kubernetes_host": cluster.URL, "disable_local_ca_jwt": true, "token_reviewer_jwt": "reviewer"})
	s.WriteAuth(t, mount, "", "role/ci", map[string]any{
		"bound_service_account_names": "publisher", "bound_service_account_namespaces": "flux-system", "audience": audience, "token_policies": policy,
	})
	return i
}

// review is the cluster's TokenReview: of tokens that it signed it tells whose they are.
func review(w http.ResponseWriter, r *http.Request, i *issuer) {
	var body struct {
		Spec struct {
			Token     string   `json:"token"`
			Audiences []string `json:"audiences"`
		} `json:"spec"`
	}
	if r.URL.Path != "/apis/authentication.k8s.io/v1/tokenreviews" || json.NewDecoder(r.Body).Decode(&body) != nil {
		http.NotFound(w, r)
		return
	}
	status := map[string]any{"authenticated": false}
	claims := jwt.Claims{}
	if parsed, err := jwt.ParseSigned(body.Spec.Token, []jose.SignatureAlgorithm{jose.ES256}); err == nil && parsed.Claims(i.key.Public(), &claims) == nil {
		status = map[string]any{
			"authenticated": true, "audiences": body.Spec.Audiences,
			"user": map[string]any{"username": claims.Subject, "uid": "7b2f"},
		}
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusCreated)
	_ = json.NewEncoder(w).Encode(map[string]any{"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "status": status})
}

// serviceAccount makes the token of a pod in namespace flux-system.
func (i *issuer) serviceAccount(t *testing.T, name string) string {
	return i.token(t, "system:serviceaccount:flux-system:"+name, audience, map[string]any{
		"aud":           []string{audience}, // as Kubernetes writes it, even if there is one only
		"kubernetes.io": map[string]any{"namespace": "flux-system", "serviceaccount": map[string]any{"name": name, "uid": "7b2f"}},
	})
}

// clientCertificate makes a self-signed certificate for TLS clients and returns the paths of both files, and the PEM.
func clientCertificate(t *testing.T, name string) (certificate, key, text string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), AuthorityKeyId: []byte{1}, SubjectKeyId: []byte{1},
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	text = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	return file(t, text), file(t, string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}))), text
}
