package render

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/artifactctl/artifactctl/internal/render/fault"
	"github.com/artifactctl/artifactctl/internal/render/worker"
)

// What the test binary is when it is started with roleVariable.
const (
	roleVariable = "RENDER_TEST_ROLE"
	peerVariable = "RENDER_TEST_PEER" // address that a worker reports to
	dirVariable  = "RENDER_TEST_DIR"

	roleWorker  = "worker"
	roleReport  = "report"  // a worker that connects to the peer, sends its environment and stays connected
	roleFatal   = "fatal"   // a worker that ends by log.Fatal once it has a request
	roleDie     = "die"     // a worker that kills itself once it has a request
	roleRubbish = "rubbish" // something else than a worker
	roleParent  = "parent"  // a program that renders dirVariable, with workers that report
)

func TestMain(m *testing.M) {
	role := os.Getenv(roleVariable)
	if role == "" {
		os.Exit(m.Run())
	}
	if err := play(role); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func play(role string) error {
	ctx := context.Background()
	var stdin io.Reader = os.Stdin
	switch role {
	case roleWorker:
	case roleReport:
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", os.Getenv(peerVariable))
		if err != nil {
			return err
		}
		defer func() { _ = conn.Close() }()
		stdin = &onRequest{Reader: os.Stdin, do: func() {
			_, _ = conn.Write([]byte(strings.Join(os.Environ(), "\n") + "\n\n"))
		}}
	case roleFatal:
		stdin = &onRequest{Reader: os.Stdin, do: func() { log.Fatal("RNode must not be null") }}
	case roleDie:
		stdin = &onRequest{Reader: os.Stdin, do: func() {
			self, err := os.FindProcess(os.Getpid())
			if err == nil {
				_ = self.Kill()
			}
		}}
	case roleRubbish:
		_, err := os.Stdout.WriteString("Usage: something else\n")
		return errors.Join(err, errors.New("unknown command \"render-worker\""))
	case roleParent:
		p := NewPool(poolOptions(roleReport, peerVariable+"="+os.Getenv(peerVariable)))
		_, err := p.Render(ctx, request(os.Getenv(dirVariable)))
		return err
	}
	return worker.Serve(ctx, stdin, os.Stdout)
}

// onRequest calls do when the first request begins to arrive.
type onRequest struct {
	io.Reader
	seen bool
	do   func()
}

func (o *onRequest) Read(p []byte) (int, error) {
	n, err := o.Reader.Read(p)
	if !o.seen && bytes.Contains(p[:n], []byte("Request")) { // the name of the type comes before its first value
		o.seen = true
		o.do()
	}
	return n, err
}

func poolOptions(role string, env ...string) PoolOptions {
	self, err := os.Executable()
	if err != nil {
		panic(err)
	}
	return PoolOptions{
		Command: []string{self},
		Workers: 2,
		Timeout: time.Minute,
		Env:     append([]string{roleVariable + "=" + role}, env...),
	}
}

func newPool(t testing.TB, o PoolOptions) *Pool {
	t.Helper()
	p := NewPool(o)
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return p
}

// request asks for the directory app in root.
func request(root string) Request {
	return Request{Dir: filepath.Join(root, "app"), Root: root}
}

// unpack writes the files of an archive below a new directory.
func unpack(t testing.TB, text string) string {
	t.Helper()
	root := t.TempDir()
	unpackInto(t, root, text)
	return root
}

func unpackInto(t testing.TB, root, text string) {
	t.Helper()
	for _, f := range txtar.Parse([]byte(text)).Files {
		write(t, filepath.Join(root, filepath.FromSlash(f.Name)), f.Data)
	}
}

func write(t testing.TB, path string, content []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o666); err != nil {
		t.Fatal(err)
	}
}

// failure renders and returns the error that has to come.
func failure(t *testing.T, p *Pool, r Request) *fault.Error {
	t.Helper()
	result, err := p.Render(t.Context(), r)
	var f *fault.Error
	if !errors.As(err, &f) {
		t.Fatalf("got error %v and %d files, want a *fault.Error", err, len(result.Files))
	}
	return f
}
