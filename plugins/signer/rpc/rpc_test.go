package rpc

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/artifactctl/artifactctl/plugins/signer"
	"github.com/artifactctl/artifactctl/plugins/signer/signertest"
)

// options start this test binary as a plugin in the given mode.
func options(t *testing.T, mode string, env ...string) StartOptions {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return StartOptions{Name: "test", Path: self, Env: append(env, modeVariable+"="+mode)}
}

func start(t *testing.T, o StartOptions) *Process {
	t.Helper()
	p, err := Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	return p
}

func open(t *testing.T, o StartOptions, with map[string]any) (*Process, signer.Info) {
	t.Helper()
	p := start(t, o)
	info, err := p.Open(t.Context(), with)
	if err != nil {
		t.Fatal(err)
	}
	return p, info
}

func request(what string) signer.Request {
	r := signertest.Request(signer.PayloadInToto, 1)
	r.Repository = what
	return r
}

func hint(err error) string { return hintOf(err) }

func TestConformance(t *testing.T) {
	signertest.Run(t, signertest.Suite{
		New: func(t *testing.T) (signer.Signer, map[string]any) {
			return start(t, options(t, modeServe)), map[string]any{"do": "nothing"}
		},
		Deterministic: true,
	})
}

func TestOpenAnswers(t *testing.T) {
	t.Setenv("LEAKED", "yes")
	o := options(t, modeServe, "TEST_TOKEN=t0ps3cret", "HARMLESS=1")
	o.Dir = t.TempDir()
	tests := map[string]struct {
		with map[string]any
		want string
	}{
		"environment": {map[string]any{"do": "env"},
			"ARTIFACTCTL_SIGNER_PLUGIN HARMLESS PLUGIN_CLIENT_CERT PLUGIN_MAX_PORT PLUGIN_MIN_PORT PLUGIN_PROTOCOL_VERSIONS PLUGIN_UNIX_SOCKET_DIR " + modeVariable + " TEST_TOKEN"},
		"directory":       {map[string]any{"do": "cwd"}, resolved(t, o.Dir)},
		"standard input":  {map[string]any{"do": "stdin"}, `"" <nil>`},
		"terminal escape": {map[string]any{"do": "escape"}, "evil spoof"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, info := open(t, o, tt.with)
			if info.Identity != tt.want {
				t.Errorf("got  %q\nwant %q", info.Identity, tt.want)
			}
			if info.Name != "signer-test" || info.Version != "v9.9.9" || strings.Join(info.Warnings, "; ") != "first warning; second" {
				t.Errorf("info is %+v", info)
			}
		})
	}
}

func resolved(t *testing.T, path string) string {
	t.Helper()
	path, err := filepath.EvalSymlinks(path)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func TestDefaultDirectoryIsNotTheUsers(t *testing.T) {
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	p, info := open(t, options(t, modeServe), map[string]any{"do": "cwd"})
	if info.Identity == here || info.Identity != resolved(t, p.dir) {
		t.Errorf("plugin works in %q", info.Identity)
	}
}

func TestValuesSurvive(t *testing.T) {
	value := map[string]any{
		"int": 1 << 53, "big": int64(math.MinInt64), "uint": uint64(math.MaxUint64), "small": uint8(7), "float": 1.0, "inf": math.Inf(1),
		"bool": true, "null": nil, "text": "ä\n", "list": []any{1, "x", []string{"y"}}, "map": map[any]any{"k": false},
	}
	want := map[string]any{
		"int": 1 << 53, "big": math.MinInt64, "uint": uint64(math.MaxUint64), "small": 7, "float": 1.0, "inf": math.Inf(1),
		"bool": true, "null": nil, "text": "ä\n", "list": []any{1, "x", []any{"y"}}, "map": map[string]any{"k": false},
	}
	_, info := open(t, options(t, modeServe), map[string]any{"do": "types", "value": value})
	if text := cleanLine(fmt.Sprintf("%#v", want)); info.Identity != text {
		t.Errorf("got  %s\nwant %s", info.Identity, text)
	}
}

func TestValuesThatCannotCross(t *testing.T) {
	tests := map[string]struct {
		value any
		want  string
	}{
		"timestamp":    {map[string]any{"since": time.Unix(0, 0)}, "with.value.since is a timestamp in YAML; put it in quotes"},
		"integer key":  {[]any{map[any]any{1: "x"}}, "with.value[0]: key 1 is not a string"},
		"not UTF-8":    {"\xff", "with.value is not UTF-8"},
		"no YAML type": {make(chan int), "with.value has a type that YAML does not have"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := toValues(map[string]any{"value": tt.value})
			if !errors.Is(err, signer.ErrInvalid) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
}

func TestErrorsCross(t *testing.T) {
	p, _ := open(t, options(t, modeServe, "TEST_TOKEN=t0ps3cret"), nil)
	tests := []struct {
		what, want, hint string
		class            error
	}{
		{"invalid", "signer test: invalid signer configuration: no key x", "use\nanother key", signer.ErrInvalid},
		{"denied", "signer test: token ***: signer was denied", "", signer.ErrDenied},
		{"unavailable", "signer test: backend: signer backend unavailable", "", signer.ErrUnavailable},
		{"own deadline", "signer test: backend: context deadline exceeded", "", context.DeadlineExceeded},
		{"plain", "signer test: something else \uFFFD", "", nil},
		{"panic", "signer test: the plugin has a defect: panic: oh no ***", "", nil},
		{"empty", "signer test: the plugin answered without a signature", "", nil},
		{"other media type", `signer test: the plugin answered with media type "text/tml" instead of "` + signer.BundleMediaType + `"`, "", nil},
		{"huge", "signer test: a message is larger than 16 MiB: grpc: received message larger than max (16777269 vs. 16777216)", "", nil},
	}
	for _, tt := range tests {
		t.Run(tt.what, func(t *testing.T) {
			_, err := p.Sign(t.Context(), request(tt.what))
			if err == nil || err.Error() != tt.want {
				t.Fatalf("got  %v\nwant %s", err, tt.want)
			}
			for _, class := range []error{signer.ErrInvalid, signer.ErrDenied, signer.ErrUnavailable, context.Canceled, context.DeadlineExceeded} {
				want := tt.class != nil && class.Error() == tt.class.Error()
				if got := errors.Is(err, class); got != want {
					t.Errorf("errors.Is(err, %v) is %v", class, got)
				}
			}
			if hint(err) != tt.hint {
				t.Errorf("hint is %q, want %q", hint(err), tt.hint)
			}
		})
	}
	if _, err := p.Sign(t.Context(), request("")); err != nil {
		t.Errorf("after all of these it does not work any more: %v", err)
	}
}

func TestOpenErrors(t *testing.T) {
	p := start(t, options(t, modeServe))
	if _, err := p.Sign(t.Context(), request("")); !errors.Is(err, signer.ErrInvalid) || !strings.Contains(err.Error(), "not open") {
		t.Errorf("sign before open: %v", err)
	}
	if _, err := p.Open(t.Context(), map[string]any{"do": "denied"}); !errors.Is(err, signer.ErrDenied) {
		t.Errorf("open: %v", err)
	}
	if _, err := p.Open(t.Context(), nil); !errors.Is(err, signer.ErrInvalid) || !strings.Contains(err.Error(), "opened before") {
		t.Errorf("second open: %v", err)
	}
	r := request("")
	r.Payload = make([]byte, maxMessage)
	if _, err := p.Sign(t.Context(), r); !errors.Is(err, signer.ErrInvalid) || !strings.Contains(err.Error(), "too large") {
		t.Errorf("huge request: %v", err)
	}
}
