package transit

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/vault/sdk/logical"
)

// authority is what Vault's core adds to auth methods: where they are, tokens with their leases, policies, wrapping.
type authority struct {
	mu       sync.Mutex
	methods  map[string]*method // by namespace and path
	policies map[string][]Grant
	tokens   map[string]*Token
	issued   []*Token // also those that have ended
	wrapped  map[string]*wrapped
	quiet    bool // denials do not say that a token is invalid, as in OpenBao and older Vaults
}

// method is a mounted auth method, the real one.
type method struct {
	path      string
	namespace string
	backend   logical.Backend
	storage   logical.Storage
	system    logical.SystemView
}

// maxLease bounds every token's life.
const maxLease = time.Hour

func newAuthority() *authority {
	return &authority{methods: map[string]*method{}, policies: map[string][]Grant{}, tokens: map[string]*Token{}, wrapped: map[string]*wrapped{}}
}

// Enable mounts an auth method at path, in a namespace, as `vault auth enable` does.
func (s *Server) Enable(t testing.TB, factory logical.Factory, path, namespace string) {
	t.Helper()
	system := logical.StaticSystemView{DefaultLeaseTTLVal: maxLease, MaxLeaseTTLVal: maxLease}
	m := &method{path: path, namespace: namespace, storage: &logical.InmemStorage{}, system: system}
	backend, err := factory(t.Context(), &logical.BackendConfig{
		StorageView: m.storage, System: system, Logger: hclog.NewNullLogger(), Config: map[string]string{}, BackendUUID: path,
	})
	if err == nil {
		err = backend.Initialize(t.Context(), &logical.InitializationRequest{Storage: m.storage})
	}
	if err != nil {
		t.Fatalf("enable auth/%s: %v", path, err)
	}
	t.Cleanup(func() { backend.Cleanup(context.Background()) })
	m.backend = backend
	s.auth.mu.Lock()
	defer s.auth.mu.Unlock()
	s.auth.methods[namespace+"\n"+path] = m
}

// WriteAuth does what `vault write auth/MOUNT/path data…` does, with all permissions, and returns the data of the answer.
func (s *Server) WriteAuth(t testing.TB, mount, namespace, path string, data map[string]any) map[string]any {
	t.Helper()
	return s.askMethod(t, logical.UpdateOperation, mount, namespace, path, data)
}

// ReadAuth does what `vault read auth/MOUNT/path` does.
func (s *Server) ReadAuth(t testing.TB, mount, namespace, path string) map[string]any {
	t.Helper()
	return s.askMethod(t, logical.ReadOperation, mount, namespace, path, nil)
}

func (s *Server) askMethod(t testing.TB, operation logical.Operation, mount, namespace, path string, data map[string]any) map[string]any {
	t.Helper()
	if data == nil {
		data = map[string]any{}
	}
	s.auth.mu.Lock()
	m := s.auth.methods[namespace+"\n"+mount]
	s.auth.mu.Unlock()
	response, err := m.handle(t.Context(), &logical.Request{Operation: operation, Path: path, Data: data})
	if err == nil && response.IsError() {
		err = response.Error()
	}
	if err != nil {
		t.Fatalf("%s auth/%s/%s: %v", operation, mount, path, err)
	}
	if response == nil {
		return nil
	}
	return response.Data
}

func (m *method) handle(ctx context.Context, r *logical.Request) (*logical.Response, error) {
	r.Storage, r.MountPoint, r.MountType = m.storage, "auth/"+m.path+"/", m.path
	if r.Operation == logical.UpdateOperation {
		if checked, exists, err := m.backend.HandleExistenceCheck(ctx, r); err == nil && checked && !exists {
			r.Operation = logical.CreateOperation
		}
	}
	return m.backend.HandleRequest(ctx, r)
}

// Policy writes a policy. Tokens have those that the role of their login names.
func (s *Server) Policy(name string, rules ...Grant) {
	s.auth.mu.Lock()
	defer s.auth.mu.Unlock()
	s.auth.policies[name] = rules
}

// Quiet makes denials those of OpenBao and older Vaults, which do not say when a token is invalid.
func (s *Server) Quiet() {
	s.auth.mu.Lock()
	defer s.auth.mu.Unlock()
	s.auth.quiet = true
}

// StartTLS is Start over TLS. Clients may show a certificate. The second result is the authority's, in PEM.
func StartTLS(t testing.TB, mount, namespace string) (*Server, *httptest.Server) {
	t.Helper()
	s, err := New(t.Context(), mount, namespace)
	if err != nil {
		t.Fatal(err)
	}
	h := httptest.NewUnstartedServer(s)
	h.TLS = &tls.Config{ClientAuth: tls.RequestClientCert, MinVersion: tls.VersionTLS12}
	h.StartTLS()
	t.Cleanup(h.Close)
	s.URL = h.URL
	return s, h
}

// isAuth tells whether a path is answered by the authority.
func isAuth(path string) bool {
	return strings.HasPrefix(path, "auth/") || strings.HasPrefix(path, "sys/wrapping/")
}

// answer answers requests for auth/ and sys/wrapping/.
func (a *authority) answer(r *http.Request, path string) (status int, body map[string]any) {
	data := map[string]any{}
	if r.Method != http.MethodGet {
		d := json.NewDecoder(r.Body)
		d.UseNumber()
		if err := d.Decode(&data); err != nil && !errors.Is(err, io.EOF) {
			return failure(http.StatusBadRequest, "failed to parse JSON input: "+err.Error())
		}
	}
	namespace, token := r.Header.Get("X-Vault-Namespace"), r.Header.Get("X-Vault-Token")
	if what, ok := strings.CutPrefix(path, "auth/token/"); ok {
		return a.self(r.Context(), namespace, token, what)
	}
	if what, ok := strings.CutPrefix(path, "sys/wrapping/"); ok {
		text, _ := data["token"].(string)
		if text == "" {
			text = token
		}
		return a.unwrap(namespace, text, what)
	}
	a.mu.Lock()
	m := a.methods[namespace+"\n"+strings.TrimSuffix(strings.TrimPrefix(path, "auth/"), "/login")]
	a.mu.Unlock()
	if m == nil || !strings.HasSuffix(path, "/login") { // no path for which a token is not needed
		return failure(http.StatusForbidden, "permission denied")
	}
	return a.login(r, m, data)
}

func (a *authority) login(r *http.Request, m *method, data map[string]any) (status int, body map[string]any) {
	request := &logical.Request{Operation: logical.UpdateOperation, Path: "login", Data: data, Connection: connection(r), Unauthenticated: true}
	response, err := m.backend.HandleRequest(r.Context(), m.prepare(request))
	if err != nil || response == nil || response.Auth == nil {
		return respond(request, response, err)
	}
	if err := a.issue(m, response.Auth, request.Connection); err != nil {
		return failure(http.StatusInternalServerError, err.Error())
	}
	return encode(response)
}

func (m *method) prepare(r *logical.Request) *logical.Request {
	r.Storage, r.MountPoint, r.ID = m.storage, "auth/"+m.path+"/", "test"
	return r
}

// encode is the form of answers with a token.
func encode(response *logical.Response) (status int, body map[string]any) {
	text, err := json.Marshal(logical.LogicalResponseToHTTPResponse(response))
	if err == nil {
		err = json.Unmarshal(text, &body)
	}
	if err != nil {
		return failure(http.StatusInternalServerError, err.Error())
	}
	return http.StatusOK, body
}

func connection(r *http.Request) *logical.Connection {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = fmt.Sprint(r.RemoteAddr)
	}
	return &logical.Connection{RemoteAddr: host, ConnState: r.TLS}
}
