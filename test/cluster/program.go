package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/artifactctl/artifactctl/test/peers"
)

// The programs of a cluster, each pinned by a module beside this package. kube-apiserver, kubectl and etcd are of one
// module, for the API server pins the etcd that it is tested with.

func etcd() peers.Tool {
	const module = "go.etcd.io/etcd/server/v3"
	return peers.Tool{Name: "etcd", Module: module, Path: module, Dir: "cluster/kubernetes"}
}

func apiServer() peers.Tool {
	const module = "k8s.io/kubernetes"
	return peers.Tool{Name: "kube-apiserver", Module: module, Path: module + "/cmd/kube-apiserver", Dir: "cluster/kubernetes"}
}

func kubectl() peers.Tool {
	const module = "k8s.io/kubernetes"
	return peers.Tool{Name: "kubectl", Module: module, Path: module + "/cmd/kubectl", Dir: "cluster/kubernetes"}
}

func sourceController() peers.Tool {
	const module = "github.com/fluxcd/source-controller"
	return peers.Tool{Name: "source-controller", Module: module, Path: module, Dir: "cluster/source-controller"}
}

func kustomizeController() peers.Tool {
	const module = "github.com/fluxcd/kustomize-controller"
	return peers.Tool{Name: "kustomize-controller", Module: module, Path: module, Dir: "cluster/kustomize-controller"}
}

// process is a started program.
type process struct {
	name string
	cmd  *exec.Cmd
	log  string        // file with all that it says
	done chan struct{} // closed when it has ended
}

// programs are the processes of a cluster, in the order of their start.
type programs struct {
	dir string
	all []*process
}

// start starts a program that ends with this process, whatever becomes of it.
func (p *programs) start(name, path string, env []string, args ...string) error {
	log, err := os.Create(filepath.Join(p.dir, name+".log"))
	if err != nil {
		return fmt.Errorf("keep what %s says: %w", name, err)
	}
	started := &process{name: name, cmd: exec.Command(path, args...), log: log.Name(), done: make(chan struct{})}
	started.cmd.Dir, started.cmd.Stdout, started.cmd.Stderr, started.cmd.SysProcAttr = p.dir, log, log, attributes()
	started.cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + p.dir, "TMPDIR=" + os.TempDir()}, env...)
	result := make(chan error, 1)
	go func() {
		defer close(started.done)
		runtime.LockOSThread() // the system ends a program with the thread that started it, not with the process
		defer runtime.UnlockOSThread()
		err := started.cmd.Start()
		result <- err
		if err == nil {
			_ = started.cmd.Wait() // killed, as a rule
		}
		_ = log.Close()
	}()
	if err := <-result; err != nil {
		return fmt.Errorf("start %s: %w", name, err)
	}
	p.all = append(p.all, started)
	return nil
}

// ended is closed when the program of this name has ended.
func (p *programs) ended(name string) <-chan struct{} {
	for _, one := range p.all {
		if one.name == name {
			return one.done
		}
	}
	return nil
}

// stop ends all, the last first, and waits until they are gone. They keep nothing that is worth a farewell.
func (p *programs) stop() {
	for i := len(p.all) - 1; i >= 0; i-- {
		kill(p.all[i].cmd.Process)
		<-p.all[i].done
	}
}

// tail is the end of what the program said.
func (p *process) tail(lines int) string {
	text, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	all := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

// run runs a program to its end and returns what it printed on standard output; all else is part of the error.
func run(ctx context.Context, stdin []byte, path string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, path, args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr, cmd.WaitDelay = bytes.NewReader(stdin), &stdout, &stderr, 10*time.Second
	if err := cmd.Run(); err != nil {
		return stdout.String(), fmt.Errorf("%s %s: %w\n%s", filepath.Base(path), strings.Join(args, " "), err, stderr.String())
	}
	return stdout.String(), nil
}

// freePorts finds loopback ports that nobody listens on, all different.
func freePorts(ctx context.Context, n int) (ports []string, err error) {
	for range n {
		listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("find a free port: %w", err)
		}
		defer func() { err = errors.Join(err, listener.Close()) }() // all stay taken until the last is found
		ports = append(ports, strconv.Itoa(listener.Addr().(*net.TCPAddr).Port))
	}
	return ports, nil
}
