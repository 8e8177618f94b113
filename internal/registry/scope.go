package registry

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"oras.land/oras-go/v2/registry/remote/auth"
)

// groupSize is how many repositories share a token. A token lists its rights and travels with every request; servers
// bound the size of headers.
const groupSize = 16

// scopes decides which rights a token is asked for. The repositories that a run will touch are put into groups, so that
// a run needs one token for each group. A token server may grant less, or refuse a group for one of its members: then
// a repository goes on alone.
type scopes struct {
	host    string
	actions []string
	group   map[string]*group // by repository
	lone    sync.Map          // repositories that get tokens of their own
}

// group is the rights on repositories that share a token.
type group struct {
	all     []string
	covered map[string]bool // scopes that all includes, as requests ask for them
	rights  context.Context // holds all and nothing else: oras-go reads scopes from a context, and is slow to write them there
}

// newScopes groups repositories, given by their full names.
func newScopes(host string, repositories []string, actions ...string) *scopes {
	s := &scopes{host: host, actions: actions, group: map[string]*group{}}
	repositories = slices.Clone(repositories)
	slices.Sort(repositories)
	for members := range slices.Chunk(slices.Compact(repositories), groupSize) {
		g := &group{covered: map[string]bool{}}
		for _, name := range members {
			own := auth.ScopeRepository(name, slices.Clone(actions)...)
			g.all = append(g.all, own)
			g.covered[own], g.covered[auth.ScopeRepository(name, auth.ActionPull)] = true, true
			s.group[name] = g
		}
		g.rights = auth.WithScopesForHost(nothing{}, host, g.all...)
	}
	return s
}

// nothing is the context around the rights of a group. It is asked for values only.
type nothing struct{ context.Context }

// Value implements context.Context.
func (nothing) Value(any) any { return nil }

type repositoryKey struct{}

// with returns a context whose requests are about a repository.
func (s *scopes) with(ctx context.Context, repository string) context.Context {
	return context.WithValue(ctx, repositoryKey{}, repository)
}

// widen adds to the rights that a request asks for those on its repository that the run will need and, as far as it has
// one, those of its group.
func (s *scopes) widen(ctx context.Context) context.Context {
	repository, ok := ctx.Value(repositoryKey{}).(string)
	if !ok {
		return ctx
	}
	if g := s.of(repository); g != nil {
		for _, scope := range auth.GetScopesForHost(ctx, s.host) {
			if !g.covered[scope] {
				return auth.AppendScopesForHost(ctx, s.host, g.all...)
			}
		}
		return granted{ctx, g.rights}
	}
	if len(s.actions) < 2 { // oras-go asks for the right to pull by itself
		return ctx
	}
	return auth.AppendScopesForHost(ctx, s.host, auth.ScopeRepository(repository, slices.Clone(s.actions)...))
}

// granted is a context with the rights of a group instead of its own.
type granted struct {
	context.Context
	rights context.Context
}

// Value implements context.Context.
func (g granted) Value(key any) any {
	if v := g.rights.Value(key); v != nil {
		return v
	}
	return g.Context.Value(key)
}

func (s *scopes) of(repository string) *group {
	if _, alone := s.lone.Load(repository); alone {
		return nil
	}
	return s.group[repository]
}

// together reports whether the token for one repository is good for the other.
func (s *scopes) together(a, b string) bool {
	g := s.of(a)
	return a == b || (g != nil && g == s.of(b))
}

// alone makes a repository leave its group, and all members with it when the whole token was refused. It returns the
// context with the repository's own rights; false when it was alone.
func (s *scopes) alone(req *http.Request, everybody bool) (context.Context, bool) {
	repository := place(req).repository
	all := auth.GetScopesForHost(req.Context(), s.host)
	var own []string
	for _, scope := range all {
		name := strings.TrimPrefix(scope, "repository:")
		name, _, _ = strings.Cut(name, ":")
		if name == repository || name == req.URL.Query().Get("from") {
			own = append(own, scope)
		}
		if everybody || name == repository {
			s.lone.Store(name, struct{}{})
		}
	}
	if repository == "" || len(own) == len(all) {
		return nil, false
	}
	return auth.WithScopesForHost(req.Context(), s.host, own...), true
}

// queues keeps requests that need the same token behind the first of them, so that a challenge is met once and not by
// all that begin together. Once the registry answered without a challenge nobody waits.
type queues struct {
	free  atomic.Bool
	first sync.Map // scopes → chan that is closed when the first request is answered
}

// enter waits for the first request with this key, or is it.
func (q *queues) enter(ctx context.Context, key string) (leave func(), err error) {
	if q.free.Load() {
		return func() {}, nil
	}
	mine := make(chan struct{})
	first, waits := q.first.LoadOrStore(key, mine)
	if !waits {
		return func() { close(mine) }, nil
	}
	select {
	case <-first.(chan struct{}):
		return func() {}, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
