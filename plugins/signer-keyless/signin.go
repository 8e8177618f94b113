package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/artifactctl/artifactctl/plugins/signer"
)

const (
	// signInPatience is how long a person may take to sign in.
	signInPatience = 5 * time.Minute
	// publicIssuer is where people sign in to the public Sigstore, unless its signing config says otherwise.
	publicIssuer = "https://oauth2.sigstore.dev/auth"
)

// openTerminal opens the terminal that controls this process, for standard output belongs to the host.
func openTerminal() (io.WriteCloser, error) { return os.OpenFile("/dev/tty", os.O_WRONLY, 0) }

// signIn has a person sign in at an identity provider (OpenID Connect, with PKCE).
type signIn struct {
	issuer, client string
	network        network
	terminal       func() (io.WriteCloser, error)
}

func openBrowser(at place, o options, n network) (tokenSource, error) {
	return newSignIn(at, o, n, "a browser", signIn.byBrowser)
}

func openDevice(at place, o options, n network) (tokenSource, error) {
	return newSignIn(at, o, n, "a code", signIn.byDevice)
}

// newSignIn makes a source that asks the person at the terminal each time, until they do not answer once.
func newSignIn(at place, o options, n network, how string, get func(signIn, context.Context, io.Writer) (string, error)) (tokenSource, error) {
	for _, name := range []string{"CI", "GITHUB_ACTIONS", "GITLAB_CI", "BUILDKITE", "CIRCLECI", "GITEA_ACTIONS", "FORGEJO_ACTIONS", "JENKINS_URL", "TF_BUILD"} {
		if value := os.Getenv(name); value != "" && value != "false" {
			return tokenSource{}, signer.Invalidf("leave the option out, and give the job an identity token", "option \"token\" is %s, and nobody can sign in here: %s is set", o.provider, name)
		}
	}
	s := signIn{issuer: o.oidcIssuer, client: o.oidcClientID, network: n, terminal: at.terminal}
	if s.issuer == "" {
		return tokenSource{}, signer.Invalidf("write with: {oidcIssuer: URL}, the identity provider that your Fulcio knows",
			"option \"token\" is %s, and nothing says where to sign in", o.provider)
	}
	var refused error
	return tokenSource{where: "whoever signs in by " + how, get: func(ctx context.Context) (string, error) {
		if refused != nil {
			return "", refused
		}
		raw, err := s.ask(ctx, get)
		if err != nil && ctx.Err() == nil {
			refused = err // one question is enough
		}
		return raw, err
	}}, nil
}

func (s signIn) ask(ctx context.Context, get func(signIn, context.Context, io.Writer) (string, error)) (string, error) {
	tty, err := s.terminal()
	if err != nil {
		return "", signer.Invalidf("without a terminal give a token, by "+defaultToken+" or tokenFile", "there is no terminal to show where to sign in")
	}
	defer func() { _ = tty.Close() }()
	patient, cancel := context.WithTimeout(ctx, signInPatience)
	defer cancel()
	raw, err := get(s, oidc.ClientContext(patient, s.network.raw(patient)), tty)
	switch {
	case err == nil:
		_, _ = fmt.Fprintln(tty, "Signed in.")
		return raw, nil
	case ctx.Err() != nil:
		return "", ctx.Err()
	case patient.Err() != nil:
		return "", fmt.Errorf("%w: nobody signed in within %s", signer.ErrDenied, signInPatience)
	}
	return "", s.explain(err)
}

// explain classifies what the identity provider, or the way to it, has refused.
func (s signIn) explain(err error) error {
	var refused *oauth2.RetrieveError
	switch {
	case errors.As(err, &refused) && refused.ErrorCode != "":
		return fmt.Errorf("%w: %s says %s", signer.ErrDenied, s.issuer, refused.ErrorCode)
	case errors.Is(err, signer.ErrInvalid), errors.Is(err, signer.ErrDenied):
		return err
	}
	return fmt.Errorf("%w: sign in at %s: %w", signer.ErrUnavailable, s.issuer, err)
}

// discover asks the identity provider for its endpoints.
func (s signIn) discover(ctx context.Context) (*oidc.Provider, oauth2.Config, error) {
	p, err := oidc.NewProvider(ctx, s.issuer)
	if err != nil {
		return nil, oauth2.Config{}, err
	}
	c := oauth2.Config{ClientID: s.client, Endpoint: p.Endpoint(), Scopes: []string{oidc.ScopeOpenID, "email"}}
	c.Endpoint.AuthStyle = oauth2.AuthStyleInParams // this client has no secret
	return p, c, nil
}

// verify checks that the token is from the issuer, for this client and, if it was named, for this very question.
func (s signIn) verify(ctx context.Context, p *oidc.Provider, t *oauth2.Token, nonce string) (string, error) {
	raw, ok := t.Extra("id_token").(string)
	if !ok {
		return "", fmt.Errorf("%w: %s gives no identity token", signer.ErrInvalid, s.issuer)
	}
	identity, err := p.Verifier(&oidc.Config{ClientID: s.client}).Verify(ctx, raw)
	if err != nil {
		return "", fmt.Errorf("%w: identity token of %s: %w", signer.ErrInvalid, s.issuer, err)
	}
	if identity.Nonce != nonce {
		return "", fmt.Errorf("%w: identity token of %s: it answers another question", signer.ErrDenied, s.issuer)
	}
	return raw, nil
}

// byDevice shows a code, which the person enters with a browser on any machine (RFC 8628).
func (s signIn) byDevice(ctx context.Context, tty io.Writer) (string, error) {
	p, config, err := s.discover(ctx)
	if err != nil {
		return "", err
	}
	if config.Endpoint.DeviceAuthURL == "" {
		return "", signer.Invalidf("write token: browser", "%s does not offer to sign in by a code", s.issuer)
	}
	secret := oauth2.GenerateVerifier()
	device, err := config.DeviceAuth(ctx, oauth2.S256ChallengeOption(secret))
	if err != nil {
		return "", err
	}
	link := device.VerificationURI
	if device.VerificationURIComplete != "" {
		link = device.VerificationURIComplete
	}
	if _, err := fmt.Fprintf(tty, "\nTo sign as yourself, open %s in a browser and enter the code %s\n", link, device.UserCode); err != nil {
		return "", signer.Invalidf("", "there is no terminal to show where to sign in")
	}
	t, err := config.DeviceAccessToken(ctx, device, oauth2.VerifierOption(secret))
	if err != nil {
		return "", err
	}
	return s.verify(ctx, p, t, "")
}

// raw makes a client that hands all answers on as they are, and ends with the context.
func (n network) raw(ctx context.Context) *http.Client {
	return &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) { return n.base.RoundTrip(r.WithContext(ctx)) })}
}
