package transit_test

import (
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/artifactctl/artifactctl/test/peers"
)

// What passes is waited for, though the plugin itself is told not to: the run succeeds.
func TestOutagesMidRun(t *testing.T) {
	answer := func(status int, body string) func(http.ResponseWriter) {
		return func(w http.ResponseWriter) {
			w.Header().Set("Retry-After", "3600")
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		}
	}
	tests := map[string]func(http.ResponseWriter){
		"sealed":        answer(503, `{"errors": ["Vault is sealed"]}`),
		"quota":         answer(429, `{"errors": ["request path \"transit/sign/artifacts/sha2-256\": rate limit quota exceeded"]}`),
		"stale replica": answer(412, `{"errors": ["required index state not present"]}`),
		"standby":       answer(473, `{"errors": []}`),
		"failing over":  answer(500, `{"errors": ["local node not active but active cluster node not found"]}`),
		"bad gateway":   answer(502, `<html>Bad gateway</html>`),
		"cut":           func(http.ResponseWriter) { panic(http.ErrAbortHandler) },
	}
	for name, fault := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, "transit", "", "ecdsa-p256")
			var signs atomic.Int64
			vault := inFront(t, s, func(w http.ResponseWriter, r *http.Request) bool {
				if !strings.Contains(r.URL.Path, "/sign/") || signs.Add(1) != 2 { // the first is the probe
					return false
				}
				fault(w)
				return true
			})
			fleet, r := newFleet(t, s, "bundle"), peers.WithReferrers(t)
			succeed(t)(runWith(t, vault, token, fleet, "oci://"+r.Host+"/org"))
			if signs.Load() < 3 {
				t.Errorf("there were %d requests to sign: nothing went wrong", signs.Load())
			}
			accepted(t, fleet, r, fleet.Key, true)
		})
	}
}

// What does not pass is reported at once, with the path and what is missing; nothing that is not signed gets a tag.
func TestDeniedMidRun(t *testing.T) {
	s := serve(t, "transit", "", "ecdsa-p256")
	var signs atomic.Int64
	vault := inFront(t, s, func(_ http.ResponseWriter, r *http.Request) bool {
		if strings.Contains(r.URL.Path, "/sign/") && signs.Add(1) > 1 { // the first is the probe
			s.Allow(token)
		}
		return false
	})
	fleet, r := newFleet(t, s, "bundle"), peers.Distribution(t)
	code, output := runWith(t, vault, token, fleet, "oci://"+r.Host+"/org")
	if code != 1 || !strings.Contains(output, `path "transit/sign/artifacts/sha2-256" { capabilities = ["update"] }`) {
		t.Errorf("exit status %d\n%s", code, output)
	}
	if n, most := int(signs.Load()), 1+len(fleet.Repositories); n > most {
		t.Errorf("%d requests to sign, want at most %d: a denial is not tried again", n, most)
	}
	for _, request := range r.Requests() {
		if request.Method == http.MethodPut && strings.HasSuffix(request.Path, "/manifests/edge") {
			t.Errorf("a tag was moved: %s", request.Path)
		}
	}
}
