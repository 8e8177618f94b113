// Package tuftest is a TUF repository of a Sigstore on loopback, for tests of those who ask one. Its metadata are real and
// signed; it can rotate its keys, forge, expire and fail. It is no repository for anything else: all roles have one key,
// which exists in memory only.
package tuftest

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/theupdateframework/go-tuf/v2/metadata"
)

// Names of the targets of a Sigstore's repository.
const (
	TrustedRoot   = "trusted_root.json"
	SigningConfig = "signing_config.v0.2.json"
)

// Repository is a TUF repository that is served on loopback. Its methods that change what it tells are not safe for
// concurrent use; requests are.
type Repository struct {
	// URL of the repository.
	URL string
	// Root is version 1 of root.json, where the trust begins.
	Root []byte
	// Expires is when metadata that are published from now on end.
	Expires time.Time
	// Requests counts what was asked.
	Requests atomic.Int64

	server  *httptest.Server
	key     ed25519.PrivateKey
	root    *metadata.Metadata[metadata.RootType]
	version int64 // of the other roles

	mu     sync.Mutex
	files  map[string][]byte
	answer func(w http.ResponseWriter, r *http.Request) bool
}

// New serves a repository with these targets, by name, until it is closed.
func New(targets map[string][]byte) (*Repository, error) {
	r := &Repository{Expires: time.Now().Add(48 * time.Hour), files: map[string][]byte{}}
	r.root = metadata.Root(time.Now().Add(365 * 24 * time.Hour))
	key, err := r.addKey()
	if err != nil {
		return nil, err
	}
	r.key = key
	if err := r.putRoot(key); err != nil {
		return nil, err
	}
	r.Root = r.files["1.root.json"]
	if err := r.Publish(targets); err != nil {
		return nil, err
	}
	r.server = httptest.NewServer(http.HandlerFunc(r.serve))
	r.URL = r.server.URL + "/tuf"
	return r, nil
}

// Close stops serving.
func (r *Repository) Close() {
	r.server.CloseClientConnections()
	r.server.Close()
}

func (r *Repository) serve(w http.ResponseWriter, q *http.Request) {
	r.Requests.Add(1)
	r.mu.Lock()
	answer := r.answer
	text, ok := r.files[strings.TrimPrefix(q.URL.Path, "/tuf/")]
	r.mu.Unlock()
	switch {
	case answer != nil && answer(w, q):
	case !ok:
		w.WriteHeader(http.StatusNotFound)
	default:
		_, _ = w.Write(text) // a client that went away misses it
	}
}

// Answer has a function answer requests in the place of the repository, where it says so; nil ends it.
func (r *Repository) Answer(with func(w http.ResponseWriter, r *http.Request) (answered bool)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answer = with
}

// AnswerAll answers all requests with a status; 0 ends it.
func (r *Repository) AnswerAll(status int) {
	if status == 0 {
		r.Answer(nil)
		return
	}
	r.Answer(func(w http.ResponseWriter, _ *http.Request) bool { w.WriteHeader(status); return true })
}

// Put replaces a file, whatever its signatures.
func (r *Repository) Put(name string, text []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.files[name] = text
}

// Files are all files of the repository, by their path.
func (r *Repository) Files() map[string][]byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.files)
}

// roles are those of a repository.
func roles() []string {
	return []string{metadata.ROOT, metadata.TIMESTAMP, metadata.SNAPSHOT, metadata.TARGETS}
}

// addKey makes a key and lets it sign for all roles.
func (r *Repository) addKey() (ed25519.PrivateKey, error) {
	public, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make a key: %w", err)
	}
	described, err := metadata.KeyFromPublicKey(public)
	if err != nil {
		return nil, fmt.Errorf("describe a key: %w", err)
	}
	for _, role := range roles() {
		if err := r.root.Signed.AddKey(described, role); err != nil {
			return nil, fmt.Errorf("add a key: %w", err)
		}
	}
	return key, nil
}

// Rotate replaces the key by a new one in the next version of root.json.
func (r *Repository) Rotate() error {
	old := r.key
	described, err := metadata.KeyFromPublicKey(old.Public())
	if err != nil {
		return fmt.Errorf("describe a key: %w", err)
	}
	id, err := described.ID()
	if err != nil {
		return fmt.Errorf("name a key: %w", err)
	}
	if r.key, err = r.addKey(); err != nil {
		return err
	}
	for _, role := range roles() {
		if err := r.root.Signed.RevokeKey(id, role); err != nil {
			return fmt.Errorf("revoke a key: %w", err)
		}
	}
	r.root.Signed.Version++
	return r.putRoot(old, r.key)
}

func (r *Repository) putRoot(keys ...ed25519.PrivateKey) error {
	return put(r, fmt.Sprintf("%d.root.json", r.root.Signed.Version), r.root, keys...)
}

// Forge publishes targets with a key that is nobody's.
func (r *Repository) Forge(targets map[string][]byte) error {
	good := r.key
	defer func() { r.key = good }()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return fmt.Errorf("make a key: %w", err)
	}
	r.key = key
	return r.Publish(targets)
}

// Publish makes the next version of what the repository tells: these targets, by name, and no others.
func (r *Repository) Publish(targets map[string][]byte) error {
	r.version++
	list := metadata.Targets(r.Expires)
	list.Signed.Version = r.version
	for _, name := range slices.Sorted(maps.Keys(targets)) {
		file, err := metadata.TargetFile().FromBytes(name, targets[name], "sha256")
		if err != nil {
			return fmt.Errorf("describe %s: %w", name, err)
		}
		file.Path, list.Signed.Targets[name] = name, file
		sum := sha256.Sum256(targets[name])
		r.Put("targets/"+hex.EncodeToString(sum[:])+"."+name, targets[name])
	}
	if err := put(r, fmt.Sprintf("%d.targets.json", r.version), list, r.key); err != nil {
		return err
	}
	snapshot := metadata.Snapshot(r.Expires)
	snapshot.Signed.Version = r.version
	snapshot.Signed.Meta["targets.json"] = metadata.MetaFile(r.version)
	if err := put(r, fmt.Sprintf("%d.snapshot.json", r.version), snapshot, r.key); err != nil {
		return err
	}
	stamp := metadata.Timestamp(r.Expires)
	stamp.Signed.Version = r.version
	stamp.Signed.Meta["snapshot.json"] = metadata.MetaFile(r.version)
	return put(r, "timestamp.json", stamp, r.key)
}

// put signs metadata and stores them.
func put[T metadata.Roles](r *Repository, name string, m *metadata.Metadata[T], keys ...ed25519.PrivateKey) error {
	m.ClearSignatures()
	for _, key := range keys {
		by, err := signature.LoadSigner(key, crypto.Hash(0))
		if err != nil {
			return fmt.Errorf("sign %s: %w", name, err)
		}
		if _, err := m.Sign(by); err != nil {
			return fmt.Errorf("sign %s: %w", name, err)
		}
	}
	text, err := m.ToBytes(false)
	if err != nil {
		return fmt.Errorf("encode %s: %w", name, err)
	}
	r.Put(name, text)
	return nil
}
