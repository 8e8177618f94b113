package matrix

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/json"
	"fmt"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/artifactctl/artifactctl/plugins/signer"
	"github.com/artifactctl/artifactctl/test/fixture"
)

// Kinds of statements.
const (
	signPredicate       = "https://sigstore.dev/cosign/sign/v1"
	provenancePredicate = "https://slsa.dev/provenance/v1"
)

// key is a key pair, and whoever holds it.
type key struct {
	crypto.Signer
	public []byte // PEM
}

// keys are those of the cases: by algorithm, and one that nobody trusts.
type keys struct {
	by      map[string]key
	foreign key
	// right is the one that most cases trust.
	right key
}

func newKeys() (*keys, error) {
	k := &keys{by: map[string]key{}}
	for _, algorithm := range append(fixture.Algorithms(), "foreign") {
		kind := algorithm
		if kind == "foreign" {
			kind = "p256"
		}
		pair, err := fixture.Generate(kind)
		if err != nil {
			return nil, fmt.Errorf("make a %s key: %w", kind, err)
		}
		public, err := signer.MarshalPublicKey(pair.Public())
		if err != nil {
			return nil, fmt.Errorf("encode a %s key: %w", kind, err)
		}
		k.by[algorithm] = key{pair, public}
	}
	k.foreign, k.right = k.by["foreign"], k.by["p256"]
	return k, nil
}

// trust is the policy that these keys, and no others, are trusted.
func trust(trusted ...key) Policy {
	p := Policy{seal: func(statement []byte) ([]byte, error) { return trusted[0].bundle(statement, crypto.SHA256) }}
	for _, k := range trusted {
		p.Keys = append(p.Keys, k.public)
	}
	return p
}

// sign signs a message with a hash: SHA-256 is what Flux verifies, and none for Ed25519.
func (k key) sign(message []byte, hash crypto.Hash) ([]byte, error) {
	if _, pure := k.Public().(ed25519.PublicKey); pure && hash == crypto.SHA256 {
		return k.Sign(rand.Reader, message, crypto.Hash(0))
	}
	var sum []byte
	switch hash {
	case crypto.SHA256:
		s := sha256.Sum256(message)
		sum = s[:]
	case crypto.SHA384:
		s := sha512.Sum384(message)
		sum = s[:]
	case crypto.SHA512:
		s := sha512.Sum512(message)
		sum = s[:]
	default:
		return nil, fmt.Errorf("no hash %s", hash)
	}
	return k.Sign(rand.Reader, sum, hash)
}

// statement is an in-toto statement about artifacts.
func statement(predicate string, subjects ...v1.Hash) []byte {
	var list []string
	for _, s := range subjects {
		list = append(list, fmt.Sprintf(`{"digest":{"sha256":%q}}`, s.Hex))
	}
	return fmt.Appendf(nil, `{"_type":"https://in-toto.io/Statement/v1","subject":[%s],"predicateType":%q,"predicate":{}}`, strings.Join(list, ","), predicate)
}

// bundle is a Sigstore bundle with this payload.
func (k key) bundle(payload []byte, hash crypto.Hash) ([]byte, error) {
	r := signer.Request{PayloadType: signer.PayloadInToto, Payload: payload}
	sig, err := k.sign(signer.PAE(r.PayloadType, r.Payload), hash)
	if err != nil {
		return nil, err
	}
	b, err := signer.KeyBundle(r, k.Public(), sig)
	return b.Content, err
}

// message is a bundle of a message signature over a manifest, not of a statement about it.
func (k key) message(content []byte) ([]byte, error) {
	r := signer.Request{PayloadType: signer.PayloadSimpleSigning, Payload: content}
	sig, err := k.sign(content, crypto.SHA256)
	if err != nil {
		return nil, err
	}
	b, err := signer.KeyBundle(r, k.Public(), sig)
	return b.Content, err
}

// legacy is a signature of cosign's older format for subject in a repository.
func (k key) legacy(repository string, subject v1.Hash) (old, error) {
	payload, err := json.Marshal(map[string]any{
		"critical": map[string]any{
			"identity": map[string]any{"docker-reference": repository},
			"image":    map[string]any{"docker-manifest-digest": subject.String()},
			"type":     "cosign container image signature",
		},
		"optional": nil,
	})
	if err != nil {
		return old{}, err
	}
	sig, err := k.sign(payload, crypto.SHA256)
	return old{payload, sig}, err
}
