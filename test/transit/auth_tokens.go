package transit

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"
)

// Token is one that a login gave.
type Token struct {
	ID        string
	Policies  []string
	Namespace string
	Renewals  int
	Revoked   bool
	Ends      time.Time

	method     *method
	auth       *logical.Auth
	connection *logical.Connection
	issued     time.Time
	uses       int // left, if the token had a number of them
}

// Issued returns all tokens that logins gave, in their order.
func (s *Server) Issued() []Token {
	s.auth.mu.Lock()
	defer s.auth.mu.Unlock()
	all := make([]Token, len(s.auth.issued))
	for i, token := range s.auth.issued {
		all[i] = *token
	}
	return all
}

// End makes all tokens that logins gave invalid, as an operator may who revokes everything of a mount.
func (s *Server) End() {
	s.auth.mu.Lock()
	defer s.auth.mu.Unlock()
	clear(s.auth.tokens)
}

// issue makes a token of what a login returned.
func (a *authority) issue(m *method, auth *logical.Auth, c *logical.Connection) error {
	ttl, _, err := framework.CalculateTTL(m.system, 0, auth.TTL, auth.Period, auth.MaxTTL, auth.ExplicitMaxTTL, time.Time{})
	if err != nil {
		return err
	}
	prefix := "hvs."
	if auth.TokenType == logical.TokenTypeBatch {
		prefix, auth.Renewable = "hvb.", false
	}
	auth.TTL, auth.ClientToken, auth.Accessor = ttl, prefix+rand.Text(), rand.Text()
	if auth.TokenPolicies = auth.Policies; !auth.NoDefaultPolicy {
		auth.Policies = append([]string{"default"}, auth.Policies...)
	}
	now := time.Now()
	token := &Token{
		ID: auth.ClientToken, Policies: auth.Policies, Namespace: m.namespace, Ends: now.Add(ttl),
		method: m, auth: auth, connection: c, issued: now, uses: auth.NumUses,
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.tokens[token.ID] = token
	a.issued = append(a.issued, token)
	return nil
}

// find returns a token that lives, and takes one of its uses. The caller holds the lock.
func (a *authority) find(id string) *Token {
	token := a.tokens[id]
	if token == nil || time.Now().After(token.Ends) {
		return nil
	}
	if token.auth.NumUses > 0 {
		if token.uses == 0 {
			return nil
		}
		token.uses--
	}
	return token
}

// rules are those of a token's policies.
func (a *authority) rules(id string) (rules []Grant, known bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	token := a.find(id)
	if token == nil {
		return nil, false
	}
	for _, policy := range token.Policies {
		rules = append(rules, a.policies[policy]...)
	}
	return rules, true
}

// invalid is the answer to a token that has ended.
func (a *authority) invalid() (status int, body map[string]any) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.quiet {
		return failure(http.StatusForbidden, "1 error occurred:\n\t* permission denied\n\n")
	}
	return failure(http.StatusForbidden, "2 errors occurred:\n\t* permission denied\n\t* invalid token\n\n")
}

// self is auth/token/…-self, which the policy "default" allows.
func (a *authority) self(ctx context.Context, namespace, id, what string) (status int, body map[string]any) {
	a.mu.Lock()
	token := a.find(id)
	a.mu.Unlock()
	switch {
	case token == nil:
		return a.invalid()
	case !slices.Contains(token.Policies, "default"), token.Namespace != namespace:
		return failure(http.StatusForbidden, "1 error occurred:\n\t* permission denied\n\n")
	case what == "lookup-self":
		return http.StatusOK, map[string]any{"data": map[string]any{"policies": token.Policies, "renewable": token.auth.Renewable}}
	case token.auth.TokenType == logical.TokenTypeBatch && what == "renew-self":
		return failure(http.StatusBadRequest, "batch tokens cannot be renewed")
	case token.auth.TokenType == logical.TokenTypeBatch:
		return failure(http.StatusBadRequest, "batch tokens cannot be revoked")
	case what == "renew-self":
		return a.renew(ctx, token)
	case what == "revoke-self":
		a.mu.Lock()
		defer a.mu.Unlock()
		token.Revoked = true
		delete(a.tokens, id)
		return http.StatusNoContent, nil
	}
	return failure(http.StatusNotFound, "unsupported path")
}

// renew asks the method, as the core does, whether a token may live on, and computes for how long.
func (a *authority) renew(ctx context.Context, token *Token) (status int, body map[string]any) {
	if !token.auth.Renewable {
		return failure(http.StatusBadRequest, "lease is not renewable")
	}
	m := token.method
	request := m.prepare(&logical.Request{Operation: logical.RenewOperation, Path: "login", Auth: token.auth, Connection: token.connection, Data: map[string]any{}})
	response, err := m.backend.HandleRequest(ctx, request)
	if err != nil || response == nil || response.Auth == nil {
		return respond(request, response, err)
	}
	auth := response.Auth
	ttl, _, err := framework.CalculateTTL(m.system, 0, auth.TTL, auth.Period, auth.MaxTTL, auth.ExplicitMaxTTL, token.issued)
	if err != nil {
		return failure(http.StatusBadRequest, fmt.Sprintf("failed to renew entry: %v", err))
	}
	auth.TTL, auth.ClientToken = ttl, token.ID
	a.mu.Lock()
	defer a.mu.Unlock()
	token.Renewals++
	token.Ends = time.Now().Add(ttl)
	return encode(&logical.Response{Auth: auth})
}
