package registry

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	ggcr "github.com/google/go-containerregistry/pkg/registry"

	"github.com/artifactctl/artifactctl/internal/artifact"
)

// port is what the engine asks of a registry.
type port interface {
	Resolve(ctx context.Context, repository, ref string) (artifact.Manifest, error)
	Fetch(ctx context.Context, repository string, d artifact.Descriptor) ([]byte, error)
	Push(ctx context.Context, repository string, a *artifact.Artifact) error
	Signatures(ctx context.Context, repository string, subject artifact.Descriptor) ([]artifact.Signature, error)
	Attach(ctx context.Context, repository string, subject artifact.Descriptor, s artifact.Signature) error
	Tag(ctx context.Context, repository string, m artifact.Manifest, tag string) error
	Tags(ctx context.Context, repository string) ([]string, error)
}

var (
	_ port = (*Remote)(nil)
	_ port = (*Layout)(nil)
)

// waits records instead of sleeping.
type waits struct {
	mu  sync.Mutex
	all []time.Duration
}

func (w *waits) backoff(retries int) *backoff {
	return &backoff{
		retries: retries,
		now:     func() time.Time { return time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC) },
		random:  func() float64 { return 1 },
		sleep: func(ctx context.Context, d time.Duration) error {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.all = append(w.all, d)
			return ctx.Err()
		},
	}
}

func (w *waits) taken() []time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.all)
}

// dial makes a Remote of a test server.
func dial(t *testing.T, server *httptest.Server, with ...func(*RemoteOptions)) *Remote {
	t.Helper()
	o := RemoteOptions{Host: strings.TrimPrefix(strings.TrimPrefix(server.URL, "http://"), "https://"), Prefix: "org", backoff: new(waits).backoff(5)}
	for _, w := range with {
		w(&o)
	}
	r, err := NewRemote(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

func build(t *testing.T, content string) *artifact.Artifact {
	t.Helper()
	a, err := artifact.Build(artifact.Files{artifact.ManifestsFile: []byte(content)}, artifact.Meta{
		Source: "https://example.com/fleet", Revision: "main@sha1:abc", Created: "2026-11-22T00:00:00Z",
	})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func bundle(text string) artifact.Signature {
	return artifact.Signature{Format: artifact.FormatBundle, Content: []byte(`{"bundle":"` + text + `"}`), PredicateType: "https://sigstore.dev/cosign/sign/v1"}
}

func legacy(text string) artifact.Signature {
	return artifact.Signature{Format: artifact.FormatLegacy, Content: []byte(`{"critical":"` + text + `"}`), Value: []byte{1, 2, 0xff, byte(len(text))}}
}

// plain is a signature without where it was found.
func plain(list []artifact.Signature) []string {
	var all []string
	for _, s := range list {
		all = append(all, fmt.Sprintf("%s %s %x %s", s.Format, s.Content, s.Value, s.PredicateType))
	}
	slices.Sort(all)
	return all
}

func TestContract(t *testing.T) {
	server := func(t *testing.T, api bool) *httptest.Server {
		s := httptest.NewServer(ggcr.New(ggcr.WithReferrersSupport(api), ggcr.Logger(log.New(io.Discard, "", 0))))
		t.Cleanup(s.Close)
		return s
	}
	withLegacy := func(o *RemoteOptions) { o.Legacy = true }
	kinds := map[string]func(t *testing.T) port{
		"ggcr with referrers":    func(t *testing.T) port { return dial(t, server(t, true), withLegacy) },
		"ggcr without referrers": func(t *testing.T) port { return dial(t, server(t, false), withLegacy) },
		"strict with referrers": func(t *testing.T) port {
			f, s := newFake(t, true)
			f.Page = 1
			return dial(t, s, withLegacy)
		},
		"strict without subject header": func(t *testing.T) port {
			f, s := newFake(t, true)
			f.NoSubject = true
			return dial(t, s, withLegacy)
		},
		"strict without referrers": func(t *testing.T) port {
			f, s := newFake(t, false)
			f.Page = 2
			return dial(t, s, withLegacy)
		},
		"layout": func(t *testing.T) port {
			l, err := NewLayout(t.TempDir() + "/a/b")
			if err != nil {
				t.Fatal(err)
			}
			return l
		},
	}
	tests := map[string]func(t *testing.T, r port){
		"nothing there":   contractNothing,
		"push and fetch":  contractPush,
		"tags":            contractTags,
		"bundles":         contractBundles,
		"legacy":          contractLegacy,
		"other referrers": contractOtherReferrers,
		"no manifest":     contractIndex,
		"bad names":       contractNames,
		"bad content":     contractContent,
		"side by side":    contractParallel,
		"cancelled":       contractCancelled,
	}
	for kind, open := range kinds {
		for name, test := range tests {
			t.Run(kind+"/"+name, func(t *testing.T) {
				t.Parallel()
				test(t, open(t))
			})
		}
	}
}
