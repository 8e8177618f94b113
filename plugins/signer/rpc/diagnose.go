package rpc

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// diagnose says why a plugin did not start, from the one line that it printed and from how it ended; go-plugin's own
// err is the last resort.
func (p *Process) diagnose(ctx context.Context, err error) error {
	p.run.mu.Lock()
	startErr := p.run.startErr
	p.run.mu.Unlock()
	if startErr != nil {
		return &setupError{text: fmt.Sprintf("signer %s: start plugin", p.Name), hint: execHint(startErr), err: startErr}
	}
	line := p.redact.line(p.run.handshake.String())
	if problem := p.judge(line); problem != nil {
		return problem
	}
	if p.run.exited(ctx, time.Second) {
		return p.exitError()
	}
	return &setupError{
		text: fmt.Sprintf("signer %s: connect to plugin %s: %s", p.Name, p.Path, p.words(err)),
		hint: "run again with debug logging",
	}
}

// judge reads the handshake: core version | signer protocol | network | address | transport | certificate.
func (p *Process) judge(line string) error {
	notOurs := "is it a signer plugin of artifactctl? a plugin must print nothing to standard output"
	if line == "" {
		return nil
	}
	parts := strings.Split(line, "|")
	if len(parts) < 5 {
		return &setupError{text: fmt.Sprintf("signer %s: plugin %s printed %q instead of a handshake", p.Name, p.Path, excerpt(line)), hint: notOurs}
	}
	core, err1 := strconv.Atoi(parts[0])
	version, err2 := strconv.Atoi(parts[1])
	switch {
	case err1 != nil || err2 != nil:
		return &setupError{text: fmt.Sprintf("signer %s: plugin %s printed %q instead of a handshake", p.Name, p.Path, excerpt(line)), hint: notOurs}
	case core != 1:
		return &setupError{text: fmt.Sprintf("signer %s: plugin %s was built for version %d of go-plugin's protocol, this program for 1", p.Name, p.Path, core), hint: notOurs}
	case version != ProtocolVersion:
		older := "artifactctl"
		if version < ProtocolVersion {
			older = "the plugin"
		}
		return &setupError{
			text: fmt.Sprintf("signer %s: plugin %s speaks version %d of the signer protocol, this artifactctl speaks %d", p.Name, p.Path, version, ProtocolVersion),
			hint: "update " + older + "; docs/plugins.md has the compatibility matrix",
		}
	case parts[4] != "grpc":
		return &setupError{text: fmt.Sprintf("signer %s: plugin %s speaks %q, only grpc is supported", p.Name, p.Path, excerpt(parts[4])), hint: notOurs}
	}
	return nil
}

func excerpt(s string) string {
	const most = 80
	if runes := []rune(s); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return s
}

func execHint(err error) string {
	switch {
	case errors.Is(err, syscall.ENOEXEC):
		return "the file is no program for this operating system and processor"
	case errors.Is(err, fs.ErrNotExist):
		return "the directory of publish.yaml, the interpreter of a script or the loader of a dynamic executable is missing"
	case errors.Is(err, fs.ErrPermission):
		return "the file, or the file system it is on, does not allow execution"
	}
	return "check the file with \"artifactctl plugins\""
}
