package main

import (
	"context"
	"crypto"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/sigstore/sigstore/pkg/signature/kms/cliplugin"
	sigopts "github.com/sigstore/sigstore/pkg/signature/options"

	"github.com/artifactctl/artifactctl/plugins/signer"
)

const programKeys = "the program must sign ECDSA and RSA PKCS #1 v1.5 over SHA-256, and Ed25519 pure"

// programProvider serves the schemes of programs that follow sigstore's protocol for them: sigstore-kms-NAME for
// NAME://. sigstore looks for such a program on PATH. Whoever can put a file there would get the credentials of this
// signer, so that here the program must be named by its full path and pinned.
func programProvider() provider {
	return provider{
		check: (*options).checkProgram, load: loadProgram, judge: judgeProgram, ed25519: true, keys: programKeys,
		credentials: "a variable that the program needs must stand under `env` of this signer, PATH and HOME included",
		mismatch:    "does the program sign with the key that it shows?",
	}
}

func (o *options) checkProgram() error {
	name := cliplugin.PluginBinaryPrefix + o.scheme
	base := strings.TrimSuffix(filepath.Base(o.program), exeSuffix())
	switch {
	case o.program == "":
		return signer.Invalidf("write program: /path/of/"+name+" and its sha256, or a key whose scheme is built in: awskms, gcpkms, azurekms, hashivault, openbao",
			"%s:// is served by a program, and option \"program\" is missing", o.scheme)
	case !filepath.IsAbs(o.program):
		return signer.Invalidf("programs are never looked for on PATH or in the working directory", "option \"program\": %q is not an absolute path", o.program)
	case base != name:
		return signer.Invalidf("sigstore's protocol fixes the name of the file", "option \"program\": the program for %s:// is called %s, not %s", o.scheme, name, base)
	}
	sum, err := o.checkFile()
	if err != nil {
		return err
	}
	if o.sha256 == "" {
		return signer.Invalidf("if it is the right file, write sha256: "+sum, "option \"sha256\" is missing: program %s must be pinned", o.program)
	}
	return o.checkPin(sum)
}

func (o *options) checkPin(sum string) error {
	if sum != o.sha256 {
		return signer.Invalidf("if you replaced the program on purpose, write the new sha256; otherwise find out who changed the file",
			"program %s has sha256 %s, but %s is pinned; it was not started", o.program, sum, o.sha256)
	}
	return nil
}

// checkFile says why the program may not be run, if so, and otherwise what its checksum is.
func (o *options) checkFile() (sum string, err error) {
	resolved, err := filepath.EvalSymlinks(o.program)
	if err != nil {
		return "", signer.Invalidf("", "program %s: %s", o.program, pathCause(err))
	}
	info, err := os.Stat(resolved)
	switch {
	case err != nil:
		return "", signer.Invalidf("", "program %s: %s", o.program, pathCause(err))
	case !info.Mode().IsRegular():
		return "", signer.Invalidf("", "program %s is no regular file", o.program)
	case runtime.GOOS != "windows" && info.Mode().Perm()&0o111 == 0:
		return "", signer.Invalidf("chmod +x "+resolved, "program %s is not executable", o.program)
	case runtime.GOOS != "windows" && info.Mode().Perm()&0o002 != 0:
		return "", signer.Invalidf("chmod o-w "+resolved, "program %s can be changed by every user of this machine", o.program)
	}
	for _, dir := range []string{filepath.Dir(resolved), filepath.Dir(o.program)} {
		info, err := os.Stat(dir)
		if err == nil && runtime.GOOS != "windows" && info.Mode().Perm()&0o002 != 0 && info.Mode()&fs.ModeSticky == 0 {
			return "", signer.Invalidf("chmod o-w "+dir, "program %s can be replaced by every user of this machine", o.program)
		}
	}
	return checksum(resolved)
}

func checksum(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", signer.Invalidf("", "program %s: %s", path, pathCause(err))
	}
	defer func() { _ = file.Close() }()
	hash := sha256.New()
	if _, err := io.Copy(hash, file); err != nil {
		return "", signer.Invalidf("", "program %s: %s", path, pathCause(err))
	}
	return hex.EncodeToString(hash.Sum(nil)), nil
}

// loadProgram makes the directory of the program the first of PATH, in this process and so in the program's: sigstore's
// driver knows no other way to be told a path.
func loadProgram(ctx context.Context, o options, hash crypto.Hash) (service, error) {
	dirs := filepath.Dir(o.program)
	if old := os.Getenv("PATH"); old != "" && old != dirs && !strings.HasPrefix(old, dirs+string(filepath.ListSeparator)) {
		dirs += string(filepath.ListSeparator) + old
	} else if old != "" {
		dirs = old
	}
	if err := os.Setenv("PATH", dirs); err != nil {
		return nil, err
	}
	if found, err := exec.LookPath(cliplugin.PluginBinaryPrefix + o.scheme); err != nil || strings.TrimSuffix(found, exeSuffix()) != strings.TrimSuffix(filepath.Clean(o.program), exeSuffix()) {
		return nil, &changedError{signer.Invalidf("", "program %s cannot be found by its directory; move it", o.program)}
	}
	var opts []signature.RPCOption
	if o.version != "" {
		opts = append(opts, sigopts.WithKeyVersion(o.version))
	}
	driver, err := cliplugin.LoadSignerVerifier(ctx, o.key, hash, opts...)
	if err != nil {
		return nil, err
	}
	return &pinned{service: driver, options: o}, nil
}

// pinned compares the program with its pin each time it is about to be run.
type pinned struct {
	service
	options options
}

func (p *pinned) check() error {
	sum, err := p.options.checkFile()
	if err == nil {
		err = p.options.checkPin(sum)
	}
	if err != nil {
		return &changedError{err}
	}
	return nil
}

// PublicKey is that of service.
func (p *pinned) PublicKey(opts ...signature.PublicKeyOption) (crypto.PublicKey, error) {
	if err := p.check(); err != nil {
		return nil, err
	}
	return p.service.PublicKey(opts...)
}

// SignMessage is that of service.
func (p *pinned) SignMessage(message io.Reader, opts ...signature.SignOption) ([]byte, error) {
	if err := p.check(); err != nil {
		return nil, err
	}
	return p.service.SignMessage(message, opts...)
}

// changedError is a program that may not be run any more.
type changedError struct{ err error }

func (e *changedError) Error() string {
	return strings.TrimPrefix(e.err.Error(), signer.ErrInvalid.Error()+": ")
}

// judgeProgram cannot go by codes: the protocol has none. What the program itself reports is reported as it stands.
func judgeProgram(err error) failure {
	var changed *changedError
	switch {
	case errors.As(err, &changed):
		return failure{class: signer.ErrInvalid, text: changed.Error()}
	case errors.Is(err, cliplugin.ErrorPluginReturnError):
		return failure{text: "the program says: " + firstLine(strings.TrimPrefix(err.Error(), cliplugin.ErrorPluginReturnError.Error()+": "))}
	case errors.Is(err, cliplugin.ErrorResponseParse):
		return failure{class: signer.ErrInvalid, text: "the program's answer is not of sigstore's protocol v1", hint: "what it writes to standard error is shown with debug logging"}
	case errors.Is(err, cliplugin.ErrorExecutingPlugin):
		return failure{class: signer.ErrInvalid, text: "the program did not run to its end", hint: "what it writes to standard error is shown with debug logging"}
	}
	return failure{text: firstLine(cause(err).Error())}
}

// parsePin reads a checksum, or one of several by platform, as the pins of plugins in publish.yaml.
func parsePin(value any) (string, error) {
	const form = "write sha256: HEX, or sha256: {linux/amd64: HEX, darwin/arm64: HEX}"
	if all, ok := value.(map[string]any); ok {
		platform := runtime.GOOS + "/" + runtime.GOARCH
		if value, ok = all[platform]; !ok {
			return "", signer.Invalidf(form, "option \"sha256\" has no pin for %s", platform)
		}
	}
	pin := strings.ToLower(strings.TrimPrefix(strings.TrimSpace(fmt.Sprint(value)), "sha256:"))
	if raw, err := hex.DecodeString(pin); err != nil || len(raw) != sha256.Size {
		return "", signer.Invalidf(form, "option \"sha256\" is not 64 hex digits")
	}
	return pin, nil
}

func exeSuffix() string {
	if runtime.GOOS == "windows" {
		return ".exe"
	}
	return ""
}

// pathCause is err without the path that the message has already.
func pathCause(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}
