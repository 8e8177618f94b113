package rpc

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"os"
	"sort"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	"github.com/artifactctl/artifactctl/plugins/signer"
)

// modeVariable makes the test binary a plugin instead of a test run.
const modeVariable = "RPC_TEST_MODE"

// The modes.
const (
	modeServe     = "serve"      // a well-behaved plugin
	modeServe2    = "serve-2"    // one of a later protocol
	modeNetRPC    = "net-rpc"    // one of another transport
	modeRubbish   = "rubbish"    // prints something else
	modeFlood     = "flood"      // prints without end, and never a newline
	modeSilent    = "silent"     // never says anything
	modeExit      = "exit"       // dies with a message
	modeBadSocket = "bad-socket" // shakes hands, but nobody listens
	modeOldCore   = "old-core"   // another go-plugin
	modeHost      = "host"       // a host that starts a plugin and waits to be killed
)

func TestMain(m *testing.M) {
	switch mode := os.Getenv(modeVariable); mode {
	case "":
		os.Exit(m.Run())
	case modeServe:
		os.Exit(Serve(ServeOptions{Name: "signer-test", Version: "v9.9.9", Signer: &testSigner{}}))
	case modeServe2:
		serveOther(2, &service{server: &server{options: ServeOptions{Signer: &testSigner{}}}}, plugin.DefaultGRPCServer)
	case modeNetRPC:
		serveOther(1, &service{}, nil)
	case modeRubbish:
		fmt.Println("Hello, \x1b[31mI am\x1b[0m not a plugin")
		untilHostIsGone()
	case modeFlood:
		for {
			fmt.Print(strings.Repeat("flood", 1000))
		}
	case modeSilent:
		untilHostIsGone()
	case modeExit:
		fmt.Fprintf(os.Stderr, "cannot start: \x1b[1mbad\x1b[0m token %s\n", os.Getenv("TEST_TOKEN"))
		os.Exit(3)
	case modeBadSocket:
		fmt.Println("1|1|unix|/nonexistent/socket|grpc|")
		untilHostIsGone()
	case modeOldCore:
		fmt.Println("7|1|unix|/nonexistent/socket|grpc|")
		untilHostIsGone()
	case modeHost:
		hostMain()
	default:
		fmt.Fprintln(os.Stderr, "unknown mode", mode)
		os.Exit(1)
	}
}

func untilHostIsGone() { _, _ = io.Copy(io.Discard, os.Stdin) }

func serveOther(version int, s plugin.Plugin, grpcServer func([]grpc.ServerOption) *grpc.Server) {
	plugin.Serve(&plugin.ServeConfig{
		HandshakeConfig:  handshake(),
		VersionedPlugins: map[int]plugin.PluginSet{version: {dispensed: s}},
		GRPCServer:       grpcServer,
	})
}

// testSigner does what the tests ask for: Open by with["do"], Sign by Request.Repository.
type testSigner struct{ key ed25519.PrivateKey }

func (s *testSigner) Open(ctx context.Context, with map[string]any) (signer.Info, error) {
	s.key = ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	public := s.key.Public()
	info := signer.Info{Algorithm: "ed25519", Warnings: []string{"first\nwarning", "second"}}
	info.PublicKey, _ = signer.MarshalPublicKey(public)
	info.Identity, _ = signer.Fingerprint(public)
	if path := os.Getenv("TEST_LOCK"); path != "" {
		lock, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			return info, err
		}
		if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil { // until the process ends
			return info, err
		}
	}
	for key := range with {
		if key != "do" && key != "value" {
			return info, fmt.Errorf("%w: unknown option %q", signer.ErrInvalid, key)
		}
	}
	switch with["do"] {
	case "env":
		names := os.Environ()
		for i, kv := range names {
			names[i], _, _ = strings.Cut(kv, "=")
		}
		sort.Strings(names)
		info.Identity = strings.Join(names, " ")
	case "types":
		info.Identity = fmt.Sprintf("%#v", with["value"])
	case "cwd":
		info.Identity, _ = os.Getwd()
	case "stdin":
		rest, err := io.ReadAll(os.Stdin)
		info.Identity = fmt.Sprintf("%q %v", rest, err)
	case "escape":
		info.Identity = "evil\x1b[2J\x1b]0;title\x07\r\n\u202espoof"
	default:
		return info, s.act(ctx, fmt.Sprint(with["do"]))
	}
	return info, nil
}

func (s *testSigner) Sign(ctx context.Context, r signer.Request) (signer.Signature, error) {
	switch r.Repository {
	case "huge":
		return signer.Signature{MediaType: signer.BundleMediaType, Content: make([]byte, maxMessage+1)}, nil
	case "empty":
		return signer.Signature{MediaType: signer.BundleMediaType}, nil
	case "other media type":
		return signer.Signature{MediaType: "text/\x1bhtml", Content: []byte("x")}, nil
	}
	if err := s.act(ctx, r.Repository); err != nil {
		return signer.Signature{}, err
	}
	if err := ctx.Err(); err != nil {
		return signer.Signature{}, err
	}
	input, err := signer.SigningInput(r)
	if err != nil {
		return signer.Signature{}, err
	}
	return signer.KeyBundle(r, s.key.Public(), ed25519.Sign(s.key, input))
}

// act is what Open and Sign can both be told to do.
func (s *testSigner) act(ctx context.Context, what string) error {
	token := os.Getenv("TEST_TOKEN")
	switch what {
	case "invalid":
		return signer.WithHint(fmt.Errorf("%w: no key %s", signer.ErrInvalid, "x"), "use\nanother key")
	case "denied":
		return fmt.Errorf("token %s: %w", token, signer.ErrDenied)
	case "unavailable":
		return fmt.Errorf("backend: %w", signer.ErrUnavailable)
	case "plain":
		return errors.New("something\n\x1b[31melse\x00 \xff")
	case "own deadline":
		return fmt.Errorf("backend: %w", context.DeadlineExceeded)
	case "panic":
		panic("oh no " + token)
	case "exit":
		_, _ = syscall.Write(2, []byte("the key store is gone\n"))
		os.Exit(4)
	case "kill":
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	case "hang":
		select {}
	case "wait":
		<-ctx.Done()
		fmt.Fprintln(os.Stderr, "saw the end of the context:", ctx.Err())
		return ctx.Err()
	case "stderr":
		fmt.Fprintf(os.Stderr, "[DEBUG] working with %s\n", token)
	case "interrupt":
		_ = syscall.Kill(os.Getpid(), syscall.SIGINT)
	case "stdout":
		fmt.Println(strings.Repeat("noise ", 50_000))
	}
	return nil
}

// eventually polls until ok, or fails the test.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	deadline := time.NewTimer(time.Minute)
	defer deadline.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("waited in vain: %s", what)
		}
	}
}
