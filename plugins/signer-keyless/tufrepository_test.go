package main

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	prototrustroot "github.com/sigstore/protobuf-specs/gen/pb-go/trustroot/v1"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/testing/ca"
	"github.com/sigstore/sigstore-go/pkg/tuf"
	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/theupdateframework/go-tuf/v2/metadata"
)

// tufRepository is a TUF repository on loopback with a signing config and a trusted root, all signed by one key until it
// is rotated.
type tufRepository struct {
	url      string
	first    []byte // version 1 of root.json
	key      ed25519.PrivateKey
	root     *metadata.Metadata[metadata.RootType]
	version  int64 // of the other roles
	expires  time.Time
	requests atomic.Int64

	mu     sync.Mutex
	files  map[string][]byte
	status int // answered to all requests, if it is not 0
}

func newTUFRepository(t *testing.T) *tufRepository {
	t.Helper()
	r := &tufRepository{expires: time.Now().Add(48 * time.Hour), files: map[string][]byte{}, key: newKey(t)}
	server := httptest.NewServer(r)
	t.Cleanup(server.Close)
	r.url = server.URL + "/tuf"
	r.root = metadata.Root(time.Now().Add(365 * 24 * time.Hour))
	r.addKey(t)
	r.putRoot(t, r.key)
	r.first = r.files["1.root.json"]
	r.publish(t, "https://fulcio.example.com")
	return r
}

func newKey(t *testing.T) ed25519.PrivateKey {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func (r *tufRepository) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	r.requests.Add(1)
	r.mu.Lock()
	defer r.mu.Unlock()
	text, ok := r.files[strings.TrimPrefix(q.URL.Path, "/tuf/")]
	switch {
	case r.status != 0:
		w.WriteHeader(r.status)
	case !ok:
		w.WriteHeader(http.StatusNotFound)
	default:
		_, _ = w.Write(text) // a client that went away misses it
	}
}

// answer makes the repository answer all requests so; 0 ends it.
func (r *tufRepository) answer(status int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status = status
}

// put stores a file.
func (r *tufRepository) put(name string, text []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.files[name] = text
}

// addKey makes the key that of all roles.
func (r *tufRepository) addKey(t *testing.T) {
	t.Helper()
	public, err := metadata.KeyFromPublicKey(r.key.Public())
	if err != nil {
		t.Fatal(err)
	}
	for _, role := range []string{metadata.ROOT, metadata.TIMESTAMP, metadata.SNAPSHOT, metadata.TARGETS} {
		if err := r.root.Signed.AddKey(public, role); err != nil {
			t.Fatal(err)
		}
	}
}

// rotate replaces the key by a new one in the next version of root.json.
func (r *tufRepository) rotate(t *testing.T) {
	t.Helper()
	old := r.key
	oldPublic, err := metadata.KeyFromPublicKey(old.Public())
	if err != nil {
		t.Fatal(err)
	}
	oldID, err := oldPublic.ID()
	if err != nil {
		t.Fatal(err)
	}
	r.key = newKey(t)
	r.addKey(t)
	for _, role := range []string{metadata.ROOT, metadata.TIMESTAMP, metadata.SNAPSHOT, metadata.TARGETS} {
		if err := r.root.Signed.RevokeKey(oldID, role); err != nil {
			t.Fatal(err)
		}
	}
	r.root.Signed.Version++
	r.putRoot(t, old, r.key)
}

func (r *tufRepository) putRoot(t *testing.T, keys ...ed25519.PrivateKey) {
	t.Helper()
	r.put(fmt.Sprintf("%d.root.json", r.root.Signed.Version), signed(t, r.root, keys...))
}

func signed[T metadata.Roles](t *testing.T, m *metadata.Metadata[T], keys ...ed25519.PrivateKey) []byte {
	t.Helper()
	m.ClearSignatures()
	for _, key := range keys {
		s, err := signature.LoadSigner(key, crypto.Hash(0))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := m.Sign(s); err != nil {
			t.Fatal(err)
		}
	}
	text, err := m.ToBytes(false)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// publish makes the next version of what the repository tells: a Sigstore with this Fulcio.
func (r *tufRepository) publish(t *testing.T, fulcio string) {
	t.Helper()
	r.version++
	targets := metadata.Targets(r.expires)
	targets.Signed.Version = r.version
	for name, text := range map[string][]byte{"signing_config.v0.2.json": signingConfig(t, fulcio), "trusted_root.json": trustedRoot(t)} {
		file, err := metadata.TargetFile().FromBytes(name, text, "sha256")
		if err != nil {
			t.Fatal(err)
		}
		file.Path = name
		targets.Signed.Targets[name] = file
		sum := sha256.Sum256(text)
		r.put("targets/"+hex.EncodeToString(sum[:])+"."+name, text)
	}
	r.put(fmt.Sprintf("%d.targets.json", r.version), signed(t, targets, r.key))
	snapshot := metadata.Snapshot(r.expires)
	snapshot.Signed.Version = r.version
	snapshot.Signed.Meta["targets.json"] = metadata.MetaFile(r.version)
	r.put(fmt.Sprintf("%d.snapshot.json", r.version), signed(t, snapshot, r.key))
	stamp := metadata.Timestamp(r.expires)
	stamp.Signed.Version = r.version
	stamp.Signed.Meta["snapshot.json"] = metadata.MetaFile(r.version)
	r.put("timestamp.json", signed(t, stamp, r.key))
}

// copyTo puts what the repository tells into a cache, as a run would have done while it was valid.
func (r *tufRepository) copyTo(t *testing.T, cache string) {
	t.Helper()
	for _, name := range []string{"timestamp.json", "snapshot.json", "targets.json"} {
		text, ok := r.files[name]
		if !ok {
			text = r.files[fmt.Sprintf("%d.%s", r.version, name)]
		}
		if err := os.WriteFile(filepath.Join(cache, tuf.URLToPath(r.url), name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func signingConfig(t *testing.T, fulcio string) []byte {
	t.Helper()
	service := func(url string, version uint32) []root.Service {
		return []root.Service{{URL: url, MajorAPIVersion: version, ValidityPeriodStart: time.Now().Add(-time.Hour), Operator: "test"}}
	}
	any := root.ServiceConfiguration{Selector: prototrustroot.ServiceSelector_ANY}
	config, err := root.NewSigningConfig(root.SigningConfigMediaType02, service(fulcio, 1), service("https://people.example.com", 1),
		service("https://rekor.example.com", 2), any, service("https://tsa.example.com", 1), any)
	if err != nil {
		t.Fatal(err)
	}
	text, err := config.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func trustedRoot(t *testing.T) []byte {
	t.Helper()
	virtual, err := ca.NewVirtualSigstore()
	if err != nil {
		t.Fatal(err)
	}
	trusted, err := root.NewTrustedRoot(root.TrustedRootMediaType01, virtual.FulcioCertificateAuthorities(), virtual.CTLogs(), virtual.TimestampingAuthorities(), virtual.RekorLogs())
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(trusted)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
