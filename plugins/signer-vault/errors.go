package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"github.com/hashicorp/vault/api"

	"github.com/artifactctl/artifactctl/plugins/signer"
)

// Answers that are none.
var (
	errForeign = errors.New("the answer is not one of Vault")
	errEmpty   = errors.New("the answer is empty")
)

// request is what was being done: the verb for people, the path, and the capability that a policy must give on it.
type request struct{ verb, path, capability string }

// explain says in the words of package signer what became of a request. Nothing of the original error is wrapped, and of
// its text only what Vault or the network said: whatever stands between may repeat headers, and with them the token.
func (s *server) explain(ctx context.Context, r request, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("%s %s: %w", r.verb, r.path, ctx.Err())
	}
	text, hint, class := s.judge(r, err)
	if token := s.client.Token(); token != "" {
		text = strings.ReplaceAll(text, token, "***")
	}
	return signer.WithHint(fmt.Errorf("%s %s: %w: %s", r.verb, r.path, class, text), hint)
}

func (s *server) judge(r request, err error) (text, hint string, class error) {
	answer := (*api.ResponseError)(nil)
	switch {
	case errors.As(err, &answer):
		hint, class = s.judgeStatus(r, answer)
		return said(answer), hint, class
	case isForeign(err):
		return errForeign.Error(), wrongAddress, signer.ErrInvalid
	case errors.Is(err, errEmpty):
		return errEmpty.Error(), "", signer.ErrUnavailable
	case errors.Is(err, context.DeadlineExceeded): // the client's own deadline: that of the caller was looked at before
		return fmt.Sprintf("no answer within %s", s.client.ClientTimeout()), "VAULT_CLIENT_TIMEOUT sets how long one request may take", signer.ErrUnavailable
	case errors.Is(err, http.ErrSchemeMismatch):
		return "the server speaks http, not https", wrongAddress, signer.ErrInvalid
	case isTLS(err):
		return cause(err).Error(), "VAULT_CACERT names the authority's file, VAULT_CLIENT_CERT and VAULT_CLIENT_KEY this client's own; list them under `env` of this signer", signer.ErrInvalid
	}
	return cause(err).Error(), "", signer.ErrUnavailable
}

const wrongAddress = "is it the address of Vault or OpenBao itself, with the right scheme and port?"

// judgeStatus classifies an answer by its status. What vault/api tried again counts as unavailable.
func (s *server) judgeStatus(r request, answer *api.ResponseError) (hint string, class error) {
	switch status := answer.StatusCode; {
	case status == http.StatusForbidden, status == http.StatusUnauthorized, says(answer, "missing client token"):
		return s.denied(r, answer), signer.ErrDenied
	case says(answer, "requested version for signing"): // a 500 of the engine, but no trial will mend it
		return "was the key rotated and this version retired? then run again, or change keyVersion", signer.ErrInvalid
	case answer.RawError && status < http.StatusInternalServerError && status != http.StatusTooManyRequests:
		return wrongAddress, signer.ErrInvalid
	case status == http.StatusNotFound, says(answer, "key not found"):
		return "is the name right, and the mount, and the namespace? keys are made with: vault write -f MOUNT/keys/NAME type=ecdsa-p256", signer.ErrInvalid
	case status == http.StatusServiceUnavailable:
		return "a sealed server must be unsealed; vault status tells", signer.ErrUnavailable
	case status >= http.StatusInternalServerError, status == http.StatusPreconditionFailed,
		status == http.StatusTooManyRequests, status == http.StatusRequestTimeout:
		return "", signer.ErrUnavailable
	}
	return "", signer.ErrInvalid
}

// denied is what to do about a 403: Vault gives the same status for a bad token and for a policy that says no.
func (s *server) denied(r request, answer *api.ResponseError) string {
	switch {
	case s.client.Token() == "":
		return "no token was found: set VAULT_TOKEN or VAULT_TOKEN_FILE and list it under `env` of this signer in publish.yaml, or write with: {tokenFile: PATH}"
	case says(answer, "invalid token"), says(answer, "bad token"):
		return "the token has expired, was revoked, or is of another server or namespace"
	}
	where := ""
	if namespace := s.client.Namespace(); namespace != "" {
		where = " in namespace " + namespace
	}
	return fmt.Sprintf("the token needs a policy%s with: path %q { capabilities = [%q] }", where, r.path, r.capability)
}

func says(answer *api.ResponseError, words string) bool {
	return !answer.RawError && strings.Contains(strings.Join(answer.Errors, " "), words)
}

// multiError is how Vault's list of errors begins.
var multiError = regexp.MustCompile(`\d+ errors? occurred:\s*\* `)

// said is the status and Vault's own words on one line. A body that is not Vault's is left out.
func said(answer *api.ResponseError) string {
	text := strings.ToLower(http.StatusText(answer.StatusCode))
	if words := strings.Join(answer.Errors, "; "); words != "" && !answer.RawError {
		text = strings.Join(strings.Fields(multiError.ReplaceAllString(words, "")), " ")
		text = strings.ReplaceAll(text, " * ", ", ")
	}
	return strings.TrimSpace(fmt.Sprintf("%d %s", answer.StatusCode, text))
}

// cause is err without the URL around it, which the message names by its path.
func cause(err error) error {
	if u := (*url.Error)(nil); errors.As(err, &u) {
		return u.Err
	}
	return err
}

// isForeign tells whether err comes from the content of an answer that arrived whole.
func isForeign(err error) bool {
	syntax, form := (*json.SyntaxError)(nil), (*json.UnmarshalTypeError)(nil)
	return errors.As(err, &syntax) || errors.As(err, &form)
}

// isTLS tells whether the two sides do not trust each other: a certificate is bad, or the server sent an alert.
func isTLS(err error) bool {
	bad, remote := (*tls.CertificateVerificationError)(nil), (*net.OpError)(nil)
	return errors.As(err, &bad) || errors.As(err, &remote) && remote.Op == "remote error"
}
