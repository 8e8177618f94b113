package main

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/spiffe/go-spiffe/v2/proto/spiffe/workload"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/artifactctl/artifactctl/plugins/signer"
)

// workloads is a workload API that knows one workload, or none.
type workloads struct {
	workload.UnimplementedSpiffeWorkloadAPIServer
	issuer *people
	known  bool
}

func (w *workloads) FetchJWTSVID(_ context.Context, r *workload.JWTSVIDRequest) (*workload.JWTSVIDResponse, error) {
	if !w.known {
		return nil, status.Error(codes.PermissionDenied, "no identity issued")
	}
	token, err := w.issuer.sign(map[string]any{"sub": "spiffe://example.org/ci", "aud": r.Audience, "exp": time.Now().Add(time.Hour).Unix()})
	return &workload.JWTSVIDResponse{Svids: []*workload.JWTSVID{{SpiffeId: "spiffe://example.org/ci", Svid: token}}}, err
}

func TestSPIFFE(t *testing.T) {
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	api := &workloads{issuer: newPeople(t), known: true}
	server := grpc.NewServer()
	workload.RegisterSpiffeWorkloadAPIServer(server, api)
	go func() { _ = server.Serve(listener) }() // it ends with Stop
	t.Cleanup(server.Stop)
	clean(t)
	t.Setenv(spiffeSocket, "tcp://"+listener.Addr().String())
	source, err := findToken(nowhere(t), withAudience(options{}), newNetwork())
	if err != nil {
		t.Fatal(err)
	}
	got, err := source.fetch(t.Context(), time.Now(), defaultAudience)
	if err != nil || got.subject != "spiffe://example.org/ci" {
		t.Errorf("got %q, %v", got.subject, err)
	}
	api.known = false
	if _, err := source.fetch(t.Context(), time.Now(), defaultAudience); !errors.Is(err, signer.ErrDenied) || !strings.Contains(said(err), "register the workload") {
		t.Errorf("a workload that is not known: %v", err)
	}
	server.Stop()
	if _, err := source.fetch(t.Context(), time.Now(), defaultAudience); !errors.Is(err, signer.ErrUnavailable) {
		t.Errorf("no workload API: %v", err)
	}
}
