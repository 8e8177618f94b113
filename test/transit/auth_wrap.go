package transit

import (
	"crypto/rand"
	"net/http"
	"testing"
)

// wrapped is an answer behind a wrapping token.
type wrapped struct {
	namespace string
	path      string
	data      map[string]any
}

// Wrap returns a wrapping token for data, as the answer to a request for path with -wrap-ttl.
func (s *Server) Wrap(t testing.TB, namespace, path string, data map[string]any) string {
	t.Helper()
	token := "hvs.wrapping-" + rand.Text()
	s.auth.mu.Lock()
	defer s.auth.mu.Unlock()
	s.auth.wrapped[token] = &wrapped{namespace: namespace, path: path, data: data}
	return token
}

// unwrap is sys/wrapping/lookup and sys/wrapping/unwrap.
func (a *authority) unwrap(namespace, token, what string) (status int, body map[string]any) {
	a.mu.Lock()
	defer a.mu.Unlock()
	w := a.wrapped[token]
	switch {
	case w == nil, w.namespace != namespace:
		return failure(http.StatusBadRequest, "wrapping token is not valid or does not exist")
	case what == "lookup":
		return http.StatusOK, map[string]any{"data": map[string]any{"creation_path": w.path, "creation_ttl": 300}}
	case what == "unwrap":
		delete(a.wrapped, token)
		return http.StatusOK, map[string]any{"data": w.data}
	}
	return failure(http.StatusNotFound, "unsupported path")
}
