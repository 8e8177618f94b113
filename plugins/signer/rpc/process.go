package rpc

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/artifactctl/artifactctl/plugins/signer"
	signerpb "github.com/artifactctl/artifactctl/plugins/signer/rpc/proto"
)

// closePatience is how long a plugin may take to end by itself when it is closed.
const closePatience = 3 * time.Second

// Process is a started plugin. It is a signer.Signer, safe for concurrent use.
//
// Its errors name the signer. Those that the plugin returned keep class, hint and text; a call whose context ends fails
// with the context's error at once, even if the plugin hangs; a dead plugin is ErrExited.
type Process struct {
	// Name of the signer in publish.yaml.
	Name string
	// Path of the executable that runs, symbolic links resolved.
	Path string
	// SHA256 is its checksum at the start, in hex.
	SHA256 string

	client  *plugin.Client
	stub    signerpb.SignerClient
	run     *runner
	dir     string
	redact  redactor
	closing atomic.Bool
	once    sync.Once
	err     error
}

var _ signer.Signer = (*Process)(nil)

// PID is the process id of the plugin.
func (p *Process) PID() int {
	pid, _ := strconv.Atoi(p.run.ID())
	return pid
}

// Open implements signer.Signer.
func (p *Process) Open(ctx context.Context, with map[string]any) (signer.Info, error) {
	values, err := toValues(with)
	if err != nil {
		return signer.Info{}, inSigner(p.Name, err)
	}
	r, err := p.stub.Open(ctx, &signerpb.Open_Request{With: values})
	if err != nil {
		return signer.Info{}, p.callError(ctx, err)
	}
	info := signer.Info{
		Name: p.redact.line(r.GetName()), Version: p.redact.line(r.GetVersion()), Identity: p.redact.line(r.GetIdentity()),
		Algorithm: p.redact.line(r.GetAlgorithm()), PublicKey: r.GetPublicKey(), Certificate: r.GetCertificate(),
	}
	for _, w := range r.GetWarnings() {
		info.Warnings = append(info.Warnings, p.redact.line(w))
	}
	return info, nil
}

// Sign implements signer.Signer. It checks the form of the answer, not the signature.
func (p *Process) Sign(ctx context.Context, r signer.Request) (signer.Signature, error) {
	if len(r.Payload) > maxMessage/2 {
		return signer.Signature{}, fmt.Errorf("signer %s: %w: a payload of %d bytes is too large to sign", p.Name, signer.ErrInvalid, len(r.Payload))
	}
	answer, err := p.stub.Sign(ctx, &signerpb.Sign_Request{
		Repository: r.Repository, Digests: r.Digests, PayloadType: r.PayloadType, Payload: r.Payload,
	})
	if err != nil {
		return signer.Signature{}, p.callError(ctx, err)
	}
	if len(answer.GetContent()) == 0 {
		return signer.Signature{}, fmt.Errorf("signer %s: the plugin answered without a signature", p.Name)
	}
	if got := answer.GetMediaType(); got != signer.BundleMediaType {
		return signer.Signature{}, fmt.Errorf("signer %s: the plugin answered with media type %q instead of %q", p.Name, cleanLine(got), signer.BundleMediaType)
	}
	return signer.Signature{MediaType: answer.GetMediaType(), Content: answer.GetContent()}, nil
}

// callError says what became of a call: the signer's own error, the caller's context, or the end of the plugin.
func (p *Process) callError(ctx context.Context, err error) error {
	if remote := fromStatus(err); remote != nil {
		remote.text, remote.hint = p.redact.line(remote.text), p.redact.text(remote.hint)
		return inSigner(p.Name, remote)
	}
	if ctx.Err() != nil {
		return inSigner(p.Name, ctx.Err())
	}
	if p.closing.Load() {
		return inSigner(p.Name, ErrClosed)
	}
	code := status.Code(err)
	switch code {
	case codes.DeadlineExceeded: // the deadline, a moment before the context notices
		return inSigner(p.Name, context.DeadlineExceeded)
	case codes.ResourceExhausted:
		return fmt.Errorf("signer %s: a message is larger than %d MiB: %s", p.Name, maxMessage>>20, p.words(err))
	case codes.Unimplemented:
		return &setupError{
			text: fmt.Sprintf("signer %s: plugin %s does not serve the signer protocol: %s", p.Name, p.Path, p.words(err)),
			hint: "is it a signer plugin of artifactctl?",
		}
	}
	if p.run.exited(ctx, exitNotice) {
		return p.exitError()
	}
	if ctx.Err() != nil {
		return inSigner(p.Name, ctx.Err())
	}
	return fmt.Errorf("signer %s: call plugin: %s (%s)", p.Name, p.words(err), code)
}

// words are the transport's, without "rpc error: code = …".
func (p *Process) words(err error) string {
	return p.redact.line(status.Convert(err).Message())
}

func (p *Process) exitError() error {
	lines := p.run.tail.last()
	for i, line := range lines {
		lines[i] = p.redact.line(line)
	}
	return &ExitError{Signer: p.Name, Status: p.run.status(), Stderr: lines}
}

// Close ends the plugin, by force if it does not end by itself, and removes all traces of it. Calls in flight fail with
// ErrClosed or their context's error. Closing again does nothing.
func (p *Process) Close() error {
	p.once.Do(func() {
		p.closing.Store(true)
		force := time.AfterFunc(closePatience, func() { _ = p.run.kill() })
		defer force.Stop()
		p.client.Kill()
		if err := os.RemoveAll(p.dir); err != nil {
			p.err = fmt.Errorf("signer %s: remove the plugin's socket: %w", p.Name, err)
		}
	})
	return p.err
}

// inSigner names the signer in front of err.
func inSigner(name string, err error) error {
	return fmt.Errorf("signer %s: %w", name, err)
}
