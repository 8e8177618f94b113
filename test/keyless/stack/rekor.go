package stack

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/sigstore/rekor-tiles/v2/pkg/note"
)

const (
	// rekorProgram is the transparency log's server, which a tool directive of go.mod pins. Its packages are internal,
	// so it runs as a process of its own.
	rekorProgram = "github.com/sigstore/rekor-tiles/v2/cmd/rekor-server/posix"
	// rekorOrigin names the log in its checkpoints. Verifiers expect the host of its URL, without the port.
	rekorOrigin = "127.0.0.1"
	// rekorPatience is how long the server may take to come up.
	rekorPatience = 30 * time.Second
)

// rekor is a real transparency log (version 2) in a process of its own, with its entries in a directory.
type rekor struct {
	url string
	key ed25519.PublicKey
	id  []byte

	storage string   // directory
	output  *os.File // what the server says
	cmd     *exec.Cmd
	exited  chan error
}

// newRekor starts the server. It ends with ctx, or by close.
func newRekor(ctx context.Context, dir string) (*rekor, error) {
	program, err := buildRekor(ctx)
	if err != nil {
		return nil, err
	}
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make the key of the transparency log: %w", err)
	}
	keyFile, err := writeKey(dir, private)
	if err != nil {
		return nil, err
	}
	ports, err := freePorts(ctx, 3)
	if err != nil {
		return nil, err
	}
	r := &rekor{url: "http://" + net.JoinHostPort(rekorOrigin, ports[0]), key: public, storage: filepath.Join(dir, "rekor"), exited: make(chan error, 1)}
	if _, r.id, err = note.KeyHash(rekorOrigin, public); err != nil {
		return nil, fmt.Errorf("name the key of the transparency log: %w", err)
	}
	if r.output, err = os.Create(filepath.Join(dir, "rekor.log")); err != nil {
		return nil, fmt.Errorf("keep what the transparency log says: %w", err)
	}
	r.cmd = exec.CommandContext(ctx, program, "serve", "--hostname="+rekorOrigin,
		"--storage-dir="+r.storage, "--signer-filepath="+keyFile, "--persistent-antispam=false",
		"--http-address=127.0.0.1", "--grpc-address=127.0.0.1",
		"--http-port="+ports[0], "--grpc-port="+ports[1], "--http-metrics-port="+ports[2],
		"--checkpoint-interval=200ms", "--batch-max-age=100ms")
	r.cmd.Stdout, r.cmd.Stderr = r.output, r.output
	if err := r.cmd.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("start the transparency log: %w", err), r.output.Close())
	}
	go func() { r.exited <- r.cmd.Wait() }()
	if err := r.wait(ctx); err != nil {
		said, _ := os.ReadFile(r.output.Name()) // as much as there is
		r.close()
		return nil, fmt.Errorf("start the transparency log: %w\n%s", err, said)
	}
	return r, nil
}

// wait returns when the server answers.
func (r *rekor) wait(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, rekorPatience)
	defer cancel()
	again := time.NewTicker(50 * time.Millisecond) // a process says nowhere that it listens
	defer again.Stop()
	for !r.answers(ctx) {
		select {
		case <-again.C:
		case err := <-r.exited:
			r.exited <- err
			return fmt.Errorf("it ended: %w", err)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

func (r *rekor) answers(ctx context.Context) bool {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, r.url+"/healthz", nil)
	if err != nil {
		return false
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}
	defer func() { _ = response.Body.Close() }()
	return response.StatusCode == http.StatusOK
}

// entries reads the size of the tree in the log's own checkpoint: origin, size and hash, a line each. Before the first
// entry there may be none.
func (r *rekor) entries() (int, error) {
	text, err := os.ReadFile(filepath.Join(r.storage, "checkpoint"))
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("read the checkpoint: %w", err)
	}
	lines := strings.Split(string(text), "\n")
	if len(lines) < 2 {
		return 0, errors.New("read the checkpoint: it has no size")
	}
	return strconv.Atoi(lines[1])
}

func (r *rekor) close() {
	_ = r.cmd.Process.Kill() // it may have ended already
	err := <-r.exited
	r.exited <- err
	_ = r.output.Close()
}

// buildRekor returns the path of the server's program, which the go command builds once and keeps in its cache.
func buildRekor(ctx context.Context) (string, error) {
	var stderr strings.Builder
	cmd := exec.CommandContext(ctx, "go", "tool", "-n", rekorProgram)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("build the transparency log: %w\n%s", err, stderr.String())
	}
	return strings.TrimSpace(string(out)), nil
}

func writeKey(dir string, key ed25519.PrivateKey) (string, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return "", fmt.Errorf("encode the key of the transparency log: %w", err)
	}
	path := filepath.Join(dir, "rekor.pem")
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600); err != nil {
		return "", fmt.Errorf("write the key of the transparency log: %w", err)
	}
	return path, nil
}

// freePorts finds loopback ports that nobody listens on, all different.
func freePorts(ctx context.Context, n int) ([]string, error) {
	var ports []string
	for range n {
		listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("find a free port: %w", err)
		}
		defer func() { _ = listener.Close() }() // all stay taken until the last is found
		ports = append(ports, strconv.Itoa(listener.Addr().(*net.TCPAddr).Port))
	}
	return ports, nil
}
