package rpc

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// closeVariable tells testSigner what Close does: a path is a file to make.
const closeVariable = "TEST_CLOSE"

// Close implements io.Closer.
func (*testSigner) Close() error {
	switch path := os.Getenv(closeVariable); path {
	case "":
		return nil
	case "hang":
		select {}
	case "panic":
		panic("oh no")
	case "fail":
		return errors.New("the token lives on")
	default:
		return os.WriteFile(path, nil, 0o600)
	}
}

func TestSignerIsClosed(t *testing.T) {
	for name, end := range map[string]func(*Process) error{
		"by the host": (*Process).Close,
		"by SIGTERM":  func(p *Process) error { return syscall.Kill(p.PID(), syscall.SIGTERM) },
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "closed")
			p, _ := open(t, options(t, modeServe, closeVariable+"="+path), nil)
			if _, err := os.Stat(path); err == nil {
				t.Fatal("it was closed too early")
			}
			if err := end(p); err != nil {
				t.Fatal(err)
			}
			if !p.run.exited(t.Context(), time.Minute) {
				t.Fatal("it does not end")
			}
			if _, err := os.Stat(path); err != nil {
				t.Errorf("it was not closed: %v", err)
			}
			if status := p.run.status(); status != "exit status 0" {
				t.Errorf("it ended with %s", status)
			}
		})
	}
}

// A signer that is not closed before its first call is closed all the same; one that cannot be closed keeps nobody, and
// what went wrong stands on standard error.
func TestClosingGoesWrong(t *testing.T) {
	for what, want := range map[string]string{
		"fail":  "[WARN] close the signer: the token lives on",
		"panic": "[WARN] close the signer: panic: oh no",
		"hang":  "[WARN] close the signer: not done within 1.5s",
	} {
		t.Run(what, func(t *testing.T) {
			p := start(t, options(t, modeServe, closeVariable+"="+what))
			if err := p.Close(); err != nil {
				t.Error(err)
			}
			<-p.run.done
			// One that hangs ends by itself, too, unless the machine is so slow that the host loses its patience.
			if status := p.run.status(); status != "exit status 0" && what != "hang" {
				t.Errorf("it ended with %s", status)
			}
			if last := strings.Join(p.run.tail.last(), "\n"); !strings.Contains(last, want) {
				t.Errorf("standard error ends with %q, want %s", last, want)
			}
		})
	}
}
