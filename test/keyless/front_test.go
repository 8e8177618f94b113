package keyless_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/artifactctl/artifactctl/test/keyless/stack"
)

// front stands before a real service. It may answer in its place, and hears when the service has answered.
type front struct {
	url      string
	requests atomic.Int64

	mu     sync.Mutex
	before answerer
	after  func(n int64)
}

// answerer answers a request in place of the service, if it says so; n counts requests from 1.
type answerer func(n int64, w http.ResponseWriter, r *http.Request) (answered bool)

// spoil has all further requests pass this one first.
func (f *front) spoil(before answerer) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.before = before
}

// watch has after called when the service has answered, and before the client hears it.
func (f *front) watch(after func(n int64)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.after = after
}

func (f *front) hooks() (answerer, func(int64)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.before, f.after
}

// newFront stands before the service at this URL.
func newFront(t *testing.T, target string) *front {
	t.Helper()
	u, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	path := u.Path
	u.Path = ""
	f := &front{
		before: func(int64, http.ResponseWriter, *http.Request) bool { return false },
		after:  func(int64) {},
	}
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(u) }}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := f.requests.Add(1)
		before, after := f.hooks()
		if before(n, w, r) {
			return
		}
		answer := httptest.NewRecorder()
		proxy.ServeHTTP(answer, r)
		after(n)
		for name, values := range answer.Header() {
			w.Header()[name] = values
		}
		w.WriteHeader(answer.Code)
		_, _ = w.Write(answer.Body.Bytes()) // a client that went away misses it
	}))
	t.Cleanup(server.Close)
	t.Cleanup(server.CloseClientConnections)
	f.url = server.URL + path
	return f
}

// fronts are those of a whole Sigstore.
type fronts struct{ fulcio, rekor, tsa *front }

func newFronts(t *testing.T, s *stack.Stack) fronts {
	t.Helper()
	return fronts{newFront(t, s.FulcioURL), newFront(t, s.RekorURL), newFront(t, s.TimestampURL)}
}

// with are options that lead to the services through their fronts.
func (f fronts) with() string {
	return fmt.Sprintf("fulcioURL: %q, rekorURL: %q, tsaURL: %q, trustedRoot: own_root.json", f.fulcio.url, f.rekor.url, f.tsa.url)
}
