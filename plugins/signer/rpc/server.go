package rpc

import (
	"context"
	"fmt"
	"os"
	"runtime/debug"
	"strings"
	"sync/atomic"

	"google.golang.org/grpc"

	"github.com/artifactctl/artifactctl/plugins/signer"
	signerpb "github.com/artifactctl/artifactctl/plugins/signer/rpc/proto"
)

// server is the plugin's end of the wire: it maps, keeps the order of calls, and outlives a panic.
type server struct {
	signerpb.UnimplementedSignerServer
	options ServeOptions
	state   atomic.Int32
}

// States of a server: Open comes exactly once, and before any Sign.
const (
	fresh int32 = iota
	opening
	opened
)

func (s *server) Open(ctx context.Context, r *signerpb.Open_Request) (*signerpb.Open_Response, error) {
	if !s.state.CompareAndSwap(fresh, opening) {
		return nil, toStatus(fmt.Errorf("%w: the signer was opened before", signer.ErrInvalid))
	}
	info, err := s.options.Signer.Open(ctx, fromValues(r.GetWith()))
	if err != nil {
		return nil, toStatus(err)
	}
	s.state.Store(opened)
	if info.Name == "" {
		info.Name = s.options.Name
	}
	if info.Version == "" {
		info.Version = s.options.Version
	}
	warnings := make([]string, len(info.Warnings))
	for i, w := range info.Warnings {
		warnings[i] = cleanLine(w)
	}
	return &signerpb.Open_Response{
		Name: cleanLine(info.Name), Version: cleanLine(info.Version), Identity: cleanLine(info.Identity),
		Algorithm: cleanLine(info.Algorithm), PublicKey: info.PublicKey, Certificate: info.Certificate, Warnings: warnings,
	}, nil
}

func (s *server) Sign(ctx context.Context, r *signerpb.Sign_Request) (*signerpb.Sign_Response, error) {
	if s.state.Load() != opened {
		return nil, toStatus(fmt.Errorf("%w: the signer is not open", signer.ErrInvalid))
	}
	sig, err := s.options.Signer.Sign(ctx, signer.Request{
		Repository: r.GetRepository(), Digests: r.GetDigests(), PayloadType: r.GetPayloadType(), Payload: r.GetPayload(),
	})
	if err != nil {
		return nil, toStatus(err)
	}
	return &signerpb.Sign_Response{MediaType: strings.ToValidUTF8(sig.MediaType, ""), Content: sig.Content}, nil
}

// recoverPanic turns a panic of one call into that call's error: another app's signature must not suffer from it.
func recoverPanic(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (resp any, err error) {
	defer func() {
		if v := recover(); v != nil {
			fmt.Fprintf(os.Stderr, "panic: %v\n%s", v, debug.Stack())
			resp, err = nil, toStatus(fmt.Errorf("the plugin has a defect: panic: %v", v))
		}
	}()
	return handler(ctx, req)
}
