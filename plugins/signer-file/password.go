package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"

	"golang.org/x/term"

	"github.com/artifactctl/artifactctl/plugins/signer"
)

var errNoTerminal = errors.New("there is no terminal to ask at")

// password of the key: from where the option says, else from COSIGN_PASSWORD, else from whoever sits at the terminal.
func (s *fileSigner) password(ctx context.Context, o options) ([]byte, error) {
	if o.password != nil {
		text, _, err := o.password.read()
		if err != nil {
			return nil, fmt.Errorf("password: %w", err)
		}
		if o.password.env == "" {
			text = bytes.TrimSuffix(bytes.TrimSuffix(text, []byte("\n")), []byte("\r"))
		}
		return text, nil
	}
	if text, ok := os.LookupEnv(defaultPassword); ok {
		return []byte(text), nil // empty is a password, too
	}
	text, err := s.ask(ctx, fmt.Sprintf("Password for key %s: ", o.key))
	if errors.Is(err, errNoTerminal) {
		return nil, signer.WithHint(fmt.Errorf("%w: the key is encrypted and no password is given", signer.ErrDenied),
			"set "+defaultPassword+" and list it under `env` of this signer in publish.yaml, or write with: {password: file://PATH}")
	}
	return text, err
}

// askTerminal asks at the terminal that controls this process, if there is one. Standard input is never read: it belongs
// to the host.
func askTerminal(ctx context.Context, prompt string) ([]byte, error) {
	tty, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	if err != nil {
		return nil, errNoTerminal
	}
	return askAt(ctx, tty, prompt)
}

// askAt takes tty over and closes it.
func askAt(ctx context.Context, tty *os.File, prompt string) ([]byte, error) {
	fd := int(tty.Fd())
	before, err := term.GetState(fd)
	if err != nil {
		_ = tty.Close()
		return nil, errNoTerminal
	}
	if _, err := fmt.Fprint(tty, prompt); err != nil {
		_ = tty.Close()
		return nil, errNoTerminal
	}
	type result struct {
		text []byte
		err  error
	}
	read := make(chan result, 1)
	go func() {
		text, err := term.ReadPassword(fd)
		read <- result{text, err}
	}()
	select {
	case r := <-read:
		_, _ = fmt.Fprintln(tty)
		_ = tty.Close()
		if r.err != nil {
			return nil, fmt.Errorf("%w: no password was entered", signer.ErrDenied)
		}
		return r.text, nil
	case <-ctx.Done():
		// The reader stays behind, with the open terminal, until the host ends this process; only the echo is put back.
		_ = term.Restore(fd, before)
		_, _ = fmt.Fprintln(tty)
		return nil, ctx.Err()
	}
}
