package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/hashicorp/vault/api"

	"github.com/artifactctl/artifactctl/plugins/signer"
)

var errMFA = errors.New("the login asks for a second factor")

// explain classifies what became of a login. Vault answers most refusals with 400; what was refused is said in words.
func (l *login) explain(ctx context.Context, about string, err error) error {
	if errors.Is(err, errMFA) {
		return signer.WithHint(fmt.Errorf("log in at %s: %w: %w", l.path(), signer.ErrDenied, errMFA),
			"a program has none: exempt this method from the MFA enforcement (vault list identity/mfa/login-enforcement)")
	}
	answer := (*api.ResponseError)(nil)
	if !errors.As(err, &answer) || answer.RawError {
		return l.explainToken(ctx, "log in", l.path(), err)
	}
	hint, class := l.judge(answer)
	if class == nil {
		return l.explainToken(ctx, "log in", l.path(), err)
	}
	if about != "" && class != signer.ErrInvalid { //nolint:errorlint // a class, which nobody wrapped
		hint = about + "; " + hint
	}
	return l.classified("log in", l.path(), class, answer, hint)
}

// judge returns the class and a hint for answers that mean something else to a login than to other requests, else nil.
func (l *login) judge(answer *api.ResponseError) (hint string, class error) {
	switch {
	case answer.StatusCode == http.StatusNotFound, says(answer, "missing client token"), says(answer, "unsupported path"), says(answer, "no handler for route"):
		return fmt.Sprintf("is the method mounted at auth/%s%s? vault auth list tells; otherwise write auth: {mount: …, namespace: …}", l.auth.mount, l.inNamespace()), signer.ErrInvalid
	case says(answer, "could not be found"), says(answer, "invalid role name"):
		return fmt.Sprintf("there is no role %q: vault list auth/%s/role shows those there are", l.auth.role, l.auth.mount), signer.ErrInvalid
	case says(answer, "missing role"):
		return "write auth: {role: NAME}, or give the method a default_role", signer.ErrInvalid
	case says(answer, "could not load configuration"), says(answer, "could not load backend configuration"):
		return fmt.Sprintf("the method is not configured: vault write auth/%s/config …", l.auth.mount), signer.ErrInvalid
	}
	switch answer.StatusCode {
	case http.StatusForbidden:
		hint = l.denied()
		if says(answer, "permission denied") { // what Vault says of paths, too, that do not exist
			hint += fmt.Sprintf("; or is the method not mounted at auth/%s%s? then write auth: {mount: …, namespace: …}", l.auth.mount, l.inNamespace())
		}
		return hint, signer.ErrDenied
	case http.StatusBadRequest, http.StatusUnauthorized:
		return l.denied(), signer.ErrDenied
	}
	return "", nil
}

// denied is what may be wrong with credentials that the method refuses.
func (l *login) denied() string {
	role := fmt.Sprintf("role %q", l.auth.role)
	if l.auth.role == "" {
		role = "the default role"
	}
	at := fmt.Sprintf("auth/%s%s", l.auth.mount, l.inNamespace())
	switch l.auth.method {
	case methodAppRole:
		return fmt.Sprintf("are both ids of one role of %s? a secret id may have expired, be used up (secret_id_num_uses), or be bound to other addresses; "+
			"a new one: vault write -f auth/%s/role/NAME/secret-id", at, l.auth.mount)
	case methodJWT:
		return fmt.Sprintf("compare it with bound_audiences, bound_subject and bound_claims of %s: vault read auth/%s/role/%s; and with the issuer and keys of %s: vault read auth/%s/config",
			role, l.auth.mount, cmp.Or(l.auth.role, "NAME"), at, l.auth.mount)
	case methodKubernetes:
		return fmt.Sprintf("compare it with bound_service_account_names, bound_service_account_namespaces and audience of %s: vault read auth/%s/role/%s; "+
			"the server asks the cluster of auth/%s/config whether the token is good, and must be allowed to (system:auth-delegator)", role, l.auth.mount, l.auth.role, l.auth.mount)
	}
	if l.auth.role == "" {
		role = "a role"
	}
	return fmt.Sprintf("the client certificate must be signed by the certificate of %s, and have its allowed names: vault list auth/%s/certs", role, l.auth.mount)
}

func (l *login) inNamespace() string {
	if namespace := l.client.Namespace(); namespace != "" {
		return " in namespace " + namespace
	}
	return ""
}

// explainUnwrap is for wrapping tokens.
func (l *login) explainUnwrap(ctx context.Context, err error) error {
	answer := (*api.ResponseError)(nil)
	if errors.As(err, &answer) && !answer.RawError && answer.StatusCode < http.StatusInternalServerError && answer.StatusCode != http.StatusTooManyRequests {
		return l.classified("unwrap the secret id", "sys/wrapping/unwrap", signer.ErrDenied, answer,
			"a wrapping token works once, and not for long: make a new one. If nobody of yours has used it, somebody else has the secret id: destroy it")
	}
	return l.explainToken(ctx, "unwrap the secret id", "sys/wrapping/unwrap", err)
}

// explainToken is for what means the same as with any other request.
func (l *login) explainToken(ctx context.Context, verb, path string, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("%s: %w", at(verb, path), ctx.Err())
	}
	text, hint, class := (&server{client: l.client}).judge(request{verb, path, "update"}, err)
	if errors.Is(class, signer.ErrDenied) {
		hint = ""
	}
	return signer.WithHint(fmt.Errorf("%s: %w: %s", at(verb, path), class, l.hidden.blank(text)), hint)
}

func (l *login) classified(verb, path string, class error, answer *api.ResponseError, hint string) error {
	return signer.WithHint(fmt.Errorf("%s: %w: %s", at(verb, path), class, l.hidden.blank(said(answer))), hint)
}

func at(verb, path string) string { return verb + " at " + path }

// endedError is a denied request with a token that has ended, after which the plugin could not log in again.
type endedError struct {
	denial *api.ResponseError
	login  error
}

func (e *endedError) Error() string {
	return fmt.Sprintf("%s; then %s", said(e.denial), e.login)
}

// explain says so for the request r. Only if the server said so the token has ended for sure; else the advice for the
// denial comes first.
func (e *endedError) explain(s *server, r request) error {
	err := fmt.Errorf("%s %s: %s; then %w", r.verb, r.path, s.blank(said(e.denial)), e.login)
	if !says(e.denial, invalidToken) {
		return signer.WithHint(err, s.denied(r, e.denial))
	}
	return err
}
