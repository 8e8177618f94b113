package rpc

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	gorunner "github.com/hashicorp/go-plugin/runner"
	"google.golang.org/grpc"

	signerpb "github.com/artifactctl/artifactctl/plugins/signer/rpc/proto"
)

// DefaultStartTimeout is how long a plugin may take until it serves.
const DefaultStartTimeout = 30 * time.Second

// maxSocketDir is the longest directory in which the path of a unix socket still fits: a socket's path has at most 104
// bytes on some systems, and go-plugin adds two levels.
const maxSocketDir = 32

// privatePrefix begins the name of that directory.
const privatePrefix = "actl-"

// StartOptions says which plugin to start, and how.
type StartOptions struct {
	// Name of the signer in publish.yaml, for messages and logs.
	Name string
	// Path of the executable, absolute: Found.Path.
	Path string
	// SHA256 is the pin: lower-case hex, with or without "sha256:". Empty accepts any executable.
	SHA256 string
	// Env is the whole environment of the plugin, "NAME=value" each. Nothing is inherited; go-plugin adds the
	// variables of its handshake.
	Env []string
	// Dir is the plugin's working directory, to which relative paths in the with: block relate: the directory of
	// publish.yaml. Empty: an empty temporary directory.
	Dir string
	// Log gets what the plugin logs and writes to standard error, one line an entry, without the secrets of Env.
	// Nil discards it.
	Log io.Writer
	// LogLevel is trace, debug, info, warn, error or off, which is the default.
	LogLevel string
	// StartTimeout bounds the start. Default: DefaultStartTimeout.
	StartTimeout time.Duration
}

// Start starts the plugin and returns when it serves. The executable is hashed and compared with the pin at each start.
// The connection is private to the two processes (mutual TLS with certificates made for it, a socket in a directory that
// only this user may enter). When Start returns an error nothing of the plugin is left. ctx bounds the start only; the
// process lives until Close, or until this process ends, however it ends.
func Start(ctx context.Context, o StartOptions) (*Process, error) {
	p := &Process{Name: o.Name, redact: newRedactor(o.Env)}
	if err := p.identify(o); err != nil {
		return nil, err
	}
	dir, err := privateDir()
	if err != nil {
		return nil, fmt.Errorf("signer %s: make a directory for the plugin's socket: %w", o.Name, err)
	}
	p.dir = dir
	if o.Dir == "" {
		o.Dir = dir
	}
	p.client = plugin.NewClient(p.config(o))
	timeout := o.StartTimeout
	if timeout <= 0 {
		timeout = DefaultStartTimeout
	}
	if err := p.connect(ctx, timeout); err != nil {
		_ = p.run.kill() // at once: there is nothing to be finished
		_ = p.Close()
		return nil, err
	}
	return p, nil
}

// identify sets what p is: the executable, symbolic links resolved, and its checksum, compared with the pin.
func (p *Process) identify(o StartOptions) error {
	path, err := usable(o.Path)
	if err != nil {
		return inSigner(o.Name, err)
	}
	sum, err := checksum(path)
	if err != nil {
		return fmt.Errorf("signer %s: hash plugin: %w", o.Name, err)
	}
	p.Path, p.SHA256 = path, sum
	pin := strings.ToLower(strings.TrimPrefix(strings.TrimSpace(o.SHA256), "sha256:"))
	if raw, err := hex.DecodeString(pin); err != nil || (len(raw) != 0 && len(raw) != sha256.Size) {
		return &setupError{
			text: fmt.Sprintf("signer %s: the pin %q is not a sha256 of 64 hex digits", o.Name, excerpt(pin)),
			hint: fmt.Sprintf("the sha256 of %s is %s", path, sum),
		}
	}
	if pin != "" && pin != sum {
		return &setupError{
			text: fmt.Sprintf("signer %s: plugin %s has sha256 %s, but %s is pinned; it was not started", o.Name, path, sum, pin),
			hint: "if you replaced the plugin on purpose, put the new sha256 into publish.yaml; otherwise find out who changed the file",
		}
	}
	return nil
}

func (p *Process) config(o StartOptions) *plugin.ClientConfig {
	log := io.Discard
	if o.Log != nil {
		log = redactingWriter{to: o.Log, redact: p.redact}
	}
	level := hclog.LevelFromString(o.LogLevel)
	if level == hclog.NoLevel || o.Log == nil {
		level = hclog.Off
	}
	logger := hclog.New(&hclog.LoggerOptions{Name: "signer." + o.Name, Level: level, Output: log, DisableTime: true})
	p.run = newRunner(p.Path, o.Dir, o.Env)
	return &plugin.ClientConfig{
		HandshakeConfig:  handshake(),
		VersionedPlugins: map[int]plugin.PluginSet{ProtocolVersion: {dispensed: &service{}}},
		AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC},
		AutoMTLS:         true,
		SkipHostEnv:      true,
		Logger:           logger,
		// What a plugin writes to os.Stderr while it serves comes over the connection.
		SyncStderr: io.MultiWriter(p.run.tail, logger.StandardWriter(&hclog.StandardLoggerOptions{ForceLevel: hclog.Debug})),
		// connect has its own, shorter timer.
		StartTimeout:     2 * max(o.StartTimeout, DefaultStartTimeout),
		UnixSocketConfig: &plugin.UnixSocketConfig{TempDir: p.dir},
		GRPCDialOptions: []grpc.DialOption{
			grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessage), grpc.MaxCallSendMsgSize(maxMessage)),
		},
		// SecureConfig cannot be had together with RunnerFunc: identify does its work.
		RunnerFunc: func(_ hclog.Logger, handshake *exec.Cmd, _ string) (gorunner.Runner, error) {
			p.run.cmd.Env = append(p.run.cmd.Env, handshake.Env...) // of duplicates the last counts
			return p.run, nil
		},
	}
}

// connect starts the process and shakes hands. go-plugin's calls know no context: they end when the process is killed.
func (p *Process) connect(ctx context.Context, timeout time.Duration) error {
	bounded, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var dialErr error
	dialed := make(chan struct{})
	go func() {
		defer close(dialed)
		dialErr = p.dial()
	}()
	select {
	case <-dialed:
		if dialErr != nil {
			return p.diagnose(ctx, dialErr)
		}
		return nil
	case <-bounded.Done():
	}
	_ = p.run.kill()
	<-dialed
	if ctx.Err() != nil {
		return fmt.Errorf("signer %s: start plugin: %w", p.Name, ctx.Err())
	}
	return &setupError{
		text: fmt.Sprintf("signer %s: plugin %s does not serve after %s", p.Name, p.Path, timeout),
		hint: "is it a signer plugin of artifactctl? started by hand it explains itself",
	}
}

func (p *Process) dial() error {
	client, err := p.client.Client()
	if err != nil {
		return err
	}
	raw, err := client.Dispense(dispensed)
	if err != nil {
		return err
	}
	stub, ok := raw.(signerpb.SignerClient)
	if !ok {
		return fmt.Errorf("the plugin offers no signer")
	}
	p.stub = stub
	return client.Ping() // gRPC connects late; this is the proof that somebody listens
}

// privateDir makes a fresh directory with a short name that only this user may enter.
func privateDir() (string, error) {
	base := os.TempDir()
	if len(base) > maxSocketDir {
		if info, err := os.Stat("/tmp"); err == nil && info.IsDir() {
			base = "/tmp"
		}
	}
	dir, err := os.MkdirTemp(base, privatePrefix)
	if err != nil {
		return "", err
	}
	return filepath.Abs(dir)
}
