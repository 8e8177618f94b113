package main

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/artifactctl/artifactctl/plugins/signer"
	"github.com/artifactctl/artifactctl/plugins/signer/signertest"
)

// opened is a signer whose server is f, with the warnings of Open.
func opened(t *testing.T) (*vaultSigner, []string) {
	t.Helper()
	s := &vaultSigner{}
	info, err := s.Open(t.Context(), map[string]any{"key": "artifacts"})
	if err != nil {
		t.Fatal(err)
	}
	return s, info.Warnings
}

// signAll asks for n signatures at once and returns the errors. The signer itself checks that each signature is the one
// over its own payload.
func signAll(t *testing.T, s *vaultSigner, n int) []error {
	t.Helper()
	failures := make([]error, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { _, failures[i] = s.Sign(t.Context(), signertest.Request(signer.PayloadInToto, i)) })
	}
	all.Wait()
	return failures
}

// message is what the server is asked to sign for the i-th call of signAll.
func message(t *testing.T, s *vaultSigner, i int) []byte {
	t.Helper()
	input, err := signer.SigningInput(signertest.Request(signer.PayloadInToto, i))
	if err != nil {
		t.Fatal(err)
	}
	return s.transit.key.message(input)
}

func TestFewRequests(t *testing.T) {
	f := newFake(t)
	s, warnings := opened(t)
	if sizes := f.asked(); !slices.Equal(sizes, []int{1}) || len(warnings) > 0 {
		t.Errorf("opened with requests of %v, warnings %q", sizes, warnings)
	}
	for i, err := range signAll(t, s, 500) {
		if err != nil {
			t.Fatalf("%d: %v", i, err)
		}
	}
	if sizes := f.asked(); len(sizes) > 10 || slices.Max(sizes) > shared().calls {
		t.Errorf("500 signatures in requests of %v", sizes)
	}
}

// One item that cannot be signed is nobody else's failure, whatever way the server has to say so.
func TestOneBadItem(t *testing.T) {
	const bad, n = 7, 40
	tests := map[string]struct {
		words string // of the item; empty: the whole request is refused
		class error
		hint  string
	}{
		"retired version": {"requested version for signing is less than the minimum encryption key version", signer.ErrInvalid, "keyVersion"},
		"input":           {"unable to decode input: illegal base64 data at input byte 1", signer.ErrInvalid, ""},
		"no reason":       {"1 error\n occurred with " + testToken, signer.ErrUnavailable, ""},
		"whole request":   {"", signer.ErrInvalid, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			s, _ := opened(t)
			marked := message(t, s, bad)
			if tt.words != "" {
				f.item = func(input []byte, answer map[string]any) {
					if bytes.Equal(input, marked) {
						clear(answer)
						answer["error"] = tt.words
					}
				}
			} else {
				f.fault = refuseBodies(t, 400, func(body []byte) bool {
					return strings.Contains(string(body), base64.StdEncoding.EncodeToString(marked))
				})
			}
			for i, err := range signAll(t, s, n) {
				if i == bad {
					check(t, err, tt.class, "sign with transit/sign/artifacts/sha2-256: ", tt.hint)
				} else if err != nil {
					t.Errorf("%d fails with it: %v", i, err)
				}
			}
		})
	}
}

// A proxy that takes only small requests gets small ones.
func TestTooLargeForAProxy(t *testing.T) {
	f := newFake(t)
	s, _ := opened(t)
	f.asked()
	f.fault = refuseBodies(t, http.StatusRequestEntityTooLarge, func(body []byte) bool { return len(body) > 1000 })
	for i, err := range signAll(t, s, 100) {
		if err != nil {
			t.Errorf("%d: %v", i, err)
		}
	}
	if sizes := f.asked(); slices.Max(sizes) < 2 {
		t.Errorf("requests of %v: they were cut more than needed", sizes)
	}
}

// Where batches do not work each signature takes a request, and a warning says so when the signer is opened.
func TestWithoutBatches(t *testing.T) {
	noBatches := func(body []byte) bool { return strings.Contains(string(body), "batch_input") }
	tests := map[string]struct {
		prepare func(t *testing.T, f *fake)
		want    string
	}{
		"policy": {func(t *testing.T, f *fake) { f.fault = refuseBodies(t, 403, noBatches) }, "signer was denied: 403 refused, though only with batch_input; does a policy list allowed_parameters?"},
		"server": {func(_ *testing.T, f *fake) { f.noBatch = true }, "the answer is not one of Vault, though only with batch_input"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			tt.prepare(t, f)
			s, warnings := opened(t)
			if len(warnings) != 1 || !strings.Contains(warnings[0], tt.want) {
				t.Errorf("warnings are %q", warnings)
			}
			f.asked()
			for i, err := range signAll(t, s, 30) {
				if err != nil {
					t.Errorf("%d: %v", i, err)
				}
			}
			if sizes := f.asked(); len(sizes) != 30 || slices.Max(sizes) != 0 {
				t.Errorf("requests of %v", sizes)
			}
		})
	}
}

// Of several nodes behind one address some may be older.
func TestBatchesEndMidRun(t *testing.T) {
	f := newFake(t)
	s, _ := opened(t)
	f.noBatch = true
	for i, err := range signAll(t, s, 30) {
		if err != nil {
			t.Errorf("%d: %v", i, err)
		}
	}
}

// What concerns the whole request concerns each of its calls.
func TestWholeRequestFails(t *testing.T) {
	tests := map[string]struct {
		answer     func(http.ResponseWriter)
		class      error
		want, hint string
	}{
		"sealed":        {errs(503, "Vault is sealed"), signer.ErrUnavailable, "503 Vault is sealed", "unsealed"},
		"forbidden":     {errs(403, "1 error occurred:\n\t* permission denied\n\n"), signer.ErrDenied, "403 permission denied", `path "transit/sign/artifacts/sha2-256" { capabilities = ["update"] }`},
		"key not found": {errs(400, "signing key not found"), signer.ErrInvalid, "400 signing key not found", ""},
		"DR secondary":  {errs(400, "path disabled in replication DR secondary mode"), signer.ErrUnavailable, "400 path disabled", "active node"},
		"nonsense":      {errs(400, "no"), signer.ErrInvalid, "400 no", ""},
		"too large":     {errs(413), signer.ErrInvalid, "413 request entity too large", ""},
		"cut":           {func(http.ResponseWriter) { panic(http.ErrAbortHandler) }, signer.ErrUnavailable, "EOF", ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			s, _ := opened(t)
			before := f.signs.Load()
			f.fault = always("/sign/", tt.answer)
			for _, err := range signAll(t, s, 60) {
				check(t, err, tt.class, tt.want, tt.hint)
			}
			// Some are tried in smaller requests, but not all one by one.
			if n := f.signs.Load() - before; n > 20 {
				t.Errorf("%d requests", n)
			}
		})
	}
}

// An item's signature that does not verify fails its own call, even when it is that of its neighbour.
func TestSwappedSignatures(t *testing.T) {
	f := newFake(t)
	s, _ := opened(t)
	a, b := message(t, s, 1), message(t, s, 2)
	f.item = func(input []byte, answer map[string]any) {
		other := map[string][]byte{string(a): b, string(b): a}[string(input)]
		if other == nil {
			return
		}
		swapped, err := f.signature(other)
		if err != nil {
			t.Error(err)
		}
		answer["signature"] = swapped["signature"]
	}
	for i, err := range signAll(t, s, 5) {
		if swapped := i == 1 || i == 2; swapped {
			check(t, err, nil, "does not verify", "")
		} else if err != nil {
			t.Errorf("%d: %v", i, err)
		}
	}
}

// refuseBodies answers with a status to each request to sign whose body is bad.
func refuseBodies(t *testing.T, status int, bad func(body []byte) bool) func(http.ResponseWriter, *http.Request, int64) bool {
	t.Helper()
	return func(w http.ResponseWriter, r *http.Request, _ int64) bool {
		body, err := io.ReadAll(r.Body)
		if err != nil && !errors.Is(err, io.EOF) {
			t.Error(err)
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		if !strings.Contains(r.URL.Path, "/sign/") || !bad(body) {
			return false
		}
		errs(status, "refused")(w)
		return true
	}
}
