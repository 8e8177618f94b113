package registry

import (
	"maps"
	"net/http"
	"sync"
)

// Counter counts requests to registries by class ("GET manifests", "HEAD blobs", "POST uploads", "GET token"). Every
// attempt counts, so retries show. Its zero value is ready; it is safe for concurrent use.
type Counter struct {
	mu     sync.Mutex
	counts map[string]int
}

// Wrap returns a transport that counts what goes through next.
func (c *Counter) Wrap(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(req *http.Request) (*http.Response, error) {
		c.add(req.Method + " " + string(place(req).kind))
		return next.RoundTrip(req)
	})
}

// Counts returns the number of requests of each class so far.
func (c *Counter) Counts() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.counts)
}

// Total returns the number of all requests so far.
func (c *Counter) Total() int {
	sum := 0
	for _, n := range c.Counts() {
		sum += n
	}
	return sum
}

func (c *Counter) add(class string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.counts == nil {
		c.counts = map[string]int{}
	}
	c.counts[class]++
}

// roundTripper makes a function an http.RoundTripper.
type roundTripper func(*http.Request) (*http.Response, error)

// RoundTrip calls f.
func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }
