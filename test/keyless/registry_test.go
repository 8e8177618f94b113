package keyless_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/opencontainers/go-digest"

	"github.com/artifactctl/artifactctl/test/peers"
)

// registry is a real registry in this process that remembers which manifests were put into it.
type registry struct {
	*peers.Registry
	host string

	mu        sync.Mutex
	manifests []manifest
}

// manifest is what one PUT brought.
type manifest struct {
	repository, reference string
	digest                digest.Digest
	Subject               *json.RawMessage
}

// registries starts one registry with the referrers API and one without it.
func registries(t *testing.T) map[string]*registry {
	return map[string]*registry{peers.ReferrersKind: newRegistry(t, peers.ReferrersKind), peers.DistributionKind: newRegistry(t, peers.DistributionKind)}
}

func newRegistry(t *testing.T, kind string) *registry {
	t.Helper()
	backend, err := peers.Serve(t.Context(), kind)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(backend.Close)
	r := &registry{Registry: backend}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		if repository, reference, ok := strings.Cut(request.URL.Path, "/manifests/"); ok && request.Method == http.MethodPut {
			body, err := io.ReadAll(request.Body)
			if err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
				return
			}
			request.Body = io.NopCloser(bytes.NewReader(body))
			r.remember(strings.TrimPrefix(repository, "/v2/"), reference, body)
		}
		backend.ServeHTTP(w, request)
	}))
	t.Cleanup(server.Close)
	t.Cleanup(server.CloseClientConnections)
	r.host = strings.TrimPrefix(server.URL, "http://")
	return r
}

func (r *registry) remember(repository, reference string, body []byte) {
	m := manifest{repository: repository, reference: reference, digest: digest.FromBytes(body)}
	_ = json.Unmarshal(body, &m) // what is no JSON has no subject
	r.mu.Lock()
	defer r.mu.Unlock()
	r.manifests = append(r.manifests, m)
}

// tagged gives a reference to the last manifest of each repository that was put under a tag.
func (r *registry) tagged(tag string) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	last := map[string]digest.Digest{}
	for _, m := range r.manifests {
		if m.reference == tag {
			last[m.repository] = m.digest
		}
	}
	var refs []string
	for repository, d := range last {
		refs = append(refs, r.host+"/"+repository+"@"+d.String())
	}
	return refs
}

// attached counts the manifests that are about another one, and moved those that were put under any tag.
func (r *registry) attached() (attached, moved int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, m := range r.manifests {
		if m.Subject != nil {
			attached++
		}
		if !strings.HasPrefix(m.reference, "sha256:") {
			moved++
		}
	}
	return attached, moved
}
