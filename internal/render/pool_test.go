package render

import (
	"bufio"
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/artifactctl/artifactctl/internal/artifact"
	"github.com/artifactctl/artifactctl/internal/render/fault"
)

const (
	good = `
-- app/kustomization.yaml --
resources: [a.yaml]
-- app/a.yaml --
apiVersion: v1
kind: ConfigMap
metadata: {name: a}
`
	endless = `
-- app/kustomization.yaml --
resources: [a.yaml]
-- app/a.yaml --
apiVersion: v1
kind: ConfigMap
metadata: {name: a}
data: &data {again: *data}
`
	panics = `
-- app/kustomization.yaml --
resources: [a.yaml]
patches:
- target: {kind: ConfigMap}
  patch: '[{"op": "add", "path": "/x", "value": 1}]'
-- app/a.yaml --
apiVersion: v1
kind: ConfigMap
metadata: {name: a, labels: [a]}
`
)

// bomb is an alias bomb: some hundred bytes that become gigabytes.
func bomb() string {
	var b strings.Builder
	b.WriteString("-- app/kustomization.yaml --\nresources: [a.yaml]\n-- app/a.yaml --\n")
	b.WriteString("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n  a: &a [x, x, x, x, x, x, x, x, x]\n")
	for c := 'b'; c < 'k'; c++ {
		alias := "*" + string(c-1)
		b.WriteString("  " + string(c) + ": &" + string(c) + " [" + strings.Repeat(alias+", ", 8) + alias + "]\n")
	}
	return b.String()
}

// stillWorks renders a good app.
func stillWorks(t *testing.T, p *Pool) {
	t.Helper()
	result, err := p.Render(t.Context(), request(unpack(t, good)))
	if err != nil {
		t.Fatal(err)
	}
	want := "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n"
	if got := string(result.Files[artifact.ManifestsFile]); got != want {
		t.Fatalf("got %q", got)
	}
}

func TestBadInputFailsItsAppOnly(t *testing.T) {
	for name, test := range map[string]struct {
		app     string
		options func(*PoolOptions)
		reason  fault.Reason
		message string
	}{
		"endless": {
			app: endless, options: func(o *PoolOptions) { o.Timeout = 2 * time.Second },
			reason: fault.Timeout, message: "the render did not end within 2s",
		},
		"alias bomb": {
			app: bomb(), options: func(o *PoolOptions) { o.Memory = 256 << 20 },
			reason: fault.Memory, message: "the render ", // needs more than 256 MiB of memory, or ran out of it
		},
		"panic": {
			app: panics, options: func(*PoolOptions) {},
			reason: fault.Crash, message: "kustomize panicked: runtime error: index out of range [1] with length 1",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := poolOptions(roleWorker)
			o.Workers = 1
			test.options(&o)
			p := newPool(t, o)
			f := failure(t, p, request(unpack(t, test.app)))
			if f.Reason != test.reason || !strings.HasPrefix(f.Message, test.message) || f.Hint() == "" {
				t.Errorf("got %s: %v, hint %q", f.Reason, f, f.Hint())
			}
			stillWorks(t, p)
		})
	}
}

func TestWorkerThatEnds(t *testing.T) {
	for role, message := range map[string]string{
		roleFatal: "the render worker ended early: RNode must not be null",
		roleDie:   "the render worker ended early: signal: killed",
	} {
		t.Run(role, func(t *testing.T) {
			if role == roleDie && runtime.GOOS == "windows" {
				t.Skip("no signals here")
			}
			p := newPool(t, poolOptions(role))
			for range 2 { // the second time with a new worker
				f := failure(t, p, request(unpack(t, endless)))
				if f.Reason != fault.Crash || f.Message != message {
					t.Errorf("got %s: %v", f.Reason, f)
				}
			}
		})
	}
}

func TestIdleWorkerThatDied(t *testing.T) {
	o := poolOptions(roleWorker)
	o.Workers = 1
	p := newPool(t, o)
	stillWorks(t, p)
	p.mu.Lock()
	w := p.idle[0]
	p.mu.Unlock()
	if err := w.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-w.reaped
	stillWorks(t, p)
}

func TestNotAWorker(t *testing.T) {
	p := newPool(t, poolOptions(roleRubbish))
	_, err := p.Render(t.Context(), request(unpack(t, good)))
	if err == nil || !strings.Contains(err.Error(), `start render worker: the render worker ended early: unknown command`) {
		t.Errorf("got %v", err)
	}
	p = newPool(t, PoolOptions{Command: []string{filepath.Join(t.TempDir(), "nothing")}})
	if _, err := p.Render(t.Context(), request(unpack(t, good))); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

// peer listens for workers that report; next returns the environment of the next one and its connection, which ends
// when the worker does.
type peer struct {
	t        *testing.T
	listener net.Listener
}

func newPeer(t *testing.T) *peer {
	t.Helper()
	var config net.ListenConfig
	listener, err := config.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	return &peer{t: t, listener: listener}
}

func (p *peer) address() string { return p.listener.Addr().String() }

func (p *peer) next() (env []string, gone func()) {
	p.t.Helper()
	if err := p.listener.(*net.TCPListener).SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		p.t.Fatal(err)
	}
	conn, err := p.listener.Accept()
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		p.t.Fatal(err)
	}
	r := bufio.NewReader(conn)
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			p.t.Fatal(err)
		}
		if line == "\n" {
			break
		}
		env = append(env, strings.TrimSpace(line))
	}
	return env, func() {
		p.t.Helper()
		// A killed process may reset the connection; what must not happen is the deadline.
		if _, err := r.ReadByte(); errors.Is(err, os.ErrDeadlineExceeded) || err == nil {
			p.t.Errorf("the worker lives: %v", err)
		}
	}
}

func TestCancelEndsTheWorker(t *testing.T) {
	peer := newPeer(t)
	p := newPool(t, poolOptions(roleReport, peerVariable+"="+peer.address()))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	r := request(unpack(t, endless))
	go func() {
		_, err := p.Render(ctx, r)
		done <- err
	}()
	_, gone := peer.next()
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	gone()
}

func TestCloseEndsBusyWorkers(t *testing.T) {
	ctx := context.WithoutCancel(t.Context())
	peer := newPeer(t)
	p := newPool(t, poolOptions(roleReport, peerVariable+"="+peer.address()))
	done := make(chan error, 1)
	r := request(unpack(t, endless))
	go func() {
		_, err := p.Render(ctx, r)
		done <- err
	}()
	_, gone := peer.next()
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; !errors.Is(err, errClosed) {
		t.Errorf("got %v", err)
	}
	gone()
	if _, err := p.Render(t.Context(), r); !errors.Is(err, errClosed) {
		t.Errorf("after close: %v", err)
	}
}

func TestWorkersDieWithTheirParent(t *testing.T) {
	peer := newPeer(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	parent := exec.CommandContext(t.Context(), self)
	parent.Env = append(os.Environ(), roleVariable+"="+roleParent, peerVariable+"="+peer.address(),
		dirVariable+"="+unpack(t, endless))
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	_, gone := peer.next()
	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = parent.Wait()
	gone()
}

func TestEnvironmentOfWorkers(t *testing.T) {
	t.Setenv("COSIGN_PASSWORD", "secret")
	t.Setenv("HTTPS_PROXY", "http://proxy.example")
	t.Setenv("HOME", t.TempDir())
	t.Setenv("HELM_KUBETOKEN", "secret")
	for name, test := range map[string]struct {
		network bool
		want    []string // names
	}{
		"isolated": {want: []string{peerVariable, roleVariable}},
		"network":  {network: true, want: []string{"HOME", "HTTPS_PROXY", "PATH", "TMPDIR", peerVariable, roleVariable}},
	} {
		t.Run(name, func(t *testing.T) {
			peer := newPeer(t)
			p := newPool(t, poolOptions(roleReport, peerVariable+"="+peer.address()))
			r := request(unpack(t, good))
			r.RemoteBases = test.network
			if _, err := p.Render(t.Context(), r); err != nil {
				t.Fatal(err)
			}
			env, _ := peer.next()
			var names []string
			for _, entry := range env {
				name, value, _ := strings.Cut(entry, "=")
				if value == "secret" {
					t.Errorf("%s is passed on", name)
				}
				names = append(names, name)
			}
			if !test.network {
				slices.Sort(names)
				if !slices.Equal(names, test.want) {
					t.Errorf("got %q, want %q", names, test.want)
				}
			}
			for _, want := range test.want {
				if !slices.Contains(names, want) {
					t.Errorf("%s is not passed on", want)
				}
			}
		})
	}
}

func TestClonesAreRemoved(t *testing.T) {
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	p := newPool(t, poolOptions(roleWorker))
	r := request(unpack(t, good))
	r.RemoteBases = true
	if _, err := p.Render(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadDir(temp)
	if err != nil || len(before) != 1 {
		t.Fatalf("%d directories, %v", len(before), err)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if after, err := os.ReadDir(temp); err != nil || len(after) != 0 {
		t.Errorf("%d directories are left, %v", len(after), err)
	}
}

func TestOnlySoManyWorkers(t *testing.T) {
	o := poolOptions(roleWorker)
	o.Workers = 1
	p := newPool(t, o)
	for i := range 4 { // kinds take turns; one has to make room for the other
		r := request(unpack(t, good))
		r.RemoteBases = i%2 == 1
		if _, err := p.Render(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		p.mu.Lock()
		if len(p.all) != 1 {
			t.Errorf("%d workers", len(p.all))
		}
		p.mu.Unlock()
	}
}

func BenchmarkSmallApp(b *testing.B) {
	p := newPool(b, poolOptions(roleWorker))
	var small example
	for _, e := range corpus(b) {
		if e.name == "overlay" {
			small = e
		}
	}
	check(b, p, small) // starts a worker and has it parse the schema
	for b.Loop() {
		check(b, p, small)
	}
}
