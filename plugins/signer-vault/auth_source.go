package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"strings"

	"github.com/artifactctl/artifactctl/plugins/signer"
)

// Where credentials are unless an option says otherwise.
const (
	roleIDVariable      = "VAULT_ROLE_ID"
	secretIDVariable    = "VAULT_SECRET_ID" //nolint:gosec // the name of a variable
	idTokenVariable     = "VAULT_ID_TOKEN"  // so GitLab's documentation calls it, under id_tokens
	serviceAccountToken = "/var/run/secrets/kubernetes.io/serviceaccount/token"
)

// source is where a credential is. The zero value is nowhere.
type source struct {
	what    string // for messages: "secret id"
	env     string // a variable
	file    string
	literal string // for what is no secret
}

// or is s, or other if s is nowhere.
func (s source) or(other source) source {
	if s == (source{}) {
		return other
	}
	return s
}

// parseSource reads env://NAME or file://PATH. Another text may be the secret itself: it is not repeated.
func parseSource(option, what, text string, literal bool) (source, error) {
	if name, ok := strings.CutPrefix(text, "env://"); ok && name != "" && !strings.ContainsAny(name, "= ") {
		return source{what: what, env: name}, nil
	}
	if path, ok := strings.CutPrefix(text, "file://"); ok && path != "" {
		return source{what: what, file: path}, nil
	}
	if literal && !strings.Contains(text, "://") {
		return source{what: what, literal: text}, nil
	}
	return source{}, signer.Invalidf("the options hold no secrets, only where they are: env://NAME or file://PATH",
		"option %q does not say where the %s is", option, what)
}

// read returns the credential. Files are read anew each time: whoever gave it may have replaced it.
func (s source) read() (string, error) {
	switch {
	case s.literal != "":
		return s.literal, nil
	case s.env == "":
		return readSecret("the "+s.what, s.what, s.file)
	}
	value := strings.TrimSpace(os.Getenv(s.env))
	if value == "" {
		return "", signer.Invalidf(fmt.Sprintf("set %s, and list it under `env` of this signer in publish.yaml: a plugin sees no other variables", s.env),
			"variable %s, which should hold the %s, is not set", s.env, s.what)
	}
	if !printable(value) {
		return "", signer.Invalidf("the variable must hold nothing else", "variable %s does not hold a %s", s.env, s.what)
	}
	return value, nil
}

// readSecret reads a file that holds one credential and nothing else. where begins the messages.
func readSecret(where, what, path string) (string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return "", signer.WithHint(fmt.Errorf("%w: %s: %w", signer.ErrInvalid, where, err), fileHint(path, err))
	}
	value := strings.TrimSpace(string(text))
	if value == "" {
		return "", signer.Invalidf("whatever writes it must have finished before", "%s: the file is empty", where)
	}
	if !printable(value) {
		return "", signer.Invalidf("the file must hold nothing else", "%s: the file does not hold a %s", where, what)
	}
	return value, nil
}

func fileHint(path string, err error) string {
	if path == serviceAccountToken && errors.Is(err, fs.ErrNotExist) {
		return "does this run in a pod? its service account's token must be mounted (automountServiceAccountToken), or a projected one be named: jwt: file://PATH"
	}
	return "paths relate to the directory of publish.yaml"
}

// printable tells whether text is ASCII without blanks, as every token and id is: anything else would fit no header.
func printable(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' })
}

// exposed warns of a file that everybody may read. A group may: agents write their tokens so.
func exposed(where, what, path string) []string {
	info, err := os.Stat(path)
	if path == "" || err != nil || info.Mode().Perm()&0o007 == 0 || runtime.GOOS == "windows" {
		return nil
	}
	return []string{fmt.Sprintf("%s: every user may read or change the %s (mode %04o)", where, what, info.Mode().Perm())}
}
