package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/hashicorp/vault/api"

	"github.com/artifactctl/artifactctl/plugins/signer"
)

// login gets tokens by one of Vault's auth methods, and looks after them. It is used by one goroutine at a time.
type login struct {
	auth   authOptions
	client *api.Client // without a token, in the namespace of the method
	hidden *secrets
	// secretID came out of a wrapping token, which gives it only once.
	secretID string
}

// lease is a token with what the server said about it.
type lease struct {
	token     string
	full      time.Duration // what it was valid for at first; 0: for ever
	ends      time.Time
	renewable bool
}

// newLogin checks what can be checked without asking anybody.
func newLogin(client *api.Client, address string, a authOptions, hidden *secrets) (*login, error) {
	if a.method == methodCert {
		if os.Getenv(api.EnvVaultClientCert) == "" || os.Getenv(api.EnvVaultClientKey) == "" {
			return nil, signer.Invalidf("both name files in PEM; list them under `env` of this signer",
				"there is no client certificate to log in with: VAULT_CLIENT_CERT and VAULT_CLIENT_KEY are not both set")
		}
		if !strings.HasPrefix(address, "https:") {
			return nil, signer.Invalidf("give the address of the server itself, not of an agent", "only over https a client certificate can be shown")
		}
	}
	namespace := client.Namespace()
	switch a.namespace {
	case "":
	case "root":
		namespace = ""
	default:
		namespace = a.namespace
	}
	own := client.WithNamespace(namespace)
	own.ClearToken()
	return &login{auth: a, client: own, hidden: hidden}, nil
}

// as is a client that sends token.
func (l *login) as(token string) *api.Client {
	c := l.client.WithNamespace(l.client.Namespace())
	c.SetToken(token)
	return c
}

func (l *login) path() string { return "auth/" + l.auth.mount + "/login" }

// do logs in.
func (l *login) do(ctx context.Context) (lease, error) {
	data, about, err := l.credentials(ctx)
	if err != nil {
		return lease{}, fmt.Errorf("log in at %s: %w", l.path(), err)
	}
	secret, err := l.as("").Logical().WriteWithContext(ctx, l.path(), data)
	if err == nil {
		err = checkLogin(secret)
	}
	if err != nil {
		return lease{}, l.explain(ctx, about, err)
	}
	l.hidden.add(secret.Auth.ClientToken)
	got := lease{token: secret.Auth.ClientToken, full: seconds(secret.Auth.LeaseDuration), renewable: secret.Auth.Renewable}
	return got.until(got.full), nil
}

// credentials are what the method asks for; about describes them in messages.
func (l *login) credentials(ctx context.Context) (data map[string]any, about string, err error) {
	data = map[string]any{}
	switch l.auth.method {
	case methodAppRole:
		return l.appRole(ctx)
	case methodCert:
		if l.auth.role != "" {
			data["name"] = l.auth.role
		}
		return data, "", nil
	}
	var jwt string
	if l.auth.method == methodJWT {
		jwt, err = identityToken(ctx, l.auth, l.hidden)
	} else {
		jwt, err = l.auth.jwt.read()
	}
	if err != nil {
		return nil, "", err
	}
	l.hidden.add(jwt)
	if data["jwt"] = jwt; l.auth.role != "" {
		data["role"] = l.auth.role
	}
	return data, describeJWT(jwt, time.Now()), nil
}

// appRole reads the two ids. Without any secret id the role alone may do, if its bind_secret_id is false.
func (l *login) appRole(ctx context.Context) (data map[string]any, about string, err error) {
	role, err := l.auth.roleID.read()
	if err != nil {
		return nil, "", err
	}
	data = map[string]any{"role_id": role}
	from := l.auth.secretID
	if from == (source{}) {
		if from = (source{what: "secret id", env: secretIDVariable}); os.Getenv(secretIDVariable) == "" {
			return data, "no secret id was sent: option \"auth.secretID\" is not given and " + secretIDVariable + " is not set", nil
		}
	}
	if data["secret_id"] = l.secretID; l.secretID != "" {
		return data, "", nil
	}
	id, err := from.read()
	if err != nil {
		return nil, "", err
	}
	l.hidden.add(id)
	if l.auth.wrapped {
		if id, err = l.unwrap(ctx, id); err != nil {
			return nil, "", err
		}
		l.secretID = id
	}
	data["secret_id"] = id
	return data, "", nil
}

// unwrap takes the secret id out of a wrapping token, which works once. Where the token was made is looked at first, as
// Vault's own agent does it: one that somebody slipped in comes from elsewhere.
func (l *login) unwrap(ctx context.Context, token string) (string, error) {
	info, err := l.as("").Logical().WriteWithContext(ctx, "sys/wrapping/lookup", map[string]any{"token": token})
	if err != nil {
		return "", l.explainUnwrap(ctx, err)
	}
	if info == nil || !l.wrapsSecretID(info.Data["creation_path"]) {
		return "", signer.WithHint(fmt.Errorf("%w: the wrapping token does not hold a secret id of auth/%s", signer.ErrDenied, l.auth.mount),
			"make it with: vault write -wrap-ttl=5m -f auth/"+l.auth.mount+"/role/NAME/secret-id")
	}
	secret, err := l.as(token).Logical().UnwrapWithContext(ctx, token)
	if err != nil {
		return "", l.explainUnwrap(ctx, err)
	}
	if secret == nil {
		return "", l.explainUnwrap(ctx, errEmpty)
	}
	id, _ := secret.Data["secret_id"].(string)
	if id == "" {
		return "", l.explainUnwrap(ctx, errForeign)
	}
	l.hidden.add(id)
	return id, nil
}

// wrapsSecretID tells whether a wrapping token was made at one of the paths where secret ids are made.
func (l *login) wrapsSecretID(path any) bool {
	text, _ := path.(string)
	if namespace := l.client.Namespace(); namespace != "" {
		text = strings.TrimPrefix(text, namespace+"/")
	}
	role, found := strings.CutPrefix(text, "auth/"+l.auth.mount+"/role/")
	name, end, _ := strings.Cut(role, "/")
	return found && name != "" && (end == "secret-id" || end == "custom-secret-id")
}

// renew prolongs a token and returns for how long.
func (l *login) renew(ctx context.Context, token string) (time.Duration, error) {
	secret, err := l.as(token).Logical().WriteWithContext(ctx, "auth/token/renew-self", map[string]any{})
	if err == nil {
		err = checkLogin(secret)
	}
	if err != nil {
		return 0, l.explainToken(ctx, "renew the token", "auth/token/renew-self", err)
	}
	return seconds(secret.Auth.LeaseDuration), nil
}

// alive tells whether a token is valid, so far as it may be asked about itself.
func (l *login) alive(ctx context.Context, token string) bool {
	secret, err := l.as(token).Logical().ReadWithContext(ctx, "auth/token/lookup-self")
	return err == nil && secret != nil
}

// revoke ends a token. Once must do: it is the last that the process does.
func (l *login) revoke(ctx context.Context, token string) error {
	client, err := l.client.CloneWithHeaders()
	if err != nil {
		return err
	}
	client.SetToken(token)
	client.SetMaxRetries(0)
	_, err = client.Logical().WriteWithContext(ctx, "auth/token/revoke-self", nil)
	if answer := (*api.ResponseError)(nil); err == nil || errors.As(err, &answer) && says(answer, invalidToken) {
		return nil
	}
	return l.explainToken(ctx, "revoke the token", "auth/token/revoke-self", err)
}

func checkLogin(secret *api.Secret) error {
	switch {
	case secret == nil:
		return errEmpty
	case secret.Auth == nil:
		return errForeign
	case secret.Auth.ClientToken == "" && secret.Auth.MFARequirement != nil:
		return errMFA
	case secret.Auth.ClientToken == "":
		return errForeign
	}
	return nil
}

func seconds(n int) time.Duration { return time.Duration(n) * time.Second }

// until is l with its end so far from now.
func (l lease) until(ttl time.Duration) lease {
	l.ends = time.Now().Add(ttl)
	return l
}

// revocable tells whether the server knows the token: a batch token only carries its own signature.
func (l lease) revocable() bool {
	return !strings.HasPrefix(l.token, "hvb.") && !strings.HasPrefix(l.token, "b.")
}
