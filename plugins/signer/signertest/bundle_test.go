package signertest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"strings"
	"testing"

	"github.com/artifactctl/artifactctl/plugins/signer"
)

func sign(t *testing.T, key crypto.Signer, input []byte, r signer.Request) signer.Signature {
	t.Helper()
	sig, err := key.Sign(rand.Reader, input, crypto.Hash(0))
	if err != nil {
		t.Fatal(err)
	}
	answer, err := signer.KeyBundle(r, key.Public(), sig)
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

// TestSuiteFindsBadAnswers: a suite that accepts everything proves nothing.
func TestSuiteFindsBadAnswers(t *testing.T) {
	ed := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	asked := Request(signer.PayloadInToto, 1)
	other := Request(signer.PayloadInToto, 2)
	simple := Request(signer.PayloadSimpleSigning, 1)
	pae := signer.PAE(asked.PayloadType, asked.Payload)
	sum256, sum384 := sha256.Sum256(pae), sha512.Sum384(pae)
	edited := func(from, to string) signer.Signature {
		answer := sign(t, ed, pae, asked)
		text := strings.Replace(string(answer.Content), from, to, 1)
		if text == string(answer.Content) {
			t.Fatalf("there is no %s in %s", from, text)
		}
		return signer.Signature{MediaType: answer.MediaType, Content: []byte(text)}
	}
	tests := map[string]struct {
		key    crypto.Signer
		answer signer.Signature
		want   string // empty: it is good
	}{
		"good":                  {ed, sign(t, ed, pae, asked), ""},
		"good P-384":            {p384, sign(t, p384, sum256[:], asked), ""},
		"P-384 with SHA-384":    {p384, sign(t, p384, sum384[:], asked), "ECDSA, SHA-256"},
		"payload, not its PAE":  {ed, sign(t, ed, asked.Payload, asked), "pure Ed25519"},
		"another request":       {ed, sign(t, ed, signer.PAE(other.PayloadType, other.Payload), other), "does not hold the payload"},
		"another kind":          {ed, sign(t, ed, simple.Payload, simple), "must have a dsseEnvelope"},
		"another key":           {p384, sign(t, ed, pae, asked), "hint is not that of Info.PublicKey"},
		"media type outside":    {ed, signer.Signature{MediaType: "x", Content: []byte("{}")}, `media type is "x"`},
		"media type inside":     {ed, edited("v0.3+json", "v0.2+json"), "mediaType in the bundle"},
		"no JSON":               {ed, signer.Signature{MediaType: signer.BundleMediaType, Content: []byte("x")}, "not JSON"},
		"two signatures":        {ed, edited(`"signatures":[{`, `"signatures":[{},{`), "2 signatures"},
		"neither key nor cert.": {nil, sign(t, ed, pae, asked), "neither a public key"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var info signer.Info
			if tt.key != nil {
				if info.PublicKey, err = signer.MarshalPublicKey(tt.key.Public()); err != nil {
					t.Fatal(err)
				}
			}
			got := Suite{}.check(t, info, asked, tt.answer)
			if (got == nil) != (tt.want == "") || got != nil && !strings.Contains(got.Error(), tt.want) {
				t.Errorf("got %v, want %q", got, tt.want)
			}
		})
	}
}
