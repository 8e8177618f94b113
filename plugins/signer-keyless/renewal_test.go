package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/artifactctl/artifactctl/plugins/signer"
	"github.com/artifactctl/artifactctl/plugins/signer/signertest"
)

// Of many signatures that need a new certificate at once, one asks for it, with the token that is there now.
func TestRenewalIsShared(t *testing.T) {
	clean(t)
	path := filepath.Join(t.TempDir(), "token")
	write := func(token string) {
		if err := os.WriteFile(path, []byte(token), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(jwt(5 * time.Minute))
	services, s := newStandIn(t), impatient()
	with := services.with()
	with["tokenFile"] = path
	if _, err := s.Open(t.Context(), with); err != nil {
		t.Fatal(err)
	}
	first := s.authority.current
	s.authority.now = func() time.Time { return first.ends.Add(-lastUse / 2) }
	if _, err := s.Sign(t.Context(), signertest.Request(signer.PayloadInToto, 0)); !errors.Is(err, signer.ErrDenied) ||
		!strings.Contains(err.Error(), "it expired at") || !strings.Contains(said(err), "read again") {
		t.Errorf("a token that expired meanwhile: %v", err)
	}
	write(jwt(time.Hour))
	certificates := signAll(t, s, 24)
	if n := services.certificates.Load(); n != 2 || len(certificates) != 1 || certificates[string(first.certificate.Raw)] != 0 {
		t.Errorf("%d requests and %d certificates for 24 signatures after the renewal, want 2 and 1", n, len(certificates))
	}
}

// signAll signs concurrently and counts signatures by certificate.
func signAll(t *testing.T, s signer.Signer, n int) map[string]int {
	t.Helper()
	var wg sync.WaitGroup
	var mu sync.Mutex
	certificates := map[string]int{}
	for i := range n {
		wg.Go(func() {
			got, err := s.Sign(t.Context(), signertest.Request(signer.PayloadInToto, i))
			var b certified
			if err == nil {
				err = json.Unmarshal(got.Content, &b)
			}
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			certificates[string(b.VerificationMaterial.Certificate.RawBytes)]++
		})
	}
	wg.Wait()
	return certificates
}

// No more log entries are made at once than the options allow, and as many as that.
func TestLogConcurrency(t *testing.T) {
	clean(t)
	t.Setenv(defaultToken, jwt(time.Hour))
	const limit = 3
	var now, most atomic.Int64
	services := newStandIn(t)
	full := make(chan struct{}) // closed when as many as allowed are there
	services.before = func(service string, _ int64, _ http.ResponseWriter) bool {
		if service != "rekor" {
			return false
		}
		n := now.Add(1)
		defer now.Add(-1)
		for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
		}
		if n == limit {
			select {
			case <-full:
			default:
				close(full)
			}
		}
		<-full
		return false
	}
	s, with := impatient(), services.with()
	with["logConcurrency"] = limit
	if _, err := s.Open(t.Context(), with); err != nil {
		t.Fatal(err)
	}
	signAll(t, s, 4*limit)
	if got := most.Load(); got != limit {
		t.Errorf("%d log entries at once, want %d", got, limit)
	}
}

// A batch is one request like any other: one signature, one log entry, one timestamp.
func TestBatch(t *testing.T) {
	clean(t)
	t.Setenv(defaultToken, jwt(time.Hour))
	services, s := newStandIn(t), impatient()
	if _, err := s.Open(t.Context(), services.with()); err != nil {
		t.Fatal(err)
	}
	r := signertest.Request(signer.PayloadInToto, 0)
	var subjects []string
	for i := range 1000 {
		digest := fmt.Sprintf("%064x", i)
		r.Digests = append(r.Digests, "sha256:"+digest)
		subjects = append(subjects, fmt.Sprintf(`{"digest":{"sha256":%q}}`, digest))
	}
	r.Payload = []byte(`{"_type":"https://in-toto.io/Statement/v1","subject":[` + strings.Join(subjects, ",") + `],"predicateType":"x","predicate":{}}`)
	got, err := s.Sign(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	var b struct{ DsseEnvelope struct{ Payload []byte } }
	if err := json.Unmarshal(got.Content, &b); err != nil || string(b.DsseEnvelope.Payload) != string(r.Payload) {
		t.Errorf("another payload was signed (%v)", err)
	}
	if e, s := services.entries.Load(), services.stamps.Load(); e != 1 || s != 1 {
		t.Errorf("%d log entries and %d timestamps, want one each", e, s)
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for text, want := range map[string]time.Duration{
		"": 0, "7": 7 * time.Second, "-7": 0, "9999999999": maxPause, "soon": 0,
		now.Add(9 * time.Second).Format(http.TimeFormat): 9 * time.Second, now.Add(-time.Hour).Format(http.TimeFormat): 0, now.Add(time.Hour).Format(http.TimeFormat): maxPause,
	} {
		if got := retryAfter(text, now); got != want {
			t.Errorf("%q: got %s, want %s", text, got, want)
		}
	}
}
