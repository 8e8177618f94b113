package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"

	"github.com/distribution/distribution/v3/configuration"
	"github.com/distribution/distribution/v3/registry/handlers"
	_ "github.com/distribution/distribution/v3/registry/storage/driver/filesystem" // the storage named in serveRegistry
	_ "github.com/distribution/distribution/v3/registry/storage/driver/inmemory"   // the other one
	"github.com/sirupsen/logrus"

	"github.com/artifactctl/artifactctl/test/peers"
)

// registryArgument has this executable serve a registry instead of measuring.
const registryArgument = "serve-registry"

// report is what the registry tells of the time since the last report.
type report struct {
	Requests map[string]int // by class
	CPU      time.Duration  // of its process
}

// counter counts what a registry is asked.
type counter struct {
	next http.Handler
	mu   sync.Mutex
	seen map[string]int
	cpu  time.Duration
}

func (c *counter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	class := peers.Request{Method: r.Method, Path: r.URL.RequestURI()}.Class()
	c.mu.Lock()
	c.seen[class]++
	c.mu.Unlock()
	c.next.ServeHTTP(w, r)
}

// tell answers with a report, and begins the next one.
func (c *counter) tell(w http.ResponseWriter, _ *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := ownCPU()
	_ = json.NewEncoder(w).Encode(report{Requests: c.seen, CPU: now - c.cpu}) // who asked sees that it is cut
	c.seen, c.cpu = map[string]int{}, now
}

// serveRegistry serves a distribution registry on a free loopback port until in ends. storage is inmemory, or the
// directory that it keeps its files in. The addresses of the registry and of its reports are its only output.
func serveRegistry(ctx context.Context, storage string, in io.Reader, out io.Writer) error {
	driver := "inmemory: {}"
	if storage != "inmemory" {
		driver = "filesystem: {rootdirectory: " + storage + "}"
	}
	config, err := configuration.Parse(strings.NewReader("version: 0.1\nstorage: {" + driver + ", delete: {enabled: true}}\nhttp: {addr: \"127.0.0.1:0\", secret: bench}\n"))
	if err != nil {
		return err
	}
	logrus.SetLevel(logrus.PanicLevel)
	logrus.SetOutput(io.Discard)
	c := &counter{next: handlers.NewApp(ctx, config), seen: map[string]int{}}
	for _, h := range []http.Handler{c, http.HandlerFunc(c.tell)} {
		l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		fmt.Fprintln(out, l.Addr())
		server := &http.Server{Handler: h, ReadHeaderTimeout: time.Minute}
		go func() { _ = server.Serve(l) }() // it ends with the process
	}
	_, err = io.Copy(io.Discard, in)
	return err
}

// registry is a registry in a process of its own, so that its work is not counted as ours.
type registry struct {
	host    string // host:port
	reports string
	cmd     *exec.Cmd
	stop    io.Closer
}

// startRegistry starts one.
func startRegistry(ctx context.Context, storage string) (*registry, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	r := &registry{cmd: exec.CommandContext(ctx, self, registryArgument, storage)}
	r.cmd.Stderr = os.Stderr
	if r.stop, err = r.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := r.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := r.cmd.Start(); err != nil {
		return nil, err
	}
	lines := bufio.NewScanner(out)
	for _, address := range []*string{&r.host, &r.reports} {
		if !lines.Scan() {
			return nil, errors.Join(errors.New("the registry did not start"), lines.Err(), r.close())
		}
		*address = lines.Text()
	}
	return r, nil
}

// report returns what the registry did since the last call.
func (r *registry) report(ctx context.Context) (report, error) {
	var told report
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+r.reports, nil)
	if err != nil {
		return told, err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return told, fmt.Errorf("ask the registry what it did: %w", err)
	}
	defer func() { _ = answer.Body.Close() }()
	return told, json.NewDecoder(answer.Body).Decode(&told)
}

// close ends the registry.
func (r *registry) close() error { return errors.Join(r.stop.Close(), r.cmd.Wait()) }
