package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/artifactctl/artifactctl/plugins/signer"
)

// testToken must not be found in any message.
const testToken = "hvs.s3cret-token"

// fake is a server with one key, "artifacts". It exists to go wrong; the real engine is in module test/transit.
type fake struct {
	*httptest.Server
	key *ecdsa.PrivateKey
	// fault answers a request instead, if it is set and returns true. n counts requests to the same path from 1.
	fault func(w http.ResponseWriter, r *http.Request, n int64) bool
	// noBatch makes it a server that takes no notice of batch_input.
	noBatch bool
	// item changes or replaces the answer to an item of a batch, if it is set.
	item func(input []byte, answer map[string]any)
	// version that answers are of.
	version      int
	reads, signs atomic.Int64
	mu           sync.Mutex
	batches      []int // sizes of what was asked for, 0 for a request without batch_input
}

func newFake(t *testing.T) *fake {
	t.Helper()
	f := prepareFake(t)
	f.Start()
	t.Setenv("VAULT_ADDR", f.URL)
	return f
}

// prepareFake makes a server that does not run yet, and an environment in which nothing but it is known.
func prepareFake(t *testing.T) *fake {
	t.Helper()
	for _, entry := range os.Environ() {
		if name, _, _ := strings.Cut(entry, "="); strings.HasPrefix(name, "VAULT_") || strings.HasPrefix(name, "BAO_") {
			t.Setenv(name, "")
		}
	}
	t.Setenv("VAULT_TOKEN", testToken)
	t.Setenv("VAULT_MAX_RETRIES", "0")
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	f := &fake{key: key, version: 1}
	f.Server = httptest.NewUnstartedServer(f)
	f.Config.ErrorLog = log.New(io.Discard, "", 0) // cut connections and bad handshakes are the point of some tests
	t.Cleanup(f.Close)
	return f
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	count, answer := &f.reads, f.read
	if strings.Contains(r.URL.Path, "/sign/") {
		count, answer = &f.signs, f.sign
	}
	n := count.Add(1)
	if f.fault != nil && f.fault(w, r, n) {
		return
	}
	data, err := answer(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusTeapot)
		return
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"data": data})
}

func (f *fake) read(*http.Request) (map[string]any, error) {
	public, err := signer.MarshalPublicKey(f.key.Public())
	return map[string]any{
		"type": "ecdsa-p256", "latest_version": 1, "min_encryption_version": 0, "supports_signing": true,
		"keys": map[string]any{"1": map[string]any{"public_key": string(public)}},
	}, err
}

func (f *fake) sign(r *http.Request) (map[string]any, error) {
	var request struct {
		Input []byte `json:"input"`
		Batch []struct {
			Input []byte `json:"input"`
		} `json:"batch_input"`
	}
	if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
		return nil, err
	}
	f.mu.Lock()
	f.batches = append(f.batches, len(request.Batch))
	f.mu.Unlock()
	if request.Batch == nil || f.noBatch {
		return f.signature(request.Input)
	}
	results := make([]map[string]any, len(request.Batch))
	for i, item := range request.Batch {
		answer, err := f.signature(item.Input)
		if err != nil {
			return nil, err
		}
		if results[i] = answer; f.item != nil {
			f.item(item.Input, answer)
		}
	}
	return map[string]any{"batch_results": results}, nil
}

func (f *fake) signature(input []byte) (map[string]any, error) {
	if len(input) == 0 { // what a server without batches takes batch_input for
		return map[string]any{"signature": "vault:v1:AAAA"}, nil
	}
	sig, err := f.key.Sign(nil, input, crypto.SHA256)
	return map[string]any{"signature": fmt.Sprintf("vault:v%d:%s", f.version, base64.StdEncoding.EncodeToString(sig))}, err
}

// asked returns the sizes of the batches that arrived, and forgets them.
func (f *fake) asked() []int {
	f.mu.Lock()
	defer f.mu.Unlock()
	sizes := f.batches
	f.batches = nil
	return sizes
}

// errs is an answer in Vault's form.
func errs(status int, messages ...string) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) {
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(map[string]any{"errors": append([]string{}, messages...)})
	}
}

// text is an answer of something else.
func text(status int, body string) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) {
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}
}

// always gives the same answer to each request whose path contains part.
func always(part string, answer func(http.ResponseWriter)) func(http.ResponseWriter, *http.Request, int64) bool {
	return func(w http.ResponseWriter, r *http.Request, _ int64) bool {
		if !strings.Contains(r.URL.Path, part) {
			return false
		}
		answer(w)
		return true
	}
}
