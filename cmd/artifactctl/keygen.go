package main

import (
	"bytes"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/artifactctl/artifactctl/plugins/signer/cosignkey"
)

func (p *program) keygenCommand() *cobra.Command {
	var prefix string
	cmd := &cobra.Command{
		Use: "keygen", Short: "Make a key pair for signer-file, in cosign's format; overwrites nothing",
		Long: `Make an ECDSA P-256 key pair: PREFIX.key, encrypted with a password, and PREFIX.pub. cosign can use both.

The password comes from $COSIGN_PASSWORD (it may be empty) or, when that is not set, from the terminal.`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			private, public := prefix+".key", prefix+".pub"
			for _, path := range []string{private, public} {
				if _, err := os.Lstat(path); err == nil {
					return usagef("choose another --output-key-prefix, or remove it yourself", "%s exists and is not overwritten", path)
				}
			}
			password, err := p.newPassword()
			if err != nil {
				return err
			}
			privatePEM, publicPEM, err := cosignkey.Generate(password)
			if err != nil {
				return err
			}
			if err := create(private, privatePEM, 0o600); err != nil {
				return err
			}
			if err := create(public, publicPEM, 0o644); err != nil {
				return err
			}
			fmt.Fprintf(p.err, "wrote %s (keep it secret) and %s (check it in, as trust.publicKey)\n", private, public)
			return nil
		},
	}
	cmd.Flags().StringVar(&prefix, "output-key-prefix", "cosign", "path of the files without .key and .pub")
	return cmd
}

// newPassword takes the password of a new key from the environment, or asks for it twice on a terminal.
func (p *program) newPassword() ([]byte, error) {
	if password, ok := p.lookup("COSIGN_PASSWORD"); ok {
		return []byte(password), nil
	}
	in, ok := p.in.(*os.File)
	if !ok || !term.IsTerminal(int(in.Fd())) {
		return nil, usagef("set COSIGN_PASSWORD; it may be empty", "there is no password for the key, and no terminal to ask for it")
	}
	first, err := ask(in, p.err, "password for the private key: ")
	if err != nil {
		return nil, err
	}
	second, err := ask(in, p.err, "the same again: ")
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(first, second) {
		return nil, usagef("", "the passwords differ; nothing was written")
	}
	return first, nil
}

func ask(in *os.File, out io.Writer, prompt string) ([]byte, error) {
	fmt.Fprint(out, prompt)
	password, err := term.ReadPassword(int(in.Fd()))
	fmt.Fprintln(out)
	if err != nil {
		return nil, fmt.Errorf("read the password: %w", err)
	}
	return password, nil
}
