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
	"slices"
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
	if ended := (*endedError)(nil); errors.As(err, &ended) {
		return ended.explain(s, r)
	}
	text, hint, class := s.judge(r, err)
	return signer.WithHint(fmt.Errorf("%s %s: %w: %s", r.verb, r.path, class, s.blank(text)), hint)
}

// blank takes what is secret out of words of the server.
func (s *server) blank(text string) string { return s.hidden.blank(text) }

func (s *server) judge(r request, err error) (text, hint string, class error) {
	answer, pause := (*api.ResponseError)(nil), (*pauseError)(nil)
	switch {
	case errors.As(err, &answer):
		hint, class = s.judgeStatus(r, answer)
		text = said(answer)
		if errors.As(err, &pause) {
			text += fmt.Sprintf("; it asks for a pause of %s", pause.pause)
		}
		return text, hint, class
	case isForeign(err), errors.Is(err, errNoBatch), errors.Is(err, errForeign):
		return errForeign.Error(), wrongAddress, signer.ErrInvalid
	case errors.Is(err, errEmpty):
		return errEmpty.Error(), "a server that sends from one address to the next answers so, too: VAULT_ADDR should be that of the active node", signer.ErrUnavailable
	case isBadRedirect(err):
		return "it redirects, but to no address that the request may go to", "api_addr of the server must be its own https address", signer.ErrInvalid
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

// drSecondary is in the 400 of a cluster that only stands by for disaster recovery.
const drSecondary = "DR secondary"

// What the engine says of a version that may not sign, and what to do about it.
const (
	retiredVersion = "requested version for signing"
	retiredHint    = "was the key rotated and this version retired? then run again, or change keyVersion"
)

// judgeStatus classifies an answer by its status. What vault/api tried again counts as unavailable.
func (s *server) judgeStatus(r request, answer *api.ResponseError) (hint string, class error) {
	switch status := answer.StatusCode; {
	case status == http.StatusForbidden, status == http.StatusUnauthorized, says(answer, "missing client token"):
		return s.denied(r, answer), signer.ErrDenied
	case says(answer, retiredVersion): // a 500 of the engine, but no trial will mend it
		return retiredHint, signer.ErrInvalid
	case answer.RawError && status < http.StatusInternalServerError && status != http.StatusTooManyRequests:
		return wrongAddress, signer.ErrInvalid
	case status == http.StatusNotFound, says(answer, "key not found"):
		return "is the name right, and the mount, and the namespace? keys are made with: vault write -f MOUNT/keys/NAME type=ecdsa-p256", signer.ErrInvalid
	case status == http.StatusServiceUnavailable:
		return "a sealed server must be unsealed; vault status tells", signer.ErrUnavailable
	case status == statusDRSecondary, status == statusPerformanceStandby, says(answer, drSecondary):
		return "the node only stands by: VAULT_ADDR should be that of the active node, or of a load balancer that finds it", signer.ErrUnavailable
	case status == http.StatusTooManyRequests:
		return "a quota of the server or of a proxy: wait, or have it raised (vault list sys/quotas/rate-limit)", signer.ErrUnavailable
	case status >= http.StatusInternalServerError, status == http.StatusPreconditionFailed, status == http.StatusRequestTimeout:
		return "", signer.ErrUnavailable
	}
	return "", signer.ErrInvalid
}

// denied is what to do about a 403: Vault gives the same status for a bad token and for a policy that says no.
func (s *server) denied(r request, answer *api.ResponseError) string {
	switch {
	case s.client.Token() == "":
		return "no token was found: set VAULT_TOKEN or VAULT_TOKEN_FILE and list it under `env` of this signer in publish.yaml, or write with: {tokenFile: PATH}, or log in with: {auth: {method: …}}"
	case says(answer, invalidToken), says(answer, "bad token"):
		return "the token has expired, was revoked, or is of another server or namespace"
	}
	where := ""
	if namespace := s.client.Namespace(); namespace != "" {
		where = " in namespace " + namespace
	}
	return fmt.Sprintf("the token needs a policy%s with: path %q { capabilities = [%q] }", where, r.path, r.capability)
}

// isRefusedContent tells whether a request was refused for what it holds: a part of it may be taken.
func isRefusedContent(err error) bool {
	answer := (*api.ResponseError)(nil)
	if !errors.As(err, &answer) || says(answer, "key not found") || says(answer, "missing client token") || says(answer, drSecondary) {
		return false
	}
	return answer.StatusCode == http.StatusBadRequest || answer.StatusCode == http.StatusRequestEntityTooLarge
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

// isBadRedirect tells whether vault/api would not follow a redirect: it names no address, or one without TLS.
func isBadRedirect(err error) bool {
	return errors.Is(err, http.ErrNoLocation) || strings.Contains(err.Error(), "protocol downgrade")
}

// isTLS tells whether the two sides do not trust each other: a certificate is bad, or the server sent an alert.
func isTLS(err error) bool {
	bad, remote := (*tls.CertificateVerificationError)(nil), (*net.OpError)(nil)
	return errors.As(err, &bad) || errors.As(err, &remote) && remote.Op == "remote error"
}

func containsAny(text string, words ...string) bool {
	return slices.ContainsFunc(words, func(word string) bool { return strings.Contains(text, word) })
}
