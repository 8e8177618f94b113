package e2e_test

import (
	"fmt"
	"maps"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/artifactctl/artifactctl/test/fixture"
	"github.com/artifactctl/artifactctl/test/peers"
)

// Failures that pass are waited out: the result is that of a run without them, and still nothing unsigned is tagged.
func TestPassingFaults(t *testing.T) {
	fleet := fixture.NewFleet(t, fixture.Options{Apps: 1, Key: fixture.NewKey(t, "p256")})
	calm := peers.Distribution(t)
	publish(t, fleet, url(calm))
	want := published(t, fleet, calm)
	for _, kind := range []string{peers.DistributionKind, peers.ReferrersKind} {
		for name, fault := range map[string]peers.Fault{
			"throttled":   {Status: http.StatusTooManyRequests, RetryAfter: 1},
			"unavailable": {Status: http.StatusServiceUnavailable},
			"cut":         {},
		} {
			t.Run(kind+"/"+name, func(t *testing.T) {
				r := registryOf(t, kind)
				guard(t, fleet, r)
				var n atomic.Int64
				fault.Match = func(*http.Request) bool { return n.Add(1)%7 == 3 }
				fault.Times = 6
				r.Inject(fault)
				publish(t, fleet, url(r))
				if got := published(t, fleet, r); !maps.Equal(got, want) {
					t.Errorf("tags name %v, want %v", got, want)
				}
				checkSigned(t, fleet, r)
			})
		}
	}
}

// A registry that cannot say whether something is there or signed is an error. It is never "new", "changed" or
// "unsigned": nothing is written.
func TestUnknownChangesNothing(t *testing.T) {
	fleet := fixture.NewFleet(t, fixture.Options{Apps: 1, Key: fixture.NewKey(t, "p256")})
	for _, kind := range []string{peers.DistributionKind, peers.ReferrersKind} {
		for _, what := range []string{"/referrers/", "/manifests/sha256-", "/manifests/edge"} {
			for _, status := range []int{http.StatusForbidden, http.StatusInternalServerError} {
				t.Run(fmt.Sprint(kind, what, status), func(t *testing.T) {
					r := registryOf(t, kind)
					publish(t, fleet, url(r))
					r.Reset()
					var hit atomic.Bool
					r.Inject(peers.Fault{Status: status, Match: func(req *http.Request) bool {
						match := strings.Contains(req.URL.Path, what)
						hit.CompareAndSwap(false, match)
						return match
					}})
					got := finish(t, command(t.Context(), t, fleet, url(r), []string{"ARTIFACTCTL_REGISTRY_RETRIES=0"}, "publish"))
					// With a referrers API that answers, nobody has to ask for the fallback tag.
					asked, code := true, 1
					if kind == peers.ReferrersKind && what == "/manifests/sha256-" {
						asked, code = false, 0
					}
					if hit.Load() != asked || got.code != code {
						t.Errorf("asked %t, want %t; exits with %d, want %d\n%s%s", hit.Load(), asked, got.code, code, got.stdout, got.stderr)
					}
					if r.Writes() != 0 {
						t.Errorf("it writes: %v", r.Requests())
					}
				})
			}
		}
	}
}

// In a release, no tag moves while any app is not pushed and signed; the others are pushed all the same, and the next
// run moves all tags.
func TestReleaseHoldsEveryTag(t *testing.T) {
	fleet := fixture.NewFleet(t, fixture.Options{Apps: 2, Key: fixture.NewKey(t, "p256")})
	if err := fleet.Release(t.Context(), "v1.4.2"); err != nil {
		t.Fatal(err)
	}
	for _, kind := range []string{peers.DistributionKind, peers.ReferrersKind} {
		t.Run(kind, func(t *testing.T) {
			r := registryOf(t, kind)
			guard(t, fleet, r)
			r.Inject(peers.Fault{Status: http.StatusForbidden, Match: func(req *http.Request) bool {
				return req.Method == http.MethodPut && strings.Contains(req.URL.Path, "app-001/manifests/")
			}})
			got := finish(t, command(t.Context(), t, fleet, url(r), nil, "publish"))
			if got.code != 1 || !strings.Contains(got.stdout+got.stderr, "app-001") {
				t.Errorf("publish exits with %d and does not name the app\n%s%s", got.code, got.stdout, got.stderr)
			}
			if tags := published(t, fleet, r); len(tags) != 0 {
				t.Errorf("tags moved: %v", tags)
			}
			r.Reset()
			guard(t, fleet, r)
			publish(t, fleet, url(r))
			tags := published(t, fleet, r)
			for _, repository := range fleet.Repositories {
				if tags[repository+":1.4.2"] == "" {
					t.Errorf("%s has no release tag: %v", repository, tags)
				}
			}
		})
	}
}
