package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/url"
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
	class, text, hint := s.judge(r, err)
	if token := s.client.Token(); token != "" {
		text = strings.ReplaceAll(text, token, "***")
	}
	return signer.WithHint(fmt.Errorf("%s %s: %w: %s", r.verb, r.path, class, text), hint)
}

func (s *server) judge(r request, err error) (class error, text, hint string) {
	answer := (*api.ResponseError)(nil)
	switch {
	case errors.As(err, &answer):
		class, hint = s.judgeStatus(r, answer)
		return class, said(answer), hint
	case errors.Is(err, errForeign):
		return signer.ErrInvalid, errForeign.Error(), wrongAddress
	case errors.Is(err, errEmpty):
		return signer.ErrUnavailable, errEmpty.Error(), ""
	case errors.Is(err, context.DeadlineExceeded): // the client's own deadline: that of the caller was looked at before
		return signer.ErrUnavailable, fmt.Sprintf("no answer within %s", s.client.ClientTimeout()), "VAULT_CLIENT_TIMEOUT sets how long one request may take"
	case errors.Is(err, http.ErrSchemeMismatch):
		return signer.ErrInvalid, "the server speaks http, not https", wrongAddress
	case isCertificateError(err):
		return signer.ErrInvalid, cause(err).Error(), "VAULT_CACERT names the file with the certificate of the authority; list it under `env` of this signer"
	}
	return signer.ErrUnavailable, cause(err).Error(), ""
}

const wrongAddress = "is it the address of Vault or OpenBao itself, with the right scheme and port?"

// judgeStatus classifies an answer by its status. What is tried again later is what vault/api tried again itself.
func (s *server) judgeStatus(r request, answer *api.ResponseError) (class error, hint string) {
	switch status := answer.StatusCode; {
	case status == http.StatusForbidden, status == http.StatusUnauthorized, says(answer, "missing client token"):
		return signer.ErrDenied, s.denied(r, answer)
	case says(answer, "requested version for signing"): // a 500 of the engine, but no trial will mend it
		return signer.ErrInvalid, "was the key rotated and this version retired? then run again, or change keyVersion"
	case answer.RawError && status < http.StatusInternalServerError && status != http.StatusTooManyRequests:
		return signer.ErrInvalid, wrongAddress
	case status == http.StatusNotFound, says(answer, "key not found"):
		return signer.ErrInvalid, "is the name right, and the mount, and the namespace? keys are made with: vault write -f MOUNT/keys/NAME type=ecdsa-p256"
	case status == http.StatusServiceUnavailable:
		return signer.ErrUnavailable, "a sealed server must be unsealed; vault status tells"
	case status >= http.StatusInternalServerError, status == http.StatusPreconditionFailed,
		status == http.StatusTooManyRequests, status == http.StatusRequestTimeout:
		return signer.ErrUnavailable, ""
	}
	return signer.ErrInvalid, ""
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

// said is the status and Vault's own words on one line. A body that is not Vault's is left out.
func said(answer *api.ResponseError) string {
	text := strings.ToLower(http.StatusText(answer.StatusCode))
	if words := strings.Fields(strings.Join(answer.Errors, "; ")); len(words) > 0 && !answer.RawError {
		text = strings.Join(words, " ")
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

func isCertificateError(err error) bool {
	bad, alert := (*tls.CertificateVerificationError)(nil), tls.AlertError(0)
	return errors.As(err, &bad) || errors.As(err, &alert)
}
