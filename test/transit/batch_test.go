package transit_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/artifactctl/artifactctl/plugins/signer"
	"github.com/artifactctl/artifactctl/plugins/signer/rpc"
	"github.com/artifactctl/artifactctl/plugins/signer/signertest"
	"github.com/artifactctl/artifactctl/test/transit"
)

// signAll asks a signer for n signatures at once, every other one in the legacy format. The plugin checks that each is
// the one over its own payload; that the answers are good bundles TestConformance shows.
func signAll(t *testing.T, p *rpc.Process, n int) []error {
	t.Helper()
	failures := make([]error, n)
	var all sync.WaitGroup
	for i := range n {
		payloadType := []string{signer.PayloadInToto, signer.PayloadSimpleSigning}[i%2]
		all.Go(func() { _, failures[i] = p.Sign(t.Context(), signertest.Request(payloadType, i)) })
	}
	all.Wait()
	return failures
}

// A whole fleet is signed with a handful of requests, also where the server gets all of what is signed (Ed25519).
func TestFleetInFewRequests(t *testing.T) {
	for _, keyType := range []string{"ecdsa-p256", "rsa-2048", "ed25519"} {
		t.Run(keyType, func(t *testing.T) {
			s := serve(t, "transit", "", keyType)
			p := start(t, "VAULT_ADDR="+s.URL, "VAULT_TOKEN="+token)
			if _, err := p.Open(t.Context(), map[string]any{"key": "artifacts"}); err != nil {
				t.Fatal(err)
			}
			before := signatures(s)
			for i, err := range signAll(t, p, 500) {
				if err != nil {
					t.Errorf("%d: %v", i, err)
				}
			}
			if n := signatures(s) - before; n > 10 {
				t.Errorf("500 signatures took %d requests, want at most 10", n)
			}
		})
	}
}

// The engine's own answers to items that it cannot sign are the failure of these items alone.
func TestBadItems(t *testing.T) {
	s := serve(t, "transit", "", "ecdsa-p256")
	const every = 5
	var broken atomic.Int64
	front := inFront(t, s, func(_ http.ResponseWriter, r *http.Request) bool {
		if !strings.Contains(r.URL.Path, "/sign/") {
			return false
		}
		var request map[string]any
		if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
			t.Error(err)
		}
		items, _ := request["batch_input"].([]any)
		for i, item := range items {
			if i%every == every-1 {
				item.(map[string]any)["input"] = "%"
				broken.Add(1)
			}
		}
		body, err := json.Marshal(request)
		if err != nil {
			t.Error(err)
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		return false
	})
	p := start(t, "VAULT_ADDR="+front, "VAULT_TOKEN="+token)
	if _, err := p.Open(t.Context(), map[string]any{"key": "artifacts"}); err != nil {
		t.Fatal(err)
	}
	failed := 0
	for i, err := range signAll(t, p, 100) {
		if err == nil {
			continue
		}
		failed++
		if !errors.Is(err, signer.ErrInvalid) || !strings.Contains(err.Error(), "sign with transit/sign/artifacts/sha2-256: invalid signer configuration: unable to decode input") {
			t.Errorf("%d: %v", i, err)
		}
	}
	if n := int(broken.Load()); failed != n || n == 0 || n > 100/every {
		t.Errorf("%d calls failed, %d items were bad", failed, n)
	}
}

// A version that is retired while a run goes on is reported to each call, and not taken for an outage.
func TestRetiredMidRun(t *testing.T) {
	s := serve(t, "transit", "", "ed25519")
	p := start(t, "VAULT_ADDR="+s.URL, "VAULT_TOKEN="+token)
	if _, err := p.Open(t.Context(), map[string]any{"key": "artifacts"}); err != nil {
		t.Fatal(err)
	}
	s.Write(t, "keys/artifacts/rotate", nil)
	s.Write(t, "keys/artifacts/config", map[string]any{"min_encryption_version": 2})
	for i, err := range signAll(t, p, 50) {
		var h interface{ Hint() string }
		if !errors.Is(err, signer.ErrInvalid) || !errors.As(err, &h) || !strings.Contains(h.Hint(), "keyVersion") {
			t.Errorf("%d: %v", i, err)
		}
	}
}

// inFront puts a handler between clients and the server. It answers itself, or changes the request and returns false.
func inFront(t *testing.T, s *transit.Server, handle func(http.ResponseWriter, *http.Request) bool) (url string) {
	t.Helper()
	h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !handle(w, r) {
			s.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(h.Close)
	return h.URL
}
