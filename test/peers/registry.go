// Package peers starts the real programs and servers that artifactctl is tested against: registries in this process,
// and cosign, kustomize and artifactctl itself as built binaries. It judges nothing: that is package oracle.
package peers

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/distribution/distribution/v3/configuration"
	"github.com/distribution/distribution/v3/registry/handlers"
	_ "github.com/distribution/distribution/v3/registry/storage/driver/inmemory" // the storage named in distributionConfig
	ggcr "github.com/google/go-containerregistry/pkg/registry"
	"github.com/sirupsen/logrus"
)

// distributionConfig is a distribution registry that keeps everything in memory.
const distributionConfig = `
version: 0.1
storage: {inmemory: {}, delete: {enabled: true}}
http: {addr: "127.0.0.1:0"}
`

// Registry is a real registry on two loopback ports. What goes through Host is logged, can be made to fail and is
// shown to the hooks; what goes through Direct is not, so that a test can look while it watches.
type Registry struct {
	Host   string // host:port that the tested program gets
	Direct string // host:port of the same registry, unwatched
	Kind   string // DistributionKind or ReferrersKind

	backend http.Handler
	servers []*httptest.Server
	mu      sync.Mutex
	log     []Request
	writes  int
	faults  []*Fault
	onTag   func(TagWrite)
	onWrite func(n int) Verdict
}

// Request is one request that the registry answered. Status is 0 for a connection that was cut.
type Request struct {
	Method string
	Path   string // with the query, as sent
	Status int
}

// TagWrite is a request to move a tag, seen before the registry acts on it.
type TagWrite struct {
	Repository string
	Tag        string
	Manifest   []byte
}

// Verdict is what happens to a write that the registry has already stored.
type Verdict int

// The verdicts: answer the client, or cut its connection so that it never learns of the write.
const (
	Answer Verdict = iota
	Cut
)

// Kinds of registries. Distribution is distribution v3, which has no referrers API: clients fall back to the tag schema.
// Referrers is go-containerregistry's, with the referrers API of OCI distribution 1.1.
const (
	DistributionKind = "distribution"
	ReferrersKind    = "referrers"
)

// Distribution starts a registry of DistributionKind for the time of a test.
func Distribution(t testing.TB) *Registry { return start(t, DistributionKind) }

// WithReferrers starts a registry of ReferrersKind for the time of a test.
func WithReferrers(t testing.TB) *Registry { return start(t, ReferrersKind) }

// Registries starts one registry of each kind for the time of a test.
func Registries(t testing.TB) []*Registry {
	t.Helper()
	return []*Registry{Distribution(t), WithReferrers(t)}
}

func start(t testing.TB, kind string) *Registry {
	t.Helper()
	r, err := Serve(t.Context(), kind)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

// Serve starts an empty registry of this kind. It keeps everything in memory and serves until Close.
func Serve(ctx context.Context, kind string) (*Registry, error) {
	r := &Registry{Kind: kind, backend: ggcr.New(ggcr.WithReferrersSupport(true), ggcr.Logger(log.New(io.Discard, "", 0)))}
	if kind == DistributionKind {
		config, err := configuration.Parse(strings.NewReader(distributionConfig))
		if err != nil {
			return nil, fmt.Errorf("parse the registry's configuration: %w", err)
		}
		logrus.SetLevel(logrus.PanicLevel) // it logs each request, and each 404 as an error
		r.backend = handlers.NewApp(ctx, config)
	}
	r.Host, r.Direct = r.listen(r), r.listen(r.backend)
	return r, nil
}

// listen serves h on a free loopback port.
func (r *Registry) listen(h http.Handler) (host string) {
	server := httptest.NewUnstartedServer(h)
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // cut connections are the point of some tests
	server.Start()
	r.servers = append(r.servers, server)
	return strings.TrimPrefix(server.URL, "http://")
}

// Close ends the registry when the requests it is answering are done.
func (r *Registry) Close() {
	for _, s := range r.servers {
		s.CloseClientConnections()
		s.Close()
	}
}

// OnTag has hook called before each write of a tag that names content (not a signature: see IsSignatureTag).
// It is called from several goroutines at once. A nil hook ends it.
func (r *Registry) OnTag(hook func(TagWrite)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.onTag = hook
}

// OnWrite has hook called after the registry stored a write and before it answers; n counts writes from 1 since the
// last Reset. Calls are not concurrent. A nil hook ends it.
func (r *Registry) OnWrite(hook func(n int) Verdict) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.onWrite = hook
}

// Requests returns what was asked of Host since the last Reset, in the order of the answers.
func (r *Registry) Requests() []Request {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]Request(nil), r.log...)
}

// Writes returns the number of writes that Host took since the last Reset.
func (r *Registry) Writes() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.writes
}

// Reset forgets the log, the count of writes, the faults and the hooks; the content stays.
func (r *Registry) Reset() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.log, r.writes, r.faults, r.onTag, r.onWrite = nil, 0, nil, nil, nil
}

// ServeHTTP answers through faults, log and hooks.
func (r *Registry) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	if f := r.fault(req); f != nil {
		r.record(req, f.Status)
		f.answer(w)
		return
	}
	if err := r.announce(req); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	answer := httptest.NewRecorder()
	r.backend.ServeHTTP(answer, req)
	if IsWrite(req.Method) && r.written() == Cut {
		r.record(req, 0)
		panic(http.ErrAbortHandler)
	}
	r.record(req, answer.Code)
	copyAnswer(w, answer)
}

// announce calls the tag hook for a PUT of a content tag, with the body that it leaves readable for the backend.
func (r *Registry) announce(req *http.Request) error {
	repository, tag, ok := tagOf(req)
	r.mu.Lock()
	hook := r.onTag
	r.mu.Unlock()
	if !ok || hook == nil {
		return nil
	}
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return fmt.Errorf("read manifest: %w", err)
	}
	req.Body = io.NopCloser(bytes.NewReader(body))
	hook(TagWrite{Repository: repository, Tag: tag, Manifest: body})
	return nil
}

// written counts a write and asks the hook what to do with it, one write at a time.
func (r *Registry) written() Verdict {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.writes++
	if r.onWrite == nil {
		return Answer
	}
	return r.onWrite(r.writes)
}

func (r *Registry) record(req *http.Request, status int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.log = append(r.log, Request{Method: req.Method, Path: req.URL.RequestURI(), Status: status})
}

func copyAnswer(w http.ResponseWriter, answer *httptest.ResponseRecorder) {
	for key, values := range answer.Header() {
		w.Header()[key] = values
	}
	w.WriteHeader(answer.Code)
	_, _ = w.Write(answer.Body.Bytes()) // the client is gone: nobody is left to tell
}
