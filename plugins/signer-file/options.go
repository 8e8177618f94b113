package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/artifactctl/artifactctl/plugins/signer"
	"github.com/artifactctl/artifactctl/plugins/signer/cosignkey"
)

// defaultPassword is the variable that cosign reads, too.
const defaultPassword = "COSIGN_PASSWORD"

// options is the with: block.
type options struct {
	key      reference
	password *reference // nil: the default variable, or a terminal
}

// reference says where a secret is. It is no secret itself, and is what messages show.
type reference struct {
	env  string
	path string
}

func (r reference) String() string {
	if r.env != "" {
		return "env://" + r.env
	}
	return r.path
}

func parseOptions(with map[string]any) (options, error) {
	var o options
	if err := signer.CheckOptions(with, "key", "password"); err != nil {
		return o, err
	}
	for name, value := range with {
		text, ok := value.(string)
		if !ok || text == "" {
			return o, signer.Invalidf("", "option %q must be a text that is not empty", name)
		}
		if strings.Contains(text, "-----BEGIN") {
			return o, signer.Invalidf("keep the key in a file or a variable: key: env://COSIGN_KEY", "option %q holds the key itself; publish.yaml must hold no secrets", name)
		}
		ref := parseReference(text)
		if name == "key" {
			o.key = ref
			continue
		}
		if ref.env == "" && !strings.HasPrefix(text, "file://") {
			return o, signer.Invalidf("write password: env://NAME or password: file://PATH", "option \"password\" is no reference; publish.yaml must hold no secrets")
		}
		o.password = &ref
	}
	if o.key == (reference{}) {
		return o, signer.Invalidf("write with: {key: env://COSIGN_KEY} or with: {key: cosign.key}", "option \"key\" is missing")
	}
	return o, nil
}

func parseReference(text string) reference {
	if name, ok := strings.CutPrefix(text, "env://"); ok {
		return reference{env: name}
	}
	return reference{path: strings.TrimPrefix(text, "file://")}
}

// read gives the content that r names, and warnings about the place where it lies.
func (r reference) read() ([]byte, []string, error) {
	if r.env != "" {
		value, ok := os.LookupEnv(r.env)
		if !ok {
			return nil, nil, signer.Invalidf(fmt.Sprintf("set %s, and list it under `env` of this signer in publish.yaml: a plugin sees no other variables", r.env), "variable %s is not set", r.env)
		}
		return []byte(value), nil, nil
	}
	info, err := os.Stat(r.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil, signer.Invalidf("paths relate to the directory of publish.yaml", "file %s does not exist", r.path)
	case err != nil:
		return nil, nil, signer.WithHint(fmt.Errorf("%w: read %s: %w", signer.ErrInvalid, r.path, cause(err)), "check the permissions of the file and its directories")
	case !info.Mode().IsRegular():
		return nil, nil, signer.Invalidf("name the file itself", "%s is no regular file", r.path)
	case info.Size() > cosignkey.MaxSize:
		return nil, nil, signer.Invalidf("is it the right file?", "file %s is too large (%d bytes)", r.path, info.Size())
	}
	text, err := os.ReadFile(r.path)
	if err != nil {
		return nil, nil, signer.WithHint(fmt.Errorf("%w: read %s: %w", signer.ErrInvalid, r.path, cause(err)), "check the permissions of the file and its directories")
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 && runtime.GOOS != "windows" {
		return text, []string{fmt.Sprintf("other users may read or change the file (mode %04o); chmod 600 %s", mode, filepath.Base(r.path))}, nil
	}
	return text, nil, nil
}

// cause is err without the path that the message has already.
func cause(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}

func version() string {
	if build, ok := debug.ReadBuildInfo(); ok && build.Main.Version != "" {
		return build.Main.Version
	}
	return "(devel)"
}
