package transit_test

import (
	"encoding/pem"
	"errors"
	"strings"
	"testing"

	"github.com/hashicorp/vault/builtin/credential/cert"

	"github.com/artifactctl/artifactctl/plugins/signer"
	"github.com/artifactctl/artifactctl/plugins/signer/signertest"
	"github.com/artifactctl/artifactctl/test/transit"
)

// scenario is a server, and how to log in there.
type scenario struct {
	server  *transit.Server
	env     []string
	with    map[string]any // besides key
	secrets []string
}

// scenarios are all ways to log in that succeed.
func scenarios() map[string]func(t *testing.T) scenario {
	return map[string]func(t *testing.T) scenario{
		"approle variables": func(t *testing.T) scenario {
			s := newServer(t)
			role, secret := enableAppRole(t, s, "approle", "", nil)
			return scenario{s, []string{"VAULT_ROLE_ID=" + role, "VAULT_SECRET_ID=" + secret}, auth("method", "approle"), []string{secret}}
		},
		"approle file, mount": func(t *testing.T) scenario {
			s := newServer(t)
			role, secret := enableAppRole(t, s, "teams/a/ci", "", nil)
			return scenario{s, nil, auth("method", "approle", "mount", "auth/teams/a/ci/", "roleID", role, "secretID", "file://"+file(t, secret)), []string{secret}}
		},
		"approle wrapped": func(t *testing.T) scenario {
			s := newServer(t)
			role, secret := enableAppRole(t, s, "approle", "", nil)
			token := s.Wrap(t, "", "auth/approle/role/ci/secret-id", map[string]any{"secret_id": secret})
			return scenario{s, []string{"WRAPPED=" + token}, auth("method", "approle", "roleID", role, "secretID", "env://WRAPPED", "wrapped", true), []string{secret, token}}
		},
		"approle without secret id": func(t *testing.T) scenario {
			s := newServer(t)
			role, _ := enableAppRole(t, s, "approle", "", map[string]any{"bind_secret_id": false, "token_bound_cidrs": "127.0.0.0/8,::1/128"})
			return scenario{s, []string{"VAULT_TOKEN=hvs.of-somebody-else"}, auth("method", "approle", "roleID", role), nil}
		},
		"jwt GitLab": func(t *testing.T) scenario {
			s := newServer(t)
			token := enableJWT(t, s, "jwt", "").token(t, subject, audience, nil)
			return scenario{s, []string{"VAULT_ID_TOKEN=" + token}, auth("method", "jwt", "role", "ci"), []string{token}}
		},
		"jwt GitHub": func(t *testing.T) scenario {
			s := newServer(t)
			env := github(t, enableJWT(t, s, "github/actions", ""), "bearer-of-the-job")
			return scenario{s, env, auth("method", "jwt", "role", "ci", "mount", "github/actions", "audience", audience), []string{"bearer-of-the-job"}}
		},
		"jwt file": func(t *testing.T) scenario {
			s := newServer(t)
			token := enableJWT(t, s, "jwt", "").token(t, subject, audience, nil)
			return scenario{s, nil, auth("method", "jwt", "role", "ci", "jwt", "file://"+file(t, token)), []string{token}}
		},
		"jwt in the namespace": func(t *testing.T) scenario {
			s := transit.Start(t, "transit", "prod/eu")
			allow(t, s)
			token := enableJWT(t, s, "jwt", "prod/eu").token(t, subject, audience, nil)
			return scenario{s, []string{"TOKEN=" + token, "VAULT_NAMESPACE=prod/eu"}, auth("method", "jwt", "role", "ci", "jwt", "env://TOKEN"), []string{token}}
		},
		"jwt in another namespace": func(t *testing.T) scenario {
			s := transit.Start(t, "transit", "prod/eu")
			allow(t, s)
			token := enableJWT(t, s, "jwt", "prod").token(t, subject, audience, nil)
			with := auth("method", "jwt", "role", "ci", "jwt", "env://TOKEN", "namespace", "prod")
			with["namespace"] = "prod/eu"
			return scenario{s, []string{"BAO_NAMESPACE=other", "TOKEN=" + token}, with, []string{token}}
		},
		"kubernetes": func(t *testing.T) scenario {
			s := newServer(t)
			token := enableKubernetes(t, s, "kubernetes").serviceAccount(t, "publisher")
			return scenario{s, nil, auth("method", "kubernetes", "role", "ci", "jwt", "file://"+file(t, token)), []string{token}}
		},
		"cert": func(t *testing.T) scenario {
			s, ca := newTLSServer(t)
			certificate, key, text := clientCertificate(t, "ci.example.com")
			s.Enable(t, cert.Factory, "cert", "")
			s.WriteAuth(t, "cert", "", "certs/ci", map[string]any{"certificate": text, "allowed_common_names": "ci.example.com", "token_policies": policy})
			return scenario{s, []string{"VAULT_CACERT=" + ca, "VAULT_CLIENT_CERT=" + certificate, "VAULT_CLIENT_KEY=" + key}, auth("method", "cert", "role", "ci"), nil}
		},
	}
}

// auth makes the options of a login.
func auth(pairs ...any) map[string]any {
	block := map[string]any{}
	for i := 0; i < len(pairs); i += 2 {
		block[pairs[i].(string)] = pairs[i+1]
	}
	return map[string]any{"key": "artifacts", "auth": block}
}

func newTLSServer(t *testing.T) (s *transit.Server, ca string) {
	t.Helper()
	s, h := transit.StartTLS(t, "transit", "")
	allow(t, s)
	return s, file(t, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: h.Certificate().Raw})))
}

// Every method gives a token that signs; it is revoked at the end; nothing that is secret is shown.
func TestLogin(t *testing.T) {
	for name, prepare := range scenarios() {
		t.Run(name, func(t *testing.T) {
			c := prepare(t)
			p := launch(t, append(c.env, "VAULT_ADDR="+c.server.URL)...)
			info, err := p.Open(t.Context(), c.with)
			if err != nil {
				t.Fatalf("%v\nhint: %s", err, hintOf(err))
			}
			if len(info.Warnings) > 0 {
				t.Errorf("warnings are %q", info.Warnings)
			}
			if _, err := p.Sign(t.Context(), signertest.Request(signer.PayloadInToto, 1)); err != nil {
				t.Error(err)
			}
			if tokens := c.server.Issued(); len(tokens) != 1 || tokens[0].Revoked {
				t.Errorf("while it runs the tokens are %+v", tokens)
			}
			if err := p.Close(); err != nil {
				t.Error(err)
			}
			if tokens := c.server.Issued(); len(tokens) != 1 || !tokens[0].Revoked {
				t.Errorf("afterwards the tokens are %+v", tokens)
			}
			p.silent(t, c.server, c.secrets, info.Identity, strings.Join(info.Warnings, "\n"))
		})
	}
}

// What is wrong is said before anything is signed, with the class, the server's own words and what to do.
func TestLoginRefused(t *testing.T) {
	s := newServer(t)
	role, secret := enableAppRole(t, s, "approle", "", nil)
	i := enableJWT(t, s, "jwt", "")
	s.WriteAuth(t, "jwt", "", "role/other", map[string]any{
		"role_type": "jwt", "user_claim": "sub", "bound_audiences": audience, "bound_claims": map[string]any{"environment": "production"},
	})
	cluster := enableKubernetes(t, s, "kubernetes")
	stranger := newIssuer(t, i.url)
	wrap := func(path string) string { return s.Wrap(t, "", path, map[string]any{"secret_id": secret}) }
	tests := map[string]struct {
		secret     string // goes to the variable SECRET
		auth       map[string]any
		class      error
		want, hint string
	}{
		"wrong secret id": {"7c1f64d2-wrong", auth("method", "approle", "roleID", role, "secretID", "env://SECRET"), signer.ErrDenied,
			"log in at auth/approle/login: signer was denied: 400 invalid role or secret ID", "vault write -f auth/approle/role/NAME/secret-id"},
		"wrong role id": {secret, auth("method", "approle", "roleID", "no-such-role", "secretID", "env://SECRET"), signer.ErrDenied,
			"400 invalid role or secret ID", "both ids of one role"},
		"no secret id": {"", auth("method", "approle", "roleID", role), signer.ErrDenied, "400 missing secret_id", "VAULT_SECRET_ID is not set"},
		"used wrapping token": {"hvs.used-wrapping-token", auth("method", "approle", "roleID", role, "secretID", "env://SECRET", "wrapped", true), signer.ErrDenied,
			"unwrap the secret id at sys/wrapping/unwrap: signer was denied: 400 wrapping token is not valid", "works once"},
		"foreign wrapping token": {wrap("secret/data/other"), auth("method", "approle", "roleID", role, "secretID", "env://SECRET", "wrapped", true), signer.ErrDenied,
			"does not hold a secret id of auth/approle", "-wrap-ttl"},
		"wrong mount": {secret, auth("method", "approle", "mount", "a/b", "roleID", role, "secretID", "env://SECRET"), signer.ErrDenied,
			"log in at auth/a/b/login: signer was denied: 403 permission denied", "not mounted at auth/a/b?"},
		"wrong role": {i.token(t, subject, audience, nil), auth("method", "jwt", "role", "nobody", "jwt", "env://SECRET"), signer.ErrInvalid,
			`log in at auth/jwt/login: invalid signer configuration: 400 role "nobody" could not be found`, "vault list auth/jwt/role"},
		"no role": {i.token(t, subject, audience, nil), auth("method", "jwt", "jwt", "env://SECRET"), signer.ErrInvalid,
			"400 missing role", "auth: {role: NAME}"},
		"wrong subject": {i.token(t, "repo:org/fork:pull_request", audience, nil), auth("method", "jwt", "role", "ci", "jwt", "env://SECRET"), signer.ErrDenied,
			`400 error validating claims: claim "sub" does not match any associated bound claim values`,
			`it says iss "https://token.actions.githubusercontent.com", sub "repo:org/fork:pull_request", aud ["https://vault.example.com"]; compare it with bound_audiences`},
		"missing claim": {i.token(t, subject, audience, nil), auth("method", "jwt", "role", "other", "jwt", "env://SECRET"), signer.ErrDenied,
			`claim "environment" is missing`, "vault read auth/jwt/role/other"},
		"wrong audience": {i.token(t, subject, "https://github.com/org", nil), auth("method", "jwt", "role", "ci", "jwt", "env://SECRET"), signer.ErrDenied,
			"400 error validating token: invalid audience (aud) claim", `aud ["https://github.com/org"]`},
		"expired": {i.token(t, subject, audience, map[string]any{"iat": 1, "nbf": 1, "exp": 1700000000}), auth("method", "jwt", "role", "ci", "jwt", "env://SECRET"), signer.ErrDenied,
			"400 error validating token", "it expired at 2023-11-14T22:13:20Z"},
		"wrong issuer": {stranger.token(t, subject, audience, nil), auth("method", "jwt", "role", "ci", "jwt", "env://SECRET"), signer.ErrDenied,
			"400 error validating token", "vault read auth/jwt/config"},
		"no JWT at all": {"not.a-jwt", auth("method", "jwt", "role", "ci", "jwt", "env://SECRET"), signer.ErrDenied,
			"400 error validating token", "does not look like a JWT"},
		"wrong account": {cluster.serviceAccount(t, "default"), auth("method", "kubernetes", "role", "ci", "jwt", "env://SECRET"), signer.ErrDenied,
			"403 service account name not authorized", `sub "system:serviceaccount:flux-system:default"`},
		"wrong cluster": {stranger.serviceAccount(t, "publisher"), auth("method", "kubernetes", "role", "ci", "jwt", "env://SECRET"), signer.ErrDenied,
			"log in at auth/kubernetes/login: signer was denied: 403 permission denied", "bound_service_account_names"},
		"wrong kubernetes role": {cluster.serviceAccount(t, "publisher"), auth("method", "kubernetes", "role", "nobody", "jwt", "env://SECRET"), signer.ErrInvalid,
			`400 invalid role name "nobody"`, "vault list auth/kubernetes/role"},
		"variable not let through": {"", auth("method", "jwt", "role", "ci", "jwt", "env://OTHER"), signer.ErrInvalid,
			"variable OTHER, which should hold the JWT, is not set", "list it under `env`"},
		"nothing there": {"", auth("method", "jwt", "role", "ci"), signer.ErrInvalid,
			"VAULT_ID_TOKEN is not set, ACTIONS_ID_TOKEN_REQUEST_URL is not set, ACTIONS_ID_TOKEN_REQUEST_TOKEN is not set", "permissions: {id-token: write}"},
		"no pod": {"", auth("method", "kubernetes", "role", "ci"), signer.ErrInvalid,
			"the service account token: open /var/run/secrets/kubernetes.io/serviceaccount/token: no such file", "does this run in a pod?"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			p := launch(t, "VAULT_ADDR="+s.URL, "SECRET="+tt.secret, "VAULT_MAX_RETRIES=0")
			_, err := p.Open(t.Context(), tt.auth)
			if !errors.Is(err, tt.class) || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("got  %v\nwant %s", err, tt.want)
			}
			if !strings.Contains(hintOf(err), tt.hint) {
				t.Errorf("the hint is %q, want %q", hintOf(err), tt.hint)
			}
			_ = p.Close()
			p.silent(t, s, []string{tt.secret}, err.Error(), hintOf(err))
		})
	}
	if n := len(s.Issued()); n != 0 {
		t.Errorf("%d tokens were issued", n)
	}
}

// A certificate that the role does not know.
func TestLoginRefusedByCertificate(t *testing.T) {
	s, ca := newTLSServer(t)
	_, _, trusted := clientCertificate(t, "ci.example.com")
	certificate, key, _ := clientCertificate(t, "ci.example.com")
	s.Enable(t, cert.Factory, "cert", "")
	s.WriteAuth(t, "cert", "", "certs/ci", map[string]any{"certificate": trusted, "token_policies": policy})
	p := launch(t, "VAULT_ADDR="+s.URL, "VAULT_CACERT="+ca, "VAULT_CLIENT_CERT="+certificate, "VAULT_CLIENT_KEY="+key)
	_, err := p.Open(t.Context(), auth("method", "cert", "role", "ci"))
	if !errors.Is(err, signer.ErrDenied) || !strings.Contains(err.Error(), "log in at auth/cert/login: signer was denied: 400") || !strings.Contains(hintOf(err), `of role "ci"`) {
		t.Errorf("got %v\nhint: %s", err, hintOf(err))
	}
}
