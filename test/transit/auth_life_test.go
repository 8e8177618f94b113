package transit_test

import (
	"errors"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/artifactctl/artifactctl/plugins/signer"
	"github.com/artifactctl/artifactctl/plugins/signer/signertest"
	"github.com/artifactctl/artifactctl/test/transit"
)

// open starts a plugin that logs in by AppRole, with a role that has these settings.
func open(t *testing.T, role map[string]any) (*transit.Server, *plugin) {
	t.Helper()
	s := newServer(t)
	id, secret := enableAppRole(t, s, "approle", "", role)
	p := launch(t, "VAULT_ADDR="+s.URL, "VAULT_ROLE_ID="+id, "VAULT_SECRET_ID="+secret)
	if _, err := p.Open(t.Context(), auth("method", "approle")); err != nil {
		t.Fatal(err)
	}
	return s, p
}

func sign(t *testing.T, p *plugin) error {
	t.Helper()
	_, err := p.Sign(t.Context(), signertest.Request(signer.PayloadInToto, 1))
	return err
}

// until polls, since leases last whole seconds.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick, end := time.NewTicker(20*time.Millisecond), time.NewTimer(time.Minute)
	defer tick.Stop()
	defer end.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-end.C:
			t.Fatalf("waited in vain until %s", what)
		}
	}
}

// renewed tells whether a token was renewed so often. It need not be the first: on a slow machine a renewal may come late.
func renewed(tokens []transit.Token, times int) bool {
	return slices.ContainsFunc(tokens, func(token transit.Token) bool { return token.Renewals >= times })
}

// A token lives as long as the plugin: it is renewed, or replaced when it cannot be, and all are gone at the end.
func TestTokenIsKept(t *testing.T) {
	tests := map[string]struct {
		role  map[string]any
		until func(tokens []transit.Token) bool
	}{
		"renewed":      {map[string]any{"token_ttl": "3s"}, func(tokens []transit.Token) bool { return renewed(tokens, 2) }},
		"periodic":     {map[string]any{"token_period": "3s"}, func(tokens []transit.Token) bool { return renewed(tokens, 1) }},
		"at max TTL":   {map[string]any{"token_ttl": "3s", "token_max_ttl": "4s"}, func(tokens []transit.Token) bool { return len(tokens) >= 2 && renewed(tokens, 1) }},
		"batch tokens": {map[string]any{"token_ttl": "2s", "token_type": "batch"}, func(tokens []transit.Token) bool { return len(tokens) >= 3 }},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, p := open(t, tt.role)
			until(t, "it was kept", func() bool {
				if err := sign(t, p); err != nil {
					t.Fatal(err)
				}
				return tt.until(s.Issued())
			})
			if err := p.Close(); err != nil {
				t.Error(err)
			}
			for _, token := range s.Issued() {
				if gone := token.Revoked || time.Now().After(token.Ends); !gone && !strings.HasPrefix(token.ID, "hvb.") {
					t.Errorf("left behind: %+v", token)
				}
			}
			p.silent(t, s, nil)
		})
	}
}

// When the token ends in mid-run, the plugin logs in once, whoever asks for a signature, and goes on.
func TestLoginAgain(t *testing.T) {
	for _, dialect := range []string{"vault", "openbao"} {
		t.Run(dialect, func(t *testing.T) {
			s, p := open(t, nil)
			if dialect == "openbao" {
				s.Quiet()
			}
			s.End()
			failures := make(chan error, 20)
			for range cap(failures) {
				go func() {
					_, err := p.Sign(t.Context(), signertest.Request(signer.PayloadInToto, 1))
					failures <- err
				}()
			}
			for range cap(failures) {
				if err := <-failures; err != nil {
					t.Error(err)
				}
			}
			if n := len(s.Issued()); n != 2 {
				t.Errorf("%d tokens were issued, want 2", n)
			}
		})
	}
}

// A token with few uses is replaced when they are over.
func TestUsesEnd(t *testing.T) {
	s, p := open(t, map[string]any{"token_num_uses": 4})
	for range 6 {
		if err := sign(t, p); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(s.Issued()); n < 2 {
		t.Errorf("%d tokens were issued", n)
	}
}

// A policy that says no is no reason to log in again, in neither dialect.
func TestDeniedByPolicy(t *testing.T) {
	for _, dialect := range []string{"vault", "openbao"} {
		t.Run(dialect, func(t *testing.T) {
			s, p := open(t, nil)
			if dialect == "openbao" {
				s.Quiet()
			}
			s.Policy(policy)
			err := sign(t, p)
			if !errors.Is(err, signer.ErrDenied) || !strings.Contains(hintOf(err), `path "transit/sign/artifacts/sha2-256" { capabilities = ["update"] }`) {
				t.Errorf("got %v\nhint: %s", err, hintOf(err))
			}
			if n := len(s.Issued()); n != 1 {
				t.Errorf("%d tokens were issued", n)
			}
		})
	}
}

// If it cannot log in again, the denial is reported with both reasons.
func TestNoLoginAgain(t *testing.T) {
	s, p := open(t, map[string]any{"secret_id_num_uses": 1})
	s.End()
	err := sign(t, p)
	const want = "sign with transit/sign/artifacts/sha2-256: 403 permission denied, invalid token; then log in at auth/approle/login: signer was denied: 400 invalid role or secret ID"
	if !errors.Is(err, signer.ErrDenied) || !strings.Contains(err.Error(), want) || !strings.Contains(hintOf(err), "secret_id_num_uses") {
		t.Errorf("got  %v\nwant %s\nhint: %s", err, want, hintOf(err))
	}
	p.silent(t, s, nil, err.Error(), hintOf(err))
}

// An unwrapped secret id is kept: its wrapping token works only once.
func TestLoginAgainWithWrappedSecretID(t *testing.T) {
	s := newServer(t)
	role, secret := enableAppRole(t, s, "approle", "", nil)
	token := s.Wrap(t, "", "auth/approle/role/ci/secret-id", map[string]any{"secret_id": secret})
	p := launch(t, "VAULT_ADDR="+s.URL, "TOKEN="+token)
	if _, err := p.Open(t.Context(), auth("method", "approle", "roleID", role, "secretID", "env://TOKEN", "wrapped", true)); err != nil {
		t.Fatal(err)
	}
	s.End()
	if err := sign(t, p); err != nil {
		t.Error(err)
	}
}

// However gently the process is ended, by CI when a job is canceled for instance, its token goes with it.
func TestTerminated(t *testing.T) {
	s, p := open(t, nil)
	if err := syscall.Kill(p.PID(), syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	until(t, "the token is revoked", func() bool { return s.Issued()[0].Revoked })
}

// A token that somebody else got is theirs: whatever it is, it is neither renewed nor revoked.
func TestTokenOfTheUser(t *testing.T) {
	s := serve(t, "transit", "", "ecdsa-p256")
	p := launch(t, "VAULT_ADDR="+s.URL, "VAULT_TOKEN="+token)
	if _, err := p.Open(t.Context(), map[string]any{"key": "artifacts", "auth": map[string]any{"method": "token"}}); err != nil {
		t.Fatal(err)
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	for _, r := range s.Requests() {
		if strings.HasPrefix(r.Path, "auth/") {
			t.Errorf("it asked for %s", r.Path)
		}
	}
	p.silent(t, s, []string{token})
}
