package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/artifactctl/artifactctl/plugins/signer"
)

// byBrowser shows a link. The browser must run on this machine: the identity provider sends it back to a port of it.
func (s signIn) byBrowser(ctx context.Context, tty io.Writer) (string, error) {
	p, config, err := s.discover(ctx)
	if err != nil {
		return "", err
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("%w: wait for the browser: %w", signer.ErrInvalid, err)
	}
	// Identity providers let programs without a secret name any port, but only of localhost.
	config.RedirectURL = fmt.Sprintf("http://localhost:%d/auth/callback", listener.Addr().(*net.TCPAddr).Port)
	state, nonce, secret := oauth2.GenerateVerifier(), oauth2.GenerateVerifier(), oauth2.GenerateVerifier()
	link := config.AuthCodeURL(state, oauth2.S256ChallengeOption(secret), oidc.Nonce(nonce))
	answers := make(chan callback, 1)
	server := &http.Server{Handler: callbacks(state, answers), ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = server.Serve(listener) }() // it ends with Close
	defer func() { _ = server.Close() }()
	if _, err := fmt.Fprintf(tty, "\nTo sign as yourself, open this link in a browser on this machine:\n\n%s\n\n", link); err != nil {
		return "", signer.Invalidf("", "there is no terminal to show where to sign in")
	}
	select {
	case <-ctx.Done():
		return "", ctx.Err()
	case got := <-answers:
		if got.err != nil {
			return "", got.err
		}
		t, err := config.Exchange(ctx, got.code, oauth2.VerifierOption(secret))
		if err != nil {
			return "", err
		}
		return s.verify(ctx, p, t, nonce)
	}
}

// callback is what the identity provider lets the browser tell.
type callback struct {
	code string
	err  error
}

// callbacks takes the first answer to the question that state marks. All other requests are nobody's business.
func callbacks(state string, answers chan<- callback) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /auth/callback", func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		if q.Get("state") != state {
			http.Error(w, "This is no answer to a question that was asked.", http.StatusBadRequest)
			return
		}
		got := callback{code: q.Get("code")}
		text := "You are signed in. This page can be closed."
		if got.code == "" {
			reason := errors.New("no reason")
			if code := q.Get("error"); code != "" {
				reason = &oauth2.RetrieveError{ErrorCode: code}
			}
			got.err, text = reason, "You are not signed in. This page can be closed."
		}
		_, _ = fmt.Fprintln(w, text) // the answer counts, whether the page is seen or not
		if flusher, ok := w.(http.Flusher); ok {
			flusher.Flush()
		}
		select {
		case answers <- got:
		default: // there was one before
		}
	})
	return mux
}
