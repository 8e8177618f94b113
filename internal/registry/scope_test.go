package registry

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/artifactctl/artifactctl/internal/artifact"
)

// TestSharedTokens: apps that begin together meet one challenge and fetch one token for each group of repositories.
func TestSharedTokens(t *testing.T) {
	const apps = 40
	var names []string
	for i := range apps {
		names = append(names, fmt.Sprintf("app%02d", i))
	}
	tests := map[string]struct {
		auth               *fakeAuth
		repositories       []string
		tokens, challenges int // at most
	}{
		"each its own":             {&fakeAuth{}, nil, apps, apps},
		"in groups":                {&fakeAuth{}, names, 3, 3},
		"one of a group is denied": {&fakeAuth{Denied: "org/app20"}, names, 3 + 3, 3 + 8},
		"no groups for this one":   {&fakeAuth{AllOrNone: true}, names, apps, apps * 2},
		"basic":                    {&fakeAuth{Challenges: []string{basic}, Basic: true}, names, 0, 3},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			f, server := newFake(t, true)
			if f.Auth = tt.auth; f.Auth.Challenges == nil {
				f.Auth.Challenges = []string{bearer}
			}
			r := dial(t, server, login, func(o *RemoteOptions) { o.PushScope, o.Repositories = true, tt.repositories })
			var wg sync.WaitGroup
			for _, app := range names {
				wg.Go(func() {
					for range 2 {
						_, err := r.Resolve(t.Context(), app, "edge")
						denied := tt.auth.Denied == "org/"+app
						if errors.Is(err, artifact.ErrNotFound) == denied {
							t.Errorf("%s: %v", app, err)
						}
					}
				})
			}
			wg.Wait()
			if f.Auth.issued > tt.tokens || f.Auth.challenged > tt.challenges {
				t.Errorf("%d tokens and %d challenges, want at most %d and %d", f.Auth.issued, f.Auth.challenged, tt.tokens, tt.challenges)
			}
		})
	}
}

// TestGroupPublish: a publish needs no other token than the one that its group has, cross-repository mounts included.
func TestGroupPublish(t *testing.T) {
	f, server := newFake(t, true)
	f.Auth = &fakeAuth{Challenges: []string{bearer}, Denied: "nobody"}
	r := dial(t, server, login, func(o *RemoteOptions) { o.PushScope, o.Repositories = true, []string{"a", "b", "a"} })
	for _, app := range []string{"a", "b"} {
		x := build(t, app)
		if err := errors.Join(
			r.Push(t.Context(), app, x),
			r.Attach(t.Context(), app, x.Manifest.Descriptor, bundle("1")),
			r.Tag(t.Context(), app, x.Manifest, "edge"),
		); err != nil {
			t.Fatal(err)
		}
	}
	if f.Auth.issued != 1 || len(f.Auth.scopes) != 2 {
		t.Errorf("%d tokens for %q", f.Auth.issued, f.Auth.scopes)
	}
}
