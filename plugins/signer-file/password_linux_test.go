package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
	"golang.org/x/term"
)

// terminal gives both ends of a fresh pseudo-terminal.
func terminal(t *testing.T) (person, tty *os.File) {
	t.Helper()
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skip("no pseudo-terminals here:", err)
	}
	t.Cleanup(func() { _ = person.Close() })
	fd := int(person.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	tty, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skip("no pseudo-terminals here:", err)
	}
	return person, tty
}

func TestAskAtTerminal(t *testing.T) {
	person, tty := terminal(t)
	type answer struct {
		text []byte
		err  error
	}
	got := make(chan answer, 1)
	go func() {
		text, err := askAt(t.Context(), tty, "Password: ")
		got <- answer{text, err}
	}()
	seen := bufio.NewReader(person)
	if prompt, err := seen.ReadString(' '); err != nil || prompt != "Password: " {
		t.Fatalf("prompt is %q, %v", prompt, err)
	}
	if _, err := person.WriteString("s3cret\n"); err != nil {
		t.Fatal(err)
	}
	if a := <-got; a.err != nil || string(a.text) != "s3cret" {
		t.Errorf("got %q, %v", a.text, a.err)
	}
}

func TestAskIsCancelled(t *testing.T) {
	person, tty := terminal(t)
	before, err := term.GetState(int(tty.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	got := make(chan error, 1)
	go func() {
		_, err := askAt(ctx, tty, "Password: ")
		got <- err
	}()
	if _, err := bufio.NewReader(person).ReadString(' '); err != nil {
		t.Fatal(err)
	}
	for { // until it does not show what is typed
		if now, err := term.GetState(int(tty.Fd())); err != nil || *now != *before {
			break
		}
		runtime.Gosched()
	}
	cancel()
	if err := <-got; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if after, err := term.GetState(int(tty.Fd())); err != nil || *after != *before {
		t.Errorf("the terminal is not as it was: %v", err)
	}
	if _, err := person.WriteString("\n"); err != nil { // lets the reader go
		t.Fatal(err)
	}
}

func TestNoTerminal(t *testing.T) {
	file, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := askAt(t.Context(), file, "Password: "); !errors.Is(err, errNoTerminal) {
		t.Errorf("got %v", err)
	}
}
