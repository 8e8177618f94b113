package rpc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	"github.com/artifactctl/artifactctl/plugins/signer"
	signerpb "github.com/artifactctl/artifactctl/plugins/signer/rpc/proto"
)

// ProtocolVersion is the version of the wire that this package speaks. A change that an older peer cannot understand
// gets the next number and stands beside the old one: host and plugin use the highest that both know.
const ProtocolVersion = 1

// maxMessage bounds one request or answer on the wire, in bytes. A batch statement of 1,000 digests has 0.1 MB.
const maxMessage = 16 << 20

// closeGrace is how long a signer may take to close. go-plugin waits two seconds for the process to end, then kills it.
const closeGrace = 1500 * time.Millisecond

// dispensed is the name under which go-plugin hands out the one service there is.
const dispensed = "signer"

// handshake lets a plugin that was started by hand say so, instead of waiting for a host. It is no secret and protects
// nothing: the connection is protected by the certificates that both sides make for it.
func handshake() plugin.HandshakeConfig {
	return plugin.HandshakeConfig{MagicCookieKey: "ARTIFACTCTL_SIGNER_PLUGIN", MagicCookieValue: "artifactctl.signer"}
}

// ServeOptions says what a plugin serves.
type ServeOptions struct {
	// Name of the plugin, as its executable is called: "signer-file". Default: the executable's name.
	Name string
	// Version of the plugin, for people. Default: the version of its main module as the Go toolchain recorded it.
	Version string
	// Signer is the plugin itself. Serve calls Open at most once, before any Sign. If it is an io.Closer, too, Close is
	// called once after the last call was taken, to give back what Open got: a session, a token. Calls whose contexts just
	// ended may still be about to return, Open among them. Close has closeGrace, then the process ends without it.
	Signer signer.Signer
}

// Serve is the main function of a plugin: it serves o.Signer to the host that started the process, and returns the exit
// status when the host closed it or is gone:
//
//	func main() { os.Exit(rpc.Serve(rpc.ServeOptions{Name: "signer-file", Signer: &fileSigner{}})) }
//
// While it runs, standard input belongs to it (its end means that the host has died, however it died), standard output
// is the host's, what is written to standard error reaches the host's debug log, and an interrupt from the keyboard is
// ignored: the host decides by the contexts of the calls whether a signature in flight is finished. SIGTERM ends it in
// good order.
//
// Started by hand the process explains itself, or answers --version.
func Serve(o ServeOptions) int {
	o = o.withDefaults()
	if len(os.Args) == 2 && os.Args[1] == "--version" {
		fmt.Fprintln(os.Stdout, o.Name, o.Version)
		return 0
	}
	cookie := handshake()
	if os.Getenv(cookie.MagicCookieKey) != cookie.MagicCookieValue {
		explain(os.Stderr, o)
		return 2
	}
	gone, err := hostGone()
	if err != nil {
		fmt.Fprintln(os.Stderr, "take over standard input:", err)
		return 1
	}
	terminated := make(chan os.Signal, 1)
	signal.Notify(terminated, syscall.SIGTERM)
	stderr := os.Stderr // go-plugin replaces it by a pipe to the connection, which is gone at the end
	plugin.Serve(&plugin.ServeConfig{
		HandshakeConfig:  cookie,
		VersionedPlugins: map[int]plugin.PluginSet{ProtocolVersion: {dispensed: &service{server: &server{options: o}}}},
		Logger:           hclog.New(&hclog.LoggerOptions{Level: hclog.Error, Output: os.Stderr, JSONFormat: true}),
		GRPCServer: func(opts []grpc.ServerOption) *grpc.Server {
			s := grpc.NewServer(append(opts, grpc.MaxRecvMsgSize(maxMessage), grpc.UnaryInterceptor(recoverPanic))...)
			go func() {
				select {
				case <-gone:
				case <-terminated:
				}
				s.Stop() // plugin.Serve returns, and with it main; calls that hang are left behind
			}()
			return s
		},
	})
	if err := closeSigner(o.Signer); err != nil {
		fmt.Fprintln(stderr, "[WARN] close the signer:", err)
	}
	select {
	case <-gone:
		removeSocketDir(os.Getenv(plugin.EnvUnixSocketDir))
	default: // the host tidies up itself
	}
	return 0
}

// closeSigner closes s if it can be closed, and waits for it as long as the host would.
func closeSigner(s signer.Signer) error {
	closer, ok := s.(io.Closer)
	if !ok {
		return nil
	}
	closed := make(chan error, 1)
	go func() {
		defer func() {
			if v := recover(); v != nil {
				closed <- fmt.Errorf("panic: %v", v)
			}
		}()
		closed <- closer.Close()
	}()
	timer := time.NewTimer(closeGrace)
	defer timer.Stop()
	select {
	case err := <-closed:
		return err
	case <-timer.C:
		return fmt.Errorf("not done within %s", closeGrace)
	}
}

func (o ServeOptions) withDefaults() ServeOptions {
	if o.Name == "" {
		o.Name = filepath.Base(os.Args[0])
	}
	if o.Version == "" {
		o.Version = "(devel)"
		if build, ok := debug.ReadBuildInfo(); ok && build.Main.Version != "" {
			o.Version = build.Main.Version
		}
	}
	return o
}

func explain(w io.Writer, o ServeOptions) {
	fmt.Fprintf(w, `%s %s is a signer plugin of artifactctl. It has no commands of its own: artifactctl starts it.

Put it beside the artifactctl executable and name it in publish.yaml:

  signer: mine
  signers:
    mine:
      plugin: %s

"artifactctl plugins" lists the plugins that are found, with their checksums.
`, o.Name, o.Version, o.Name)
}

// hostGone is closed when the host is no more. The host holds the other end of our standard input and never writes to
// it; the kernel closes it when the host ends, be it by SIGKILL. From here on os.Stdin is empty, so that nobody else
// waits for input that cannot come.
func hostGone() (<-chan struct{}, error) {
	lifeline := os.Stdin
	empty, err := os.Open(os.DevNull)
	if err != nil {
		return nil, err
	}
	os.Stdin = empty
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		_, _ = io.Copy(io.Discard, lifeline)
	}()
	return gone, nil
}

// removeSocketDir removes the directories of the socket that Start made, for a host that cannot any more. Each goes only
// if it is empty.
func removeSocketDir(dir string) {
	if parent := filepath.Dir(dir); strings.HasPrefix(filepath.Base(parent), privatePrefix) {
		_ = os.Remove(dir)
		_ = os.Remove(parent)
	}
}

// service is go-plugin's view of the wire, for both sides.
type service struct {
	plugin.NetRPCUnsupportedPlugin
	server *server // plugin side only
}

func (s *service) GRPCServer(_ *plugin.GRPCBroker, g *grpc.Server) error {
	if s.server == nil || s.server.options.Signer == nil {
		return errors.New("there is no signer to serve")
	}
	signerpb.RegisterSignerServer(g, s.server)
	return nil
}

func (s *service) GRPCClient(_ context.Context, _ *plugin.GRPCBroker, conn *grpc.ClientConn) (any, error) {
	return signerpb.NewSignerClient(conn), nil
}
