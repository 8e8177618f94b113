package config

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// Reference names where a secret is found, env://NAME or file://PATH, and so may be printed. It is resolved where the
// secret is used, and the secret is kept nowhere.
type Reference string

// maxSecret bounds the file of a secret.
const maxSecret = 64 << 10

var (
	envReference  = regexp.MustCompile(`^env://([A-Za-z_][A-Za-z0-9_]*)$`)
	fileReference = regexp.MustCompile(`^file://([^\x00-\x1f]+)$`)
)

// Valid reports whether r has the form of a reference.
func (r Reference) Valid() bool {
	return envReference.MatchString(string(r)) || fileReference.MatchString(string(r))
}

// String returns the reference, or a mark in place of text that is none and so might be the secret itself.
func (r Reference) String() string {
	if r == "" || r.Valid() {
		return string(r)
	}
	return "(not a reference)"
}

// GoString is String, so that no verb of fmt prints more.
func (r Reference) GoString() string { return r.String() }

// MarshalText is String, so that no encoder writes more.
func (r Reference) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// Resolve returns the secret: the variable that lookup finds, or the content of the file without one newline at its end.
// A relative path is taken from dir. The empty reference gives the empty string; an unset or empty variable, an empty
// file, or one of more than 64 KiB is an error. Errors name the reference, never the secret.
func (r Reference) Resolve(lookup func(name string) (string, bool), dir string) (string, error) {
	if r == "" {
		return "", nil
	}
	var value string
	if m := envReference.FindStringSubmatch(string(r)); m != nil {
		var ok bool
		if value, ok = lookup(m[1]); !ok {
			return "", fmt.Errorf("resolve %s: the variable is not set", r)
		}
	} else if m := fileReference.FindStringSubmatch(string(r)); m != nil {
		content, err := readSecret(m[1], dir)
		if err != nil {
			return "", fmt.Errorf("resolve %s: %w", r, err)
		}
		value = strings.TrimSuffix(strings.TrimSuffix(content, "\n"), "\r")
	} else {
		return "", errors.New("resolve a reference: it is neither env://NAME nor file://PATH")
	}
	if value == "" {
		return "", fmt.Errorf("resolve %s: it is empty", r)
	}
	return value, nil
}

func readSecret(path, dir string) (string, error) {
	if !filepath.IsAbs(path) {
		path = filepath.Join(dir, filepath.FromSlash(path))
	}
	f, err := os.Open(path)
	if err != nil {
		return "", plainReason(err)
	}
	defer func() { _ = f.Close() }() // only read
	content, err := io.ReadAll(io.LimitReader(f, maxSecret+1))
	if err != nil {
		return "", plainReason(err)
	}
	if len(content) > maxSecret {
		return "", fmt.Errorf("the file is larger than %d KiB", maxSecret>>10)
	}
	return string(content), nil
}

// plainReason drops the operation and the path that an os error repeats.
func plainReason(err error) error {
	if pathErr, ok := errors.AsType[*os.PathError](err); ok {
		return pathErr.Err
	}
	return err
}
