package attest_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/artifactctl/artifactctl/internal/artifact"
	"github.com/artifactctl/artifactctl/internal/attest"
	"github.com/artifactctl/artifactctl/plugins/signer"
)

const (
	digestA = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	digestB = "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
)

// key signs as a good signer does: SHA-256 for ECDSA and RSA, pure Ed25519.
type key struct{ crypto.Signer }

func (k key) pem(t testing.TB) []byte {
	t.Helper()
	text, err := signer.MarshalPublicKey(k.Public())
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func (k key) Sign(_ context.Context, r signer.Request) (signer.Signature, error) {
	input, err := signer.SigningInput(r)
	if err != nil {
		return signer.Signature{}, err
	}
	var options crypto.SignerOpts = crypto.Hash(0)
	if _, pure := k.Public().(ed25519.PublicKey); !pure {
		sum := sha256.Sum256(input)
		input, options = sum[:], crypto.SHA256
	}
	sig, err := k.Signer.Sign(rand.Reader, input, options)
	if err != nil {
		return signer.Signature{}, err
	}
	return signer.KeyBundle(r, k.Public(), sig)
}

func newKey(t testing.TB, kind string) key {
	t.Helper()
	var s crypto.Signer
	var err error
	switch kind {
	case "p256":
		s, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "p384":
		s, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case "p521":
		s, err = ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	case "rsa":
		s, err = rsa.GenerateKey(rand.Reader, 2048)
	case "ed25519":
		_, s, err = ed25519.GenerateKey(rand.Reader)
	default:
		t.Fatalf("no key kind %q", kind)
	}
	if err != nil {
		t.Fatal(err)
	}
	return key{s}
}

func policyOf(t testing.TB, keys ...key) attest.Policy {
	t.Helper()
	var pems [][]byte
	for _, k := range keys {
		pems = append(pems, k.pem(t))
	}
	p, err := attest.KeyPolicy(pems...)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func request(t testing.TB, f artifact.Format, digest string) signer.Request {
	t.Helper()
	r, err := attest.Request(f, "registry.example.com/org/app", digest)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// stored signs a digest and returns what would be stored, unchecked by any policy but the signer's own.
func stored(t testing.TB, k key, f artifact.Format, digest string) artifact.Signature {
	t.Helper()
	r := request(t, f, digest)
	s, err := k.Sign(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	out, err := policyOf(t, k).Accept(r, s)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestEveryKeyTypeInBothFormats(t *testing.T) {
	other := policyOf(t, newKey(t, "p256"))
	for _, kind := range []string{"p256", "p384", "p521", "rsa", "ed25519"} {
		k := newKey(t, kind)
		for _, f := range []artifact.Format{artifact.FormatBundle, artifact.FormatLegacy} {
			s := stored(t, k, f, digestA)
			want := []artifact.Format{f}
			if v := policyOf(t, k).Judge(digestA, []artifact.Signature{s}, want); !v.Good() || v.By == "" {
				t.Errorf("%s %s: %+v, want good", kind, f, v)
			}
			if v := policyOf(t, k).Judge(digestB, []artifact.Signature{s}, want); v.Good() || v.By != "" {
				t.Errorf("%s %s: accepted for another artifact", kind, f)
			}
			if v := other.Judge(digestA, []artifact.Signature{s}, want); v.Good() || v.By != "" || len(v.Reasons) != 1 {
				t.Errorf("%s %s: accepted by another key: %+v", kind, f, v)
			}
		}
	}
}

func TestJudge(t *testing.T) {
	ours, theirs := newKey(t, "p256"), newKey(t, "ed25519")
	bundle, legacy := artifact.FormatBundle, artifact.FormatLegacy
	ob, ol := stored(t, ours, bundle, digestA), stored(t, ours, legacy, digestA)
	fb := stored(t, theirs, bundle, digestA)
	junk := artifact.Signature{Format: bundle, Content: []byte(`{"mediaType":"application/vnd.dev.sigstore.bundle+json;version=0.1"}`)}
	all := func(s ...artifact.Signature) []artifact.Signature { return s }
	both := []artifact.Format{bundle, legacy}
	for name, c := range map[string]struct {
		signatures []artifact.Signature
		want       []artifact.Format
		good       bool
		missing    int
		hidden     bool
	}{
		"none":                              {nil, both[:1], false, 1, false},
		"bundle":                            {all(ob), both[:1], true, 0, false},
		"bundle among foreign ones":         {all(fb, ob, junk), both[:1], true, 0, false},
		"foreign bundle only":               {all(fb), both[:1], false, 1, false},
		"legacy where bundle is wanted":     {all(ol), both[:1], false, 1, false},
		"legacy":                            {all(ol), both[1:], true, 0, false},
		"legacy hidden by foreign bundle":   {all(ol, fb), both[1:], false, 0, true},
		"legacy beside our bundle":          {all(ol, ob, fb), both[1:], true, 0, false},
		"legacy beside what does not parse": {all(ol, junk), both[1:], true, 0, false},
		"both wanted, bundle there":         {all(ob), both, false, 1, false},
		"both wanted, legacy there":         {all(ol, fb), both, false, 1, false},
		"both":                              {all(ob, ol), both, true, 0, false},
	} {
		v := policyOf(t, ours).Judge(digestA, c.signatures, c.want)
		if v.Good() != c.good || len(v.Missing) != c.missing || v.Hidden != c.hidden {
			t.Errorf("%s: got %+v", name, v)
		}
	}
	if v := policyOf(t, theirs, ours).Judge(digestA, all(ob), both[:1]); !v.Good() {
		t.Errorf("second of two trusted keys: %+v", v)
	}
	if v := (attest.Policy{}).Judge(digestA, all(ob, ol), both[:1]); v.Good() {
		t.Error("the zero policy accepts")
	}
}

// A signature by our key over other claims must not count as a signature of the artifact.
func TestAttestationIsNoSignature(t *testing.T) {
	k := newKey(t, "p256")
	r := request(t, artifact.FormatBundle, digestA)
	r.Payload = []byte(strings.Replace(string(r.Payload), attest.PredicateType, "https://slsa.dev/provenance/v1", 1))
	s, err := k.Sign(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	v := policyOf(t, k).Judge(digestA, []artifact.Signature{{Format: artifact.FormatBundle, Content: s.Content}}, []artifact.Format{artifact.FormatBundle})
	if v.Good() || !strings.Contains(strings.Join(v.Reasons, " "), "attestation") {
		t.Errorf("got %+v", v)
	}
}

func TestAcceptRejects(t *testing.T) {
	k := newKey(t, "p256")
	p := policyOf(t, k)
	good := request(t, artifact.FormatBundle, digestA)
	legacy := request(t, artifact.FormatLegacy, digestA)
	answer := func(k key, r signer.Request) signer.Signature {
		s, err := k.Sign(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	edit := func(s signer.Signature, old, new string) signer.Signature {
		changed := strings.Replace(string(s.Content), old, new, 1)
		if changed == string(s.Content) {
			t.Fatalf("%q is not in %s", old, s.Content)
		}
		return signer.Signature{MediaType: s.MediaType, Content: []byte(changed)}
	}
	ok := answer(k, good)
	none := good
	none.Digests = nil
	for name, c := range map[string]struct {
		r signer.Request
		s signer.Signature
	}{
		"nothing":                 {good, signer.Signature{}},
		"media type":              {good, signer.Signature{MediaType: "application/json", Content: ok.Content}},
		"rubbish":                 {good, signer.Signature{MediaType: signer.BundleMediaType, Content: []byte("ok")}},
		"too big":                 {good, signer.Signature{MediaType: signer.BundleMediaType, Content: make([]byte, 5<<20)}},
		"old bundle":              {good, edit(ok, "bundle.v0.3+json", "bundle+json;version=0.1")},
		"future bundle":           {good, edit(ok, "bundle.v0.3+json", "bundle.v0.4+json")},
		"other digest":            {good, answer(k, request(t, artifact.FormatBundle, digestB))},
		"other key":               {good, answer(newKey(t, "p256"), good)},
		"message for an envelope": {good, answer(k, legacy)},
		"envelope for a message":  {legacy, answer(k, good)},
		"legacy of other digest":  {legacy, answer(k, request(t, artifact.FormatLegacy, digestB))},
		"two signatures":          {good, edit(ok, `"signatures":[`, `"signatures":[{"sig":"AAAA"},`)},
		"no digest asked":         {none, ok},
		"broken signature":        {good, edit(ok, `"sig":"ME`, `"sig":"MF`)},
	} {
		if _, err := p.Accept(c.r, c.s); !errors.Is(err, attest.ErrRejected) {
			t.Errorf("%s: got %v, want ErrRejected", name, err)
		}
	}
	if _, err := p.Accept(good, ok); err != nil {
		t.Errorf("the good answer: %v", err)
	}
}

func TestPayloads(t *testing.T) {
	var statement struct {
		Type          string `json:"_type"`
		PredicateType string
		Subject       []struct{ Digest map[string]string }
	}
	r := request(t, artifact.FormatBundle, digestA)
	if err := json.Unmarshal(r.Payload, &statement); err != nil {
		t.Fatal(err)
	}
	if statement.PredicateType != attest.PredicateType || len(statement.Subject) != 1 || "sha256:"+statement.Subject[0].Digest["sha256"] != digestA {
		t.Errorf("statement %s", r.Payload)
	}
	want := `{"critical":{"identity":{"docker-reference":"registry.example.com/org/app"},"image":{"docker-manifest-digest":"` + digestA +
		`"},"type":"cosign container image signature"},"optional":null}`
	if got := string(request(t, artifact.FormatLegacy, digestA).Payload); got != want {
		t.Errorf("simple signing is %s, want %s", got, want)
	}
	if _, err := attest.Request("other", "r", digestA); err == nil {
		t.Error("an unknown format is accepted")
	}
	if _, err := attest.Request(artifact.FormatBundle, "r", "sha512:00"); err == nil {
		t.Error("a digest that is not sha256 is accepted")
	}
}

func TestKeyPolicyRefuses(t *testing.T) {
	small, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	good := newKey(t, "p256").pem(t)
	for name, pems := range map[string][][]byte{
		"no keys":  nil,
		"no PEM":   {[]byte("hello")},
		"two keys": {append(append([]byte{}, good...), good...)},
		"private":  {[]byte("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")},
		"P-224":    {mustMarshal(t, small.Public())},
	} {
		if _, err := attest.KeyPolicy(pems...); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
	k := newKey(t, "p256")
	if p := policyOf(t, k); !p.Trusts(k.pem(t)) || p.Trusts(good) || p.Trusts(nil) {
		t.Error("Trusts does not tell keys apart")
	}
}

func mustMarshal(t testing.TB, public crypto.PublicKey) []byte {
	t.Helper()
	return key{fixed{public}}.pem(t)
}

// fixed is a signer of which only the public key is wanted.
type fixed struct{ public crypto.PublicKey }

func (f fixed) Public() crypto.PublicKey { return f.public }
func (fixed) Sign(_ io.Reader, _ []byte, _ crypto.SignerOpts) ([]byte, error) {
	return nil, errors.ErrUnsupported
}
