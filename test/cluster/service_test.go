package cluster_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/artifactctl/artifactctl/test/peers"
)

// service is a program of another test module that says what it serves in its first line, answers further lines, and
// ends with its standard input.
type service struct {
	in  io.WriteCloser
	out *bufio.Reader
	mu  sync.Mutex
}

// startService starts the program of a module below this one for the time of a test; what it says first is decoded into
// first.
func startService(t *testing.T, module string, first any) *service {
	t.Helper()
	path, err := peers.BuildPeer(t.Context(), module, "serve")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path) // its clean-up needs the time that a context would not leave it
	var said bytes.Buffer
	cmd.Dir, cmd.Stderr = filepath.Join(peers.ModuleDir(t), module), &said
	s := &service{}
	if s.in, err = cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	s.out = bufio.NewReader(out)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = s.in.Close() // it may have ended already
		if err := cmd.Wait(); err != nil {
			t.Errorf("%s: %v\n%s", path, err, said.Bytes())
		}
	})
	line, err := s.out.ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, first)
	}
	if err != nil {
		t.Fatalf("start %s: %v", path, err)
	}
	return s
}

// ask writes a line and returns the one that comes back.
func (s *service) ask(t *testing.T, line string) string {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	_, err := fmt.Fprintln(s.in, line)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := s.out.ReadBytes('\n')
	if err != nil {
		t.Fatal(err)
	}
	return string(bytes.TrimSpace(answer))
}

// vault is a Vault with a transit engine.
type vault struct{ URL, Token string }

func startVault(t *testing.T) *vault {
	t.Helper()
	v := &vault{}
	startService(t, "transit", v)
	return v
}

// do sends a request below the engine and returns the data of the answer.
func (v *vault) do(t *testing.T, method, path string, body any) json.RawMessage {
	t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(t.Context(), method, v.URL+"/v1/transit/"+path, bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("X-Vault-Token", v.Token)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	answer, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode >= http.StatusBadRequest {
		t.Fatalf("%s %s: %s %s %v", method, path, response.Status, answer, err)
	}
	var document struct{ Data json.RawMessage }
	if len(answer) > 0 {
		if err := json.Unmarshal(answer, &document); err != nil {
			t.Fatal(err)
		}
	}
	return document.Data
}

// newKey makes a key in the engine.
func (v *vault) newKey(t *testing.T, name string) {
	t.Helper()
	v.do(t, http.MethodPost, "keys/"+name, map[string]any{"type": "ecdsa-p256"})
}

// publicKey is the PEM of a version of a key.
func (v *vault) publicKey(t *testing.T, name, version string) string {
	t.Helper()
	var key struct {
		Keys map[string]struct {
			PublicKey string `json:"public_key"`
		}
	}
	if err := json.Unmarshal(v.do(t, http.MethodGet, "keys/"+name, nil), &key); err != nil {
		t.Fatal(err)
	}
	return key.Keys[version].PublicKey
}

// sigstore is a private Sigstore.
type sigstore struct {
	Issuer, Fulcio, Rekor, Timestamp string
	TrustedRoot                      json.RawMessage

	service *service
}

func startSigstore(t *testing.T) *sigstore {
	t.Helper()
	s := &sigstore{}
	s.service = startService(t, "keyless", s)
	return s
}

// token is an identity token for a mail address.
func (s *sigstore) token(t *testing.T, email string) string {
	t.Helper()
	return s.service.ask(t, email)
}
