package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/sigstore/sigstore-go/pkg/fulcio/certificate"
	"github.com/sigstore/sigstore-go/pkg/sign"

	"github.com/artifactctl/artifactctl/plugins/signer"
)

// fulcioName names the certificate authority in messages.
const fulcioName = "Fulcio"

const (
	// renewEarly is how long before its end a certificate is replaced. Fulcio's are valid for ten minutes.
	renewEarly = 2 * time.Minute
	// lastUse is how long before its end a certificate is still good for one more signature and its timestamp.
	lastUse = 20 * time.Second
)

// credential is a key that exists in memory only, and the certificate that says whose it is.
type credential struct {
	key         *sign.EphemeralKeypair
	certificate *x509.Certificate
	ends        time.Time // by this machine's clock
}

// GetCertificate makes a credential what sigstore-go asks for a certificate: it has one already.
func (c *credential) GetCertificate(context.Context, sign.Keypair, *sign.CertificateProviderOptions) ([]byte, error) {
	return c.certificate.Raw, nil
}

// early is when the certificate should be replaced; short-lived ones are used for most of their time.
func (c *credential) early() time.Time {
	return c.ends.Add(-min(renewEarly, c.certificate.NotAfter.Sub(c.certificate.NotBefore)/5))
}

// identity names who signs, for people.
func (c *credential) identity() (string, error) {
	summary, err := certificate.SummarizeCertificate(c.certificate)
	if err != nil {
		return "", fmt.Errorf("%w: Fulcio's certificate names nobody: %w", signer.ErrInvalid, err)
	}
	return summary.SubjectAlternativeName + " (" + summary.Issuer + ")", nil
}

// authority hands out one credential for the whole run and renews it when its end is near. It is safe for concurrent use.
type authority struct {
	url      string
	audience string // that Fulcio wants in tokens
	tokens   tokenSource
	network  network
	check    func(*x509.Certificate) error // of what Fulcio issued
	now      func() time.Time

	turn    chan struct{} // whoever put something in may look at current, and replace it
	current *credential
}

func newAuthority(url, audience string, tokens tokenSource, n network, check func(*x509.Certificate) error) *authority {
	return &authority{url: url, audience: audience, tokens: tokens, network: n, check: check, now: time.Now, turn: make(chan struct{}, 1)}
}

// credential returns one that is good for a signature now. Of many calls at once one asks Fulcio and the others wait.
func (a *authority) credential(ctx context.Context) (*credential, error) {
	select {
	case a.turn <- struct{}{}:
		defer func() { <-a.turn }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if a.current != nil && a.now().Before(a.current.early()) {
		return a.current, nil
	}
	fresh, err := a.issue(ctx)
	if err != nil {
		if a.current != nil && ctx.Err() == nil && a.now().Before(a.current.ends.Add(-lastUse)) {
			return a.current, nil // the next signature tries again
		}
		return nil, err
	}
	a.current = fresh
	return fresh, nil
}

// issue makes a key and gets a certificate for it.
func (a *authority) issue(ctx context.Context) (*credential, error) {
	identity, err := a.tokens.fetch(ctx, a.now(), a.audience)
	if err != nil {
		return nil, err
	}
	key, err := sign.NewEphemeralKeypair(nil)
	if err != nil {
		return nil, fmt.Errorf("make a key: %w", err)
	}
	fulcio := sign.NewFulcio(&sign.FulcioOptions{BaseURL: a.url, Timeout: -1, Transport: a.network.transport(ctx, fulcioName)})
	der, err := fulcio.GetCertificate(ctx, key, &sign.CertificateProviderOptions{IDToken: identity.raw})
	if err != nil {
		return nil, a.explain(identity, plain(ctx, fulcioName, err))
	}
	received := a.now()
	issued, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("%w: Fulcio's certificate: %w", signer.ErrInvalid, err)
	}
	if err := a.check(issued); err != nil {
		return nil, err
	}
	return &credential{key, issued, received.Add(issued.NotAfter.Sub(issued.NotBefore))}, nil
}

// explain adds to a refusal what the token says about itself: what is wrong is mostly its issuer or its audience.
func (a *authority) explain(t token, err error) error {
	if !errors.Is(err, signer.ErrDenied) && !errors.Is(err, signer.ErrInvalid) {
		return err
	}
	return signer.WithHint(fmt.Errorf("get a certificate for %s: %w", t.subject, err),
		fmt.Sprintf("Fulcio must know the token's issuer (%s), and its audience must be %s (it is %s)", t.issuer, a.audience, strings.Join(t.audiences, ", ")))
}
