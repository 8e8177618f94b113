package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/artifactctl/artifactctl/plugins/signer"
	"github.com/artifactctl/artifactctl/plugins/signer/signertest"
)

func TestConformance(t *testing.T) {
	clean(t)
	t.Setenv(defaultToken, jwt(time.Hour))
	signertest.Run(t, signertest.Suite{
		New: func(t *testing.T) (signer.Signer, map[string]any) {
			return impatient(), newStandIn(t).with()
		},
		PayloadTypes: []string{signer.PayloadInToto},
		Verify:       verifyCertified,
	})
}

// certified is the part of a bundle that keyless signatures add.
type certified struct {
	VerificationMaterial struct {
		Certificate               struct{ RawBytes []byte }
		TlogEntries               []struct{ LogIndex string }
		TimestampVerificationData struct {
			Rfc3161Timestamps []struct{ SignedTimestamp []byte }
		}
	}
}

func verifyCertified(t *testing.T, s signer.Signature, signed, sig []byte) {
	t.Helper()
	var b certified
	if err := json.Unmarshal(s.Content, &b); err != nil {
		t.Error(err)
		return
	}
	certificate, err := x509.ParseCertificate(b.VerificationMaterial.Certificate.RawBytes)
	if err != nil {
		t.Error(err)
		return
	}
	digest := sha256.Sum256(signed)
	if !ecdsa.VerifyASN1(certificate.PublicKey.(*ecdsa.PublicKey), digest[:], sig) {
		t.Error("the signature is not by the key of the certificate")
	}
	if m := b.VerificationMaterial; len(m.TlogEntries) != 1 || len(m.TimestampVerificationData.Rfc3161Timestamps) != 1 {
		t.Errorf("%d log entries and %d timestamps, want one each", len(m.TlogEntries), len(m.TimestampVerificationData.Rfc3161Timestamps))
	}
}

func TestOneCertificateForARun(t *testing.T) {
	clean(t)
	t.Setenv(defaultToken, jwt(time.Hour))
	services := newStandIn(t)
	s := impatient()
	info, err := s.Open(t.Context(), services.with())
	if err != nil || info.Identity != "ci@example.com (https://issuer.example.com)" || info.PublicKey != nil {
		t.Fatalf("%+v, %v", info, err)
	}
	if block, _ := pem.Decode(info.Certificate); block == nil || !bytes.Equal(block.Bytes, s.authority.current.certificate.Raw) {
		t.Errorf("the host is shown another certificate:\n%s", info.Certificate)
	}
	var wg sync.WaitGroup
	for i := range 32 {
		wg.Go(func() {
			if _, err := s.Sign(t.Context(), signertest.Request(signer.PayloadInToto, i)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if c, e := services.certificates.Load(), services.entries.Load(); c != 1 || e != 32 {
		t.Errorf("%d certificates and %d log entries, want 1 and 32", c, e)
	}
}

func TestLegacyIsRefused(t *testing.T) {
	_, err := impatient().Sign(t.Context(), signertest.Request(signer.PayloadSimpleSigning, 1))
	var h interface{ Hint() string }
	if !errors.Is(err, signer.ErrInvalid) || !errors.As(err, &h) || !strings.Contains(h.Hint(), "bundle") {
		t.Errorf("got %v", err)
	}
}

// The certificate is renewed when its end is near, and the old one is used as long as that fails.
func TestRenewal(t *testing.T) {
	clean(t)
	t.Setenv(defaultToken, jwt(time.Hour))
	services := newStandIn(t)
	refuse := false
	services.before = func(service string, _ int64, w http.ResponseWriter) bool {
		if refuse {
			w.WriteHeader(http.StatusForbidden)
		}
		return refuse
	}
	s := impatient()
	if _, err := s.Open(t.Context(), services.with()); err != nil {
		t.Fatal(err)
	}
	first := s.authority.current
	for _, c := range []struct {
		before time.Duration // the end of the first certificate
		refuse bool
		count  int64 // requests so far
		err    error
	}{
		{9 * time.Minute, false, 1, nil},
		{renewEarly - time.Second, true, 2, nil},
		{lastUse - time.Second, true, 3, signer.ErrDenied},
		{lastUse - time.Second, false, 4, nil},
		{lastUse - time.Second, true, 4, nil}, // the second one is fresh
	} {
		refuse = c.refuse
		s.authority.now = func() time.Time { return first.ends.Add(-c.before) }
		got, err := s.authority.credential(t.Context())
		if !errors.Is(err, c.err) || services.certificates.Load() != c.count {
			t.Errorf("%s before the end: %v after %d requests, want %v after %d", c.before, err, services.certificates.Load(), c.err, c.count)
		}
		if err == nil && (got == first) != (c.count < 4) {
			t.Errorf("%s before the end: the wrong certificate", c.before)
		}
	}
}

func TestServicesThatFail(t *testing.T) {
	clean(t)
	t.Setenv(defaultToken, jwt(time.Hour))
	always := func(int64) bool { return true }
	first := func(n int64) bool { return n < 3 }
	for name, c := range map[string]struct {
		service string
		status  int
		when    func(n int64) bool
		want    error
	}{
		"Fulcio 503 for a while":     {"fulcio", 503, first, nil},
		"Fulcio 429 for a while":     {"fulcio", 429, first, nil},
		"Rekor 500 for a while":      {"rekor", 500, first, nil},
		"Rekor has it already":       {"rekor", 409, first, nil},
		"timestamps 502 for a while": {"tsa", 502, first, nil},
		"Fulcio 503":                 {"fulcio", 503, always, signer.ErrUnavailable},
		"Fulcio 401":                 {"fulcio", 401, always, signer.ErrDenied},
		"Fulcio 403":                 {"fulcio", 403, always, signer.ErrDenied},
		"Fulcio 400":                 {"fulcio", 400, always, signer.ErrDenied},
		"Fulcio 404":                 {"fulcio", 404, always, signer.ErrInvalid},
		"Rekor 500":                  {"rekor", 500, always, signer.ErrUnavailable},
		"Rekor 400":                  {"rekor", 400, always, signer.ErrInvalid},
		"Rekor says always 409":      {"rekor", 409, always, signer.ErrUnavailable},
		"timestamps 503":             {"tsa", 503, always, signer.ErrUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			services := newStandIn(t)
			services.before = func(service string, n int64, w http.ResponseWriter) bool {
				if service != c.service || !c.when(n) {
					return false
				}
				w.WriteHeader(c.status)
				return true
			}
			s := impatient()
			_, err := s.Open(t.Context(), services.with())
			if (err != nil) != (c.want != nil && c.service == "fulcio") {
				t.Fatalf("open: %v", err)
			}
			if err == nil {
				_, err = s.Sign(t.Context(), signertest.Request(signer.PayloadInToto, 1))
			}
			if !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
			if err != nil && strings.Contains(err.Error(), "ey") && strings.Contains(err.Error(), jwt(time.Hour)[:20]) {
				t.Errorf("the error shows the token: %v", err)
			}
		})
	}
}

func TestNobodyAnswers(t *testing.T) {
	clean(t)
	t.Setenv(defaultToken, jwt(time.Hour))
	with := map[string]any{"fulcioURL": "http://127.0.0.1:1", "rekorURL": "http://127.0.0.1:1", "rekorVersion": 1}
	if _, err := impatient().Open(t.Context(), with); !errors.Is(err, signer.ErrUnavailable) || !strings.Contains(err.Error(), "Fulcio") {
		t.Errorf("got %v", err)
	}
	services := newStandIn(t)
	services.before = func(_ string, _ int64, w http.ResponseWriter) bool {
		w.Header().Set("Retry-After", "20")
		w.WriteHeader(http.StatusTooManyRequests)
		return true
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := impatient().Open(ctx, services.with()); !errors.Is(err, signer.ErrUnavailable) || !strings.Contains(err.Error(), "429; no time is left") {
		t.Errorf("got %v", err)
	}
}
