// Package transit serves the real transit secrets engine of HashiCorp Vault over HTTP on loopback, in this process. In
// front of the engine stand a few lines for what Vault's core does: tokens, policies, namespaces, mounts, the form of
// errors, logins by the real auth methods and the leases of the tokens that they give. Whatever depends on more of the
// core (replication, quotas, MFA) cannot be tested with it.
package transit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/hashicorp/go-hclog"
	engine "github.com/hashicorp/vault/builtin/logical/transit"
	"github.com/hashicorp/vault/sdk/logical"
)

// RootToken may do everything.
const RootToken = "hvs.root-of-the-test-server"

// Server is a Vault with one transit engine.
type Server struct {
	URL       string
	Mount     string // path of the engine
	Namespace string // the only one it has; empty for the root namespace

	backend logical.Backend
	storage logical.Storage
	mu      sync.Mutex
	grants  map[string][]Grant
	log     []Request
	auth    *authority
}

// Grant is a rule of a policy: what may be done at one path.
type Grant struct {
	Path         string // with the mount
	Capabilities []string
}

// Request is one that the server answered.
type Request struct {
	Method string
	Path   string // without /v1/
	Status int
}

// Start starts a server for the time of a test, with the engine mounted at mount in namespace.
func Start(t testing.TB, mount, namespace string) *Server {
	t.Helper()
	s, err := New(t.Context(), mount, namespace)
	if err != nil {
		t.Fatal(err)
	}
	h := httptest.NewServer(s)
	t.Cleanup(h.Close)
	s.URL = h.URL
	return s
}

// New makes a server that a caller without a test at hand serves itself, as the handler that it is.
func New(ctx context.Context, mount, namespace string) (*Server, error) {
	storage := &logical.InmemStorage{}
	config := logical.TestBackendConfig()
	config.StorageView = storage
	config.Logger = hclog.NewNullLogger()
	backend, err := engine.Factory(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("make the engine: %w", err)
	}
	if err := backend.Initialize(ctx, &logical.InitializationRequest{Storage: storage}); err != nil {
		return nil, fmt.Errorf("initialize the engine: %w", err)
	}
	return &Server{Mount: mount, Namespace: namespace, backend: backend, storage: storage, grants: map[string][]Grant{}, auth: newAuthority()}, nil
}

// Allow makes token known, with these rules. A later call replaces them.
func (s *Server) Allow(token string, rules ...Grant) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.grants[token] = rules
}

// Revoke makes token unknown.
func (s *Server) Revoke(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.grants, token)
}

// Requests returns what was asked over HTTP so far.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.log)
}

// Write does what `vault write MOUNT/path data…` does, with all permissions, and returns the data of the answer.
func (s *Server) Write(t testing.TB, path string, data map[string]any) map[string]any {
	t.Helper()
	if data == nil {
		data = map[string]any{}
	}
	return s.do(t, &logical.Request{Operation: logical.UpdateOperation, Path: path, Data: data})
}

// Read does what `vault read MOUNT/path` does, with all permissions, and returns the data of the answer.
func (s *Server) Read(t testing.TB, path string) map[string]any {
	t.Helper()
	return s.do(t, &logical.Request{Operation: logical.ReadOperation, Path: path, Data: map[string]any{}})
}

func (s *Server) do(t testing.TB, r *logical.Request) map[string]any {
	t.Helper()
	response, err := s.handle(t.Context(), r)
	if err == nil && response.IsError() {
		err = response.Error()
	}
	if err != nil {
		t.Fatalf("%s %s: %v", r.Operation, r.Path, err)
	}
	if response == nil {
		return nil
	}
	return response.Data
}

func (s *Server) handle(ctx context.Context, r *logical.Request) (*logical.Response, error) {
	r.Storage, r.MountPoint = s.storage, s.Mount+"/"
	if r.Operation == logical.UpdateOperation {
		if checked, exists, err := s.backend.HandleExistenceCheck(ctx, r); err == nil && checked && !exists {
			r.Operation = logical.CreateOperation
		}
	}
	return s.backend.HandleRequest(ctx, r)
}

// ServeHTTP is the API below /v1/.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := strings.TrimPrefix(r.URL.Path, "/v1/")
	status, body := s.answer(r, path)
	s.mu.Lock()
	s.log = append(s.log, Request{Method: r.Method, Path: path, Status: status})
	s.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if status != http.StatusNoContent {
		_ = json.NewEncoder(w).Encode(body) // the client is gone: nobody is left to tell
	}
}

func (s *Server) answer(r *http.Request, path string) (status int, body map[string]any) {
	operation, capability := operationOf(r.Method)
	if operation == "" {
		return failure(http.StatusMethodNotAllowed, "unsupported operation")
	}
	if isAuth(path) {
		return s.auth.answer(r, path)
	}
	if status, body := s.refuse(r, path, capability); status != 0 {
		return status, body
	}
	below, ok := strings.CutPrefix(path, s.Mount+"/")
	if !ok || r.Header.Get("X-Vault-Namespace") != s.Namespace {
		return failure(http.StatusNotFound, fmt.Sprintf("no handler for route %q. route entry not found.", path))
	}
	request := &logical.Request{Operation: operation, Path: below, Data: map[string]any{}}
	if operation == logical.UpdateOperation {
		d := json.NewDecoder(r.Body)
		d.UseNumber()
		if err := d.Decode(&request.Data); err != nil && !errors.Is(err, io.EOF) {
			return failure(http.StatusBadRequest, "failed to parse JSON input: "+err.Error())
		}
	}
	response, err := s.handle(r.Context(), request)
	return respond(request, response, err)
}

func operationOf(method string) (operation logical.Operation, capability string) {
	switch method {
	case http.MethodGet:
		return logical.ReadOperation, "read"
	case http.MethodPost, http.MethodPut:
		return logical.UpdateOperation, "update"
	}
	return "", ""
}

// refuse is Vault's answer to a token that is unknown or may not do this, word for word; status 0 when all is well.
func (s *Server) refuse(r *http.Request, path, capability string) (status int, body map[string]any) {
	token := r.Header.Get("X-Vault-Token")
	if token == RootToken {
		return 0, nil
	}
	s.mu.Lock()
	rules, known := s.grants[token]
	s.mu.Unlock()
	if !known {
		if rules, known = s.auth.rules(token); !known {
			return s.auth.invalid()
		}
	}
	for _, rule := range rules {
		if rule.Path == path && slices.Contains(rule.Capabilities, capability) {
			return 0, nil
		}
	}
	return failure(http.StatusForbidden, "1 error occurred:\n\t* permission denied\n\n")
}

// respond maps the engine's answer to HTTP with Vault's own rules.
func respond(r *logical.Request, response *logical.Response, err error) (status int, body map[string]any) {
	status, err = logical.RespondErrorCommon(r, response, err)
	switch {
	case err != nil:
		logical.AdjustErrorStatusCode(&status, err)
		return failure(status, err.Error())
	case status != 0:
		return failure(status)
	case response == nil:
		return http.StatusNoContent, nil
	}
	return http.StatusOK, map[string]any{"request_id": "test", "data": response.Data}
}

func failure(status int, messages ...string) (int, map[string]any) {
	return status, map[string]any{"errors": append([]string{}, messages...)}
}
