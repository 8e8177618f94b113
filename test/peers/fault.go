package peers

import (
	"fmt"
	"net/http"
	"strconv"
)

// Fault makes matching requests fail instead of reaching the registry.
type Fault struct {
	// Match picks requests; nil picks all.
	Match func(*http.Request) bool
	// Times is how many matching requests fail; 0 means all of them.
	Times int
	// Status is the answer; 0 cuts the connection without one.
	Status int
	// RetryAfter is the Retry-After header in seconds, when positive.
	RetryAfter int

	seen int
}

// Inject adds a fault. The first fault that matches a request decides; Reset removes all.
func (r *Registry) Inject(f Fault) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.faults = append(r.faults, &f)
}

// fault returns the fault that req has to suffer, or nil.
func (r *Registry) fault(req *http.Request) *Fault {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, f := range r.faults {
		if f.Match != nil && !f.Match(req) {
			continue
		}
		if f.Times > 0 && f.seen >= f.Times {
			continue
		}
		f.seen++
		return f
	}
	return nil
}

// answer fails the request: with the status and an error body of the OCI distribution API, or by cutting it off.
func (f *Fault) answer(w http.ResponseWriter) {
	if f.Status == 0 {
		panic(http.ErrAbortHandler)
	}
	if f.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(f.RetryAfter))
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(f.Status)
	code := "UNKNOWN"
	if f.Status == http.StatusTooManyRequests {
		code = "TOOMANYREQUESTS"
	}
	_, _ = fmt.Fprintf(w, `{"errors":[{"code":%q,"message":"injected by the test"}]}`, code) // client gone: no matter
}
