package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/url"
	"os"

	"github.com/hashicorp/vault/api"

	"github.com/artifactctl/artifactctl/plugins/signer"
)

// invalidToken is what Vault says of a token that has ended or never was. OpenBao and older Vaults leave it out.
const invalidToken = "invalid token"

// server is a Vault or OpenBao, reached as the variables and options say. It is safe for concurrent use.
type server struct {
	client  *api.Client
	hidden  *secrets // of which no message shows any
	session *session // nil if the token is somebody else's
}

// connect prepares the client, and logs in if the options say so; otherwise nothing is sent yet. The configuration is
// vault/api's own default, so that its variables for TLS, proxies, timeouts, retries and rate limits work as with the
// vault command.
func connect(ctx context.Context, o options) (*server, []string, error) {
	warnings := adoptBao()
	config := api.DefaultConfig()
	if config.Error != nil {
		return nil, nil, environmentError(config.Error)
	}
	if err := setAddress(config, o.address); err != nil {
		return nil, nil, err
	}
	address := cmp.Or(config.AgentAddress, config.Address)
	warnings = append(warnings, insecure(config, address)...)
	client, err := api.NewClient(config)
	if err != nil {
		return nil, nil, environmentError(err)
	}
	client.SetCheckRetry(retryPolicy)
	if o.namespace != "" {
		client.SetNamespace(o.namespace)
	}
	s := &server{client: client, hidden: &secrets{}}
	more, err := s.authenticate(ctx, o, address)
	if err != nil {
		return nil, nil, err
	}
	return s, append(warnings, more...), nil
}

// authenticate logs in, or takes a token that is there.
func (s *server) authenticate(ctx context.Context, o options, address string) (warnings []string, err error) {
	if !o.auth.logsIn() {
		token, warnings, err := findToken(o)
		s.hidden.add(token)
		s.client.SetToken(token)
		return warnings, err
	}
	l, err := newLogin(s.client, address, o.auth, s.hidden)
	if err != nil {
		return nil, err
	}
	if s.session, err = startSession(ctx, l, s.client.SetToken); err != nil {
		return nil, err
	}
	return exposed("option \"auth.secretID\"", "secret id", o.auth.secretID.file), nil
}

// close revokes the tokens that the plugin obtained, and no others.
func (s *server) close() error {
	if s.session == nil {
		return nil
	}
	return s.session.close()
}

// insecure warns of what lets others on the way read the token.
func insecure(config *api.Config, address string) []string {
	u, err := url.Parse(address)
	if err != nil {
		return nil
	}
	transport, _ := config.HttpClient.Transport.(*http.Transport)
	switch {
	case u.Scheme == "http" && !loopback(u.Hostname()):
		return []string{"the address of the server is http, not https: whoever is on the way can read the token"}
	case u.Scheme == "https" && transport != nil && transport.TLSClientConfig != nil && transport.TLSClientConfig.InsecureSkipVerify:
		return []string{"VAULT_SKIP_VERIFY is set, so the server's certificate is not checked: whoever is on the way can read the token; VAULT_CACERT names the file of an authority of your own"}
	}
	return nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// setAddress settles whom to ask. The option wins over the variables, also over that of an agent; vault/api's fallback,
// a server on this machine, would only be a riddle in CI.
func setAddress(config *api.Config, option string) error {
	if option != "" {
		config.Address, config.AgentAddress = option, ""
		return nil
	}
	for _, name := range []string{api.EnvVaultAgentAddr, api.EnvVaultAddress} {
		if address := os.Getenv(name); address != "" {
			return checkAddress("variable "+name, address)
		}
	}
	return signer.Invalidf("set VAULT_ADDR and list it under `env` of this signer in publish.yaml, or write with: {address: https://…}", "the address of the server is not given")
}

// read gets path and stores its data in answer.
func (s *server) read(ctx context.Context, path string, answer any) error {
	ctx, cancel := context.WithCancel(ctx) // vault/api leaves a timer behind unless its context ends
	defer cancel()
	return s.ask(ctx, func() error {
		response, err := s.client.Logical().ReadRawWithContext(ctx, path)
		if err != nil {
			return err
		}
		defer func() { _ = response.Body.Close() }()
		secret, err := api.ParseSecret(response.Body)
		if err != nil {
			return err
		}
		return decode(secret, answer)
	})
}

// write sends data to path and stores what comes back in answer.
func (s *server) write(ctx context.Context, path string, data map[string]any, answer any) error {
	return s.ask(ctx, func() error {
		secret, err := s.client.Logical().WriteWithContext(ctx, path, data)
		if err != nil {
			return err
		}
		return decode(secret, answer)
	})
}

// ask sends a request. If it is denied because a token that the plugin obtained has ended, the plugin logs in again and
// sends it once more.
func (s *server) ask(ctx context.Context, send func() error) error {
	used := s.client.Token()
	err := send()
	answer := (*api.ResponseError)(nil)
	if s.session == nil || !errors.As(err, &answer) || answer.StatusCode != http.StatusForbidden {
		return err
	}
	switch failure := s.session.again(ctx, used, says(answer, invalidToken)); {
	case failure == nil:
		return send()
	case errors.Is(failure, errAlive), ctx.Err() != nil:
		return err
	default:
		return &endedError{denial: answer, login: failure}
	}
}

func decode(secret *api.Secret, answer any) error {
	if secret == nil || len(secret.Data) == 0 {
		return errEmpty
	}
	text, err := json.Marshal(secret.Data)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, answer)
}

// environmentError explains a variable that vault/api cannot use. A URL is left out, since that of a proxy may hold a
// password.
func environmentError(err error) error {
	if u := (*url.Error)(nil); errors.As(err, &u) {
		return signer.Invalidf("", "a variable for an address or a proxy is not a URL")
	}
	return signer.Invalidf("the variables listed under `env` of this signer are what it sees", "%s", err)
}
