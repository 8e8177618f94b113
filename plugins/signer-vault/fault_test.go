package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/artifactctl/artifactctl/plugins/signer"
	"github.com/artifactctl/artifactctl/plugins/signer/signertest"
)

// check compares an error with its class, a part of its text and of its hint. The token is in neither.
func check(t *testing.T, err error, class error, want, hint string) {
	t.Helper()
	if err == nil || class != nil && !errors.Is(err, class) || !strings.Contains(err.Error(), want) {
		t.Errorf("got  %v\nwant %s", err, want)
		return
	}
	got := ""
	var h interface{ Hint() string }
	if errors.As(err, &h) {
		got = h.Hint()
	}
	if !strings.Contains(got, hint) {
		t.Errorf("the hint is %q, want %q", got, hint)
	}
	if strings.Contains(err.Error()+got, testToken) {
		t.Errorf("the token is shown: %v %s", err, got)
	}
}

// Whatever the server answers, at either of the two paths, the error says what it is.
func TestFaults(t *testing.T) {
	html := "<html>Bad gateway. Your request had the header X-Vault-Token: " + testToken + "</html>"
	cut := func(http.ResponseWriter) { panic(http.ErrAbortHandler) }
	half := func(w http.ResponseWriter) {
		w.Header().Set("Content-Length", "1000")
		_, _ = w.Write([]byte(`{"data": {`))
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
	redirect := func(w http.ResponseWriter) {
		w.Header().Set("Location", "/v1/transit/keys/sign/") // to itself
		w.WriteHeader(http.StatusTemporaryRedirect)
	}
	later := func(status int, after string, message string) func(http.ResponseWriter) {
		return func(w http.ResponseWriter) {
			w.Header().Set("Retry-After", after)
			errs(status, message)(w)
		}
	}
	tests := map[string]struct {
		answer     func(http.ResponseWriter)
		class      error
		want, hint string
	}{
		"sealed":            {errs(503, "Vault is sealed"), signer.ErrUnavailable, "503 Vault is sealed", "unsealed"},
		"standby":           {errs(473), signer.ErrUnavailable, "473", "active node"},
		"standby of DR":     {errs(472), signer.ErrUnavailable, "472", "active node"},
		"stale replica":     {errs(412, "required index state not present"), signer.ErrUnavailable, "412 required index", ""},
		"too many requests": {errs(429, "request path: rate limit quota exceeded"), signer.ErrUnavailable, "429 request path", "quotas"},
		"too long a pause":  {later(429, "86400", "quota exceeded"), signer.ErrUnavailable, "429 quota exceeded; it asks for a pause of 24h0m0s", "quotas"},
		"sealed for long":   {later(503, time.Now().Add(24*time.Hour).UTC().Format(http.TimeFormat), "Vault is sealed"), signer.ErrUnavailable, "503 Vault is sealed; it asks for a pause of ", "unsealed"},
		"internal":          {errs(500, "1 error occurred:\n\t* read-only\n\n"), signer.ErrUnavailable, "500 read-only", ""},
		"bad gateway":       {text(502, html), signer.ErrUnavailable, "502 bad gateway", ""},
		"forbidden":         {errs(403, "1 error occurred:\n\t* permission denied\n\n"), signer.ErrDenied, "403 permission denied", `path "transit/`},
		"token ended":       {errs(403, "permission denied", "invalid token"), signer.ErrDenied, "403 permission denied; invalid token", "expired"},
		"echoed token":      {errs(400, "what is "+testToken), signer.ErrInvalid, "400 what is ***", ""},
		"missing token":     {errs(400, "missing client token"), signer.ErrDenied, "400 missing client token", "policy"},
		"key not found":     {errs(400, "signing key not found"), signer.ErrInvalid, "400 signing key not found", "vault write -f"},
		"not found":         {errs(404), signer.ErrInvalid, "404 not found", "the mount"},
		"foreign not found": {text(404, html), signer.ErrInvalid, " not ", "address"},
		"other request":     {text(400, "Client sent an HTTP request to an HTTPS server."), signer.ErrInvalid, "400 bad request", "scheme"},
		"login page":        {text(200, html), signer.ErrInvalid, "the answer is not one of Vault", "address"},
		"other JSON":        {text(200, `{"data": {"type": 1, "signature": {}}}`), signer.ErrInvalid, "the answer is not one of Vault", "address"},
		"empty":             {text(200, ""), signer.ErrUnavailable, "the answer is empty", ""},
		"redirect":          {text(307, ""), signer.ErrInvalid, "it redirects", "api_addr"},
		"redirects":         {redirect, signer.ErrUnavailable, "the answer is empty", "active node"},
		"DR secondary":      {errs(400, "path disabled in replication DR secondary mode"), signer.ErrUnavailable, "400 path disabled", "active node"},
		"active unknown":    {errs(500, "local node not active but active cluster node not found"), signer.ErrUnavailable, "500 local node not active", ""},
		"cut":               {cut, signer.ErrUnavailable, "EOF", ""},
		"cut in the middle": {half, signer.ErrUnavailable, "unexpected EOF", ""},
	}
	for name, tt := range tests {
		t.Run(name+" at open", func(t *testing.T) {
			f := newFake(t)
			f.fault = always("/keys/", tt.answer)
			_, err := (&vaultSigner{}).Open(t.Context(), map[string]any{"key": "artifacts"})
			check(t, err, tt.class, tt.want, tt.hint)
			check(t, err, nil, "read transit/keys/artifacts: ", "")
		})
		t.Run(name+" at sign", func(t *testing.T) {
			f, s := newFake(t), &vaultSigner{}
			if _, err := s.Open(t.Context(), map[string]any{"key": "artifacts"}); err != nil {
				t.Fatal(err)
			}
			f.fault = always("/sign/", tt.answer)
			_, err := s.Sign(t.Context(), signertest.Request(signer.PayloadInToto, 1))
			check(t, err, tt.class, tt.want, tt.hint)
			check(t, err, nil, "sign with transit/sign/artifacts/sha2-256: ", "")
		})
	}
}

// What vault/api retries by itself does not reach the host.
func TestRetries(t *testing.T) {
	f := newFake(t)
	t.Setenv("VAULT_MAX_RETRIES", "2")
	f.fault = func(w http.ResponseWriter, _ *http.Request, n int64) bool {
		if n > 2 {
			return false
		}
		w.Header().Set("Retry-After", "0")
		errs(map[int64]int{1: 429, 2: 503}[n])(w)
		return true
	}
	s := &vaultSigner{}
	if _, err := s.Open(t.Context(), map[string]any{"key": "artifacts"}); err != nil {
		t.Fatal(err)
	}
	if reads, signs := f.reads.Load(), f.signs.Load(); reads != 3 || signs != 3 {
		t.Errorf("%d requests for the key and %d to sign, want 3 each", reads, signs)
	}
}

// An answer that looks right is not believed.
func TestWrongSignatures(t *testing.T) {
	const in = "sign with transit/sign/artifacts/sha2-256: "
	tests := map[string]struct {
		signature string
		want      string
	}{
		"other version": {"vault:v2:MAo=", in + "the signature is of version 2 of the key, though version 1 was asked for"},
		"other key":     {"", "does not verify with version 1 of the key"},
		"no prefix":     {"MAo=", "not one of Vault"},
		"no version":    {"vault:vx:MAo=", "not one of Vault"},
		"no base64":     {"vault:v1:%", "not one of Vault"},
		"nothing":       {"vault:v1:", "does not verify"},
		"not DER":       {"vault:v1:AAAA", "does not verify"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			f, s := newFake(t), &vaultSigner{}
			if _, err := s.Open(t.Context(), map[string]any{"key": "artifacts"}); err != nil {
				t.Fatal(err)
			}
			if tt.signature == "" {
				f.key = otherKey(t)
			} else {
				f.item = func(_ []byte, answer map[string]any) { answer["signature"] = tt.signature }
			}
			_, err := s.Sign(t.Context(), signertest.Request(signer.PayloadInToto, 1))
			check(t, err, nil, tt.want, "")
			if errors.Is(err, signer.ErrUnavailable) || errors.Is(err, signer.ErrDenied) {
				t.Errorf("class of %v", err)
			}
		})
	}
}

func otherKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// A server that does not answer holds nobody longer than the caller's context or the client's own patience.
func TestSlow(t *testing.T) {
	f, s := newFake(t), &vaultSigner{}
	if _, err := s.Open(t.Context(), map[string]any{"key": "artifacts"}); err != nil {
		t.Fatal(err)
	}
	hang := func(arrived chan<- struct{}) func(http.ResponseWriter, *http.Request, int64) bool {
		return func(_ http.ResponseWriter, r *http.Request, _ int64) bool {
			if arrived != nil {
				arrived <- struct{}{}
			}
			_, _ = io.Copy(io.Discard, r.Body) // only then the server notices that the client is gone
			<-r.Context().Done()
			return true
		}
	}
	arrived := make(chan struct{}, 1)
	f.fault = hang(arrived)
	ctx, cancel := context.WithCancel(t.Context())
	got := make(chan error, 1)
	go func() {
		_, err := s.Sign(ctx, signertest.Request(signer.PayloadInToto, 1))
		got <- err
	}()
	<-arrived
	cancel()
	check(t, <-got, context.Canceled, "sign with transit/sign/artifacts/sha2-256: context canceled", "")

	ctx, cancel = context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	f.fault = hang(nil)
	_, err := s.Sign(ctx, signertest.Request(signer.PayloadInToto, 1))
	check(t, err, context.DeadlineExceeded, "context deadline exceeded", "")

	t.Setenv("VAULT_CLIENT_TIMEOUT", "20ms")
	_, err = (&vaultSigner{}).Open(t.Context(), map[string]any{"key": "artifacts"})
	check(t, err, signer.ErrUnavailable, "no answer within 20ms", "VAULT_CLIENT_TIMEOUT")
}

func TestConnections(t *testing.T) {
	open := func() error {
		_, err := (&vaultSigner{}).Open(t.Context(), map[string]any{"key": "artifacts"})
		return err
	}
	f := newFake(t)
	t.Setenv("VAULT_ADDR", strings.Replace(f.URL, "http:", "https:", 1))
	check(t, open(), signer.ErrInvalid, "the server speaks http, not https", "scheme")
	t.Setenv("VAULT_ADDR", f.URL)
	f.Close()
	check(t, open(), signer.ErrUnavailable, "connection refused", "")

	f = prepareFake(t)
	f.StartTLS()
	t.Setenv("VAULT_ADDR", f.URL)
	check(t, open(), signer.ErrInvalid, "certificate", "VAULT_CACERT")
	t.Setenv("VAULT_ADDR", strings.Replace(f.URL, "https:", "http:", 1))
	check(t, open(), signer.ErrInvalid, "400 bad request", "scheme")

	f = prepareFake(t)
	f.TLS = &tls.Config{ClientAuth: tls.RequireAnyClientCert}
	f.StartTLS()
	t.Setenv("VAULT_ADDR", f.URL)
	t.Setenv("VAULT_SKIP_VERIFY", "true")
	check(t, open(), signer.ErrInvalid, "certificate required", "VAULT_CLIENT_CERT")
}

// Pauses that the server asks for end with the caller, too.
func TestCallerLeavesDuringAPause(t *testing.T) {
	f := newFake(t)
	t.Setenv("VAULT_MAX_RETRIES", "2")
	s, _ := opened(t)
	ctx, cancel := context.WithCancel(t.Context())
	f.fault = func(w http.ResponseWriter, _ *http.Request, _ int64) bool {
		w.Header().Set("Retry-After", "25")
		errs(429)(w)
		time.AfterFunc(10*time.Millisecond, cancel)
		return true
	}
	start := time.Now()
	_, err := s.Sign(ctx, signertest.Request(signer.PayloadInToto, 1))
	check(t, err, context.Canceled, "sign with transit/sign/artifacts/sha2-256: context canceled", "")
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("took %s", took)
	}
}

// A standby that sends to the active node is followed, but never out of TLS.
func TestRedirects(t *testing.T) {
	active := newFake(t)
	away := func(w http.ResponseWriter, r *http.Request, _ int64) bool {
		http.Redirect(w, r, active.URL+r.URL.Path, http.StatusTemporaryRedirect)
		return true
	}
	standby := newFake(t) // VAULT_ADDR
	standby.fault = away
	s, _ := opened(t)
	for i, err := range signAll(t, s, 20) {
		if err != nil {
			t.Errorf("%d: %v", i, err)
		}
	}
	if active.signs.Load() == 0 || active.signs.Load() != standby.signs.Load() {
		t.Errorf("%d requests to the standby, %d to the active node", standby.signs.Load(), active.signs.Load())
	}

	encrypted := prepareFake(t)
	encrypted.fault = away
	encrypted.StartTLS()
	t.Setenv("VAULT_ADDR", encrypted.URL)
	t.Setenv("VAULT_SKIP_VERIFY", "true")
	before := active.reads.Load()
	_, err := (&vaultSigner{}).Open(t.Context(), map[string]any{"key": "artifacts"})
	check(t, err, signer.ErrInvalid, "it redirects, but to no address that the request may go to", "api_addr")
	if active.reads.Load() != before {
		t.Error("the token was sent without TLS")
	}
}
