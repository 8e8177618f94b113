package rpc

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/artifactctl/artifactctl/plugins/signer"
)

func TestStartFailures(t *testing.T) {
	tests := []struct {
		mode, want, hint string
		timeout          time.Duration
	}{
		{mode: modeServe2, want: "speaks version 2 of the signer protocol, this artifactctl speaks 1", hint: "update artifactctl;"},
		{mode: modeNetRPC, want: `speaks "netrpc", only grpc is supported`, hint: "is it a signer plugin"},
		{mode: modeRubbish, want: `printed "Hello, I am not a plugin" instead of a handshake`, hint: "must print nothing"},
		{mode: modeFlood, want: `printed "floodflood`, hint: "must print nothing"},
		{mode: modeOldCore, want: "was built for version 7 of go-plugin's protocol", hint: "is it a signer plugin"},
		{mode: modeExit, want: "the plugin exited (exit status 3): cannot start: bad token ***", hint: "debug logging"},
		{mode: modeBadSocket, want: "connect to plugin", hint: "debug logging"},
		{mode: modeSilent, want: "does not serve after 50ms", hint: "is it a signer plugin", timeout: 50 * time.Millisecond},
	}
	for _, tt := range tests {
		t.Run(tt.mode, func(t *testing.T) {
			o := options(t, tt.mode, "TEST_TOKEN=t0ps3cret")
			o.StartTimeout = tt.timeout
			wantStartFailure(t, o, tt.want, tt.hint)
		})
	}
}

// wantStartFailure also proves that nothing is left of the plugin.
func wantStartFailure(t *testing.T, o StartOptions, want, wantHint string) {
	t.Helper()
	lock := filepath.Join(t.TempDir(), "lock")
	temporary := shortDir(t)
	t.Setenv("TMPDIR", temporary)
	o.Env = append(o.Env, "TEST_LOCK="+lock)
	p, err := Start(t.Context(), o)
	if err == nil {
		_ = p.Close()
		t.Fatal("it started")
	}
	if !strings.HasPrefix(err.Error(), "signer test: ") || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "t0ps3cret") || strings.Contains(err.Error(), "rpc error") {
		t.Errorf("got  %v\nwant %s", err, want)
	}
	if !strings.Contains(hint(err), wantHint) {
		t.Errorf("hint is %q, want %q", hint(err), wantHint)
	}
	if left, err := os.ReadDir(temporary); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
	var children syscall.WaitStatus
	if pid, err := syscall.Wait4(-1, &children, syscall.WNOHANG, nil); !errors.Is(err, syscall.ECHILD) {
		t.Errorf("a child is left: pid %d, %v", pid, err)
	}
}

// shortDir is a temporary directory whose name is short enough for sockets; t.TempDir's is not.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "t-") //nolint:usetesting // see above
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func TestStartCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(20*time.Millisecond, cancel)
	if _, err := Start(ctx, options(t, modeSilent)); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled while it starts: %v", err)
	}
	if _, err := Start(ctx, options(t, modeServe)); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled before: %v", err)
	}
}

func TestPin(t *testing.T) {
	o := options(t, modeServe)
	sum, err := checksum(o.Path)
	if err != nil {
		t.Fatal(err)
	}
	for _, pin := range []string{sum, "sha256:" + strings.ToUpper(sum)} {
		o.SHA256 = pin
		p := start(t, o)
		if p.SHA256 != sum || p.Path == "" {
			t.Errorf("process is %s with %s", p.Path, p.SHA256)
		}
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	}
	wrong := strings.Repeat("0", 64)
	o.SHA256 = wrong
	wantStartFailure(t, o, fmt.Sprintf("plugin %s has sha256 %s, but %s is pinned; it was not started", resolved(t, o.Path), sum, wrong), "put the new sha256")
	for _, pin := range []string{"abc", wrong + "00", "not hex"} {
		o.SHA256 = pin
		wantStartFailure(t, o, "is not a sha256 of 64 hex digits", sum)
	}
}

func TestUnusableFiles(t *testing.T) {
	dir := t.TempDir()
	file := func(name, content string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	open := filepath.Join(dir, "open")
	if err := os.Mkdir(open, 0o700); err != nil {
		t.Fatal(err)
	}
	replaceable := file("open/signer-x", "#!/bin/sh\n", 0o755)
	if err := os.Chmod(open, 0o777); err != nil { //nolint:gosec // the point of the test
		t.Fatal(err)
	}
	if err := os.Symlink("signer-nothing", filepath.Join(dir, "dangling")); err != nil {
		t.Fatal(err)
	}
	tests := []struct{ name, path, want, hint string }{
		{"missing", filepath.Join(dir, "signer-missing"), "does not exist", "artifactctl plugins"},
		{"dangling link", filepath.Join(dir, "dangling"), "does not exist", "artifactctl plugins"},
		{"directory", dir, "is a directory", "name the executable"},
		{"device", os.DevNull, "is no regular file", "executable file"},
		{"relative", "signer-file", "is not absolute", "never looked for in the working directory"},
		{"not executable", file("plain", "x", 0o644), "is not executable", "chmod +x"},
		{"world-writable", file("writable", "#!/bin/sh\n", 0o757), "can be changed by every user", "chmod o-w"},
		{"in a world-writable directory", replaceable, "can be replaced by every user", "chmod o-w"},
		{"no program", file("text", "hello\n", 0o755), "start plugin: fork/exec", "no program for this operating system"},
		{"no interpreter", file("script", "#!/nonexistent/sh\n", 0o755), "no such file or directory", "interpreter of a script"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			wantStartFailure(t, StartOptions{Name: "test", Path: tt.path}, tt.want, tt.hint)
			_, err := Start(t.Context(), StartOptions{Name: "test", Path: tt.path})
			if !errors.Is(err, signer.ErrInvalid) {
				t.Errorf("%v is not ErrInvalid", err)
			}
		})
	}
}

func TestLongTemporaryDirectory(t *testing.T) {
	long := filepath.Join(shortDir(t), strings.Repeat("long/", 25))
	if err := os.MkdirAll(long, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("TMPDIR", long)
	p, _ := open(t, options(t, modeServe), nil)
	if _, err := p.Sign(t.Context(), request("")); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(p.dir)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("directory of the socket: %v %v", info.Mode(), err)
	}
}

func TestLog(t *testing.T) {
	for _, level := range []string{"", "off", "error", "debug"} {
		t.Run("level "+level, func(t *testing.T) {
			var log lockedBuffer
			o := options(t, modeServe, "TEST_TOKEN=t0ps3cret")
			o.Log, o.LogLevel = &log, level
			p, _ := open(t, o, nil)
			for _, what := range []string{"stderr", "stdout"} {
				if _, err := p.Sign(t.Context(), request(what)); err != nil {
					t.Fatal(err)
				}
			}
			if level == "debug" {
				eventually(t, "the line is logged", func() bool {
					return strings.Contains(log.String(), "[DEBUG] signer.test: working with ***\n")
				})
			}
			if err := p.Close(); err != nil {
				t.Error(err)
			}
			text := log.String()
			if level != "debug" && text != "" || strings.Contains(text, "t0ps3cret") || strings.Contains(text, "noise") {
				t.Errorf("log has %q", text)
			}
		})
	}
}

// hostMain is a host: it starts a plugin, has a call hang in it, says so, and waits for its death.
func hostMain() {
	self, err := os.Executable()
	if err != nil {
		panic(err)
	}
	p, err := Start(context.Background(), StartOptions{Name: "test", Path: self, Env: []string{
		modeVariable + "=" + modeServe, "TEST_LOCK=" + os.Getenv("TEST_LOCK"), closeVariable + "=" + os.Getenv(closeVariable),
	}})
	if err != nil {
		panic(err)
	}
	if _, err := p.Open(context.Background(), nil); err != nil {
		panic(err)
	}
	go func() { _, _ = p.Sign(context.Background(), request("hang")) }()
	fmt.Println(p.dir)
	select {}
}

func TestPluginDiesWithItsHost(t *testing.T) {
	lock := filepath.Join(t.TempDir(), "lock")
	o := options(t, modeHost)
	host := exec.CommandContext(t.Context(), o.Path)
	closed := filepath.Join(t.TempDir(), "closed")
	host.Env = append(os.Environ(), modeVariable+"="+modeHost, "TEST_LOCK="+lock, closeVariable+"="+closed)
	out, err := host.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := host.Start(); err != nil {
		t.Fatal(err)
	}
	dir, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	dir = strings.TrimSpace(dir)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if !locked(t, lock) {
		t.Fatal("the plugin does not hold its lock: the test proves nothing")
	}
	if err := host.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = host.Wait()
	// The lock belongs to the plugin's process and ends with it, even if nobody reaps the process.
	eventually(t, "the plugin ends", func() bool { return !locked(t, lock) })
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the plugin left the directory of its socket: %v", err)
	}
	if _, err := os.Stat(closed); err != nil {
		t.Errorf("the signer was not closed: %v", err)
	}
}

func locked(t *testing.T, path string) bool {
	t.Helper()
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err != nil && !errors.Is(err, syscall.EWOULDBLOCK) {
		t.Fatal(err)
	}
	return err != nil
}

func TestStartedByHand(t *testing.T) {
	self := options(t, modeServe).Path
	run := func(args ...string) (string, string, int) {
		var stdout, stderr strings.Builder
		cmd := exec.CommandContext(t.Context(), self, args...)
		cmd.Env = []string{modeVariable + "=" + modeServe}
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		_ = cmd.Run()
		return stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()
	}
	stdout, stderr, code := run()
	if stdout != "" || !strings.Contains(stderr, "signer-test v9.9.9 is a signer plugin of artifactctl") || code != 2 {
		t.Errorf("started by hand: %q, %q, %d", stdout, stderr, code)
	}
	stdout, stderr, code = run("--version")
	if stdout != "signer-test v9.9.9\n" || stderr != "" || code != 0 {
		t.Errorf("--version: %q, %q, %d", stdout, stderr, code)
	}
}
