package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"runtime"
	"strings"

	"github.com/hashicorp/vault/api"

	"github.com/artifactctl/artifactctl/plugins/signer"
)

// server is a Vault or OpenBao, reached as the variables and options say. It is safe for concurrent use.
type server struct {
	client *api.Client
}

// connect prepares the client; nothing is sent yet. The configuration is vault/api's own default, so that its variables
// for TLS, proxies, timeouts, retries and rate limits work as with the vault command.
func connect(o options) (*server, []string, error) {
	warnings := adoptBao()
	config := api.DefaultConfig()
	if config.Error != nil {
		return nil, nil, environmentError(config.Error)
	}
	if err := setAddress(config, o.address); err != nil {
		return nil, nil, err
	}
	client, err := api.NewClient(config)
	if err != nil {
		return nil, nil, environmentError(err)
	}
	token, more, err := findToken(o)
	if err != nil {
		return nil, nil, err
	}
	client.SetToken(token)
	if o.namespace != "" {
		client.SetNamespace(o.namespace)
	}
	return &server{client: client}, append(warnings, more...), nil
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

// findToken looks into the file of the option, the variable, and the file that a variable names, in this order. None at
// all is fine here: an agent may add its own.
func findToken(o options) (token string, warnings []string, err error) {
	if o.tokenFile != "" {
		return readToken("option \"tokenFile\"", o.tokenFile)
	}
	if token := strings.TrimSpace(os.Getenv(api.EnvVaultToken)); token != "" {
		return token, nil, nil
	}
	if path := os.Getenv(tokenFileVariable); path != "" {
		return readToken("variable "+tokenFileVariable, path)
	}
	return "", nil, nil
}

func readToken(where, path string) (token string, warnings []string, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return "", nil, signer.WithHint(fmt.Errorf("%w: %s: %w", signer.ErrInvalid, where, err), "paths relate to the directory of publish.yaml")
	}
	if token = strings.TrimSpace(string(text)); token == "" {
		return "", nil, signer.Invalidf("whatever logs in must have finished before", "%s: the file is empty", where)
	}
	if strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", nil, signer.Invalidf("the file must hold nothing but the token", "%s: the file does not hold a token", where)
	}
	// A group may read it: agents write their tokens so.
	if info, err := os.Stat(path); err == nil && info.Mode().Perm()&0o007 != 0 && runtime.GOOS != "windows" {
		warnings = append(warnings, fmt.Sprintf("%s: every user may read or change the token (mode %04o)", where, info.Mode().Perm()))
	}
	return token, warnings, nil
}

// read gets path and stores its data in answer.
func (s *server) read(ctx context.Context, path string, answer any) error {
	ctx, cancel := context.WithCancel(ctx) // vault/api leaves a timer behind unless its context ends
	defer cancel()
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
}

// write sends data to path and stores what comes back in answer.
func (s *server) write(ctx context.Context, path string, data map[string]any, answer any) error {
	secret, err := s.client.Logical().WriteWithContext(ctx, path, data)
	if err != nil {
		return err
	}
	return decode(secret, answer)
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
