package stack

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/theupdateframework/go-tuf/v2/metadata"
)

// Mirror is a TUF repository that tells the signing config and the trusted root of a Stack.
type Mirror struct {
	URL  string
	Root []byte // where trust in it begins
}

// Mirror serves the Stack's documents as the public Sigstore's mirror does, signed by a key of its own.
func (s *Stack) Mirror(t testing.TB) *Mirror {
	t.Helper()
	files, err := tufRepository(map[string][]byte{"signing_config.v0.2.json": s.SigningConfig(t), "trusted_root.json": s.TrustedRoot(t)})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, ok := files[strings.TrimPrefix(r.URL.Path, "/")]
		if !ok {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		_, _ = w.Write(text) // a client that went away misses it
	}))
	t.Cleanup(server.Close)
	return &Mirror{URL: server.URL, Root: files["1.root.json"]}
}

// tufRepository makes all files of a repository with these targets.
func tufRepository(targets map[string][]byte) (map[string][]byte, error) {
	public, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make the key of the TUF repository: %w", err)
	}
	by, err := signature.LoadSigner(key, crypto.Hash(0))
	if err != nil {
		return nil, fmt.Errorf("make the key of the TUF repository: %w", err)
	}
	shown, err := metadata.KeyFromPublicKey(public)
	if err != nil {
		return nil, fmt.Errorf("make the key of the TUF repository: %w", err)
	}
	until, files := time.Now().Add(24*time.Hour), map[string][]byte{}
	root, list := metadata.Root(until), metadata.Targets(until)
	for _, role := range []string{metadata.ROOT, metadata.TIMESTAMP, metadata.SNAPSHOT, metadata.TARGETS} {
		if err := root.Signed.AddKey(shown, role); err != nil {
			return nil, fmt.Errorf("make the TUF root: %w", err)
		}
	}
	for name, text := range targets {
		file, err := metadata.TargetFile().FromBytes(name, text, "sha256")
		if err != nil {
			return nil, fmt.Errorf("describe %s: %w", name, err)
		}
		file.Path, list.Signed.Targets[name] = name, file
		sum := sha256.Sum256(text)
		files["targets/"+hex.EncodeToString(sum[:])+"."+name] = text
	}
	snapshot, stamp := metadata.Snapshot(until), metadata.Timestamp(until)
	err = errors.Join(sign(files, "1.root.json", root, by), sign(files, "1.targets.json", list, by),
		sign(files, "1.snapshot.json", snapshot, by), sign(files, "timestamp.json", stamp, by))
	return files, err
}

func sign[T metadata.Roles](files map[string][]byte, name string, m *metadata.Metadata[T], by signature.Signer) error {
	if _, err := m.Sign(by); err != nil {
		return fmt.Errorf("sign %s: %w", name, err)
	}
	text, err := m.ToBytes(false)
	files[name] = text
	return err
}
