package stack

import (
	"context"
	"crypto/x509"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"

	"github.com/google/certificate-transparency-go/client"
	"github.com/google/certificate-transparency-go/jsonclient"
	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"github.com/sigstore/fulcio/pkg/ca/ephemeralca"
	"github.com/sigstore/fulcio/pkg/config"
	"github.com/sigstore/fulcio/pkg/generated/protobuf"
	"github.com/sigstore/fulcio/pkg/server"
	v1 "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	"github.com/sigstore/sigstore/pkg/signature"
	"google.golang.org/grpc/metadata"
)

// fulcio is the real certificate authority with a key of its own, behind its HTTP API.
type fulcio struct {
	server   *httptest.Server
	unlogged *httptest.Server    // the same authority without a certificate log
	chain    []*x509.Certificate // issuing certificate first, root last
	requests atomic.Int64        // for certificates
}

func newFulcio(ctx context.Context, issuer string, log *certificateLog) (*fulcio, error) {
	settings, err := config.Read(fmt.Appendf(nil, "oidc-issuers:\n  %[1]s:\n    issuer-url: %[1]s\n    client-id: sigstore\n    type: email\n", issuer))
	if err != nil {
		return nil, fmt.Errorf("configure Fulcio: %w", err)
	}
	authority, err := ephemeralca.NewEphemeralCA()
	if err != nil {
		return nil, fmt.Errorf("make Fulcio's authority: %w", err)
	}
	chains, err := authority.TrustBundle(ctx)
	if err != nil {
		return nil, fmt.Errorf("ask for Fulcio's chain: %w", err)
	}
	ctlog, err := client.New(log.server.URL, log.server.Client(), jsonclient.Options{})
	if err != nil {
		return nil, fmt.Errorf("make Fulcio's client of the certificate log: %w", err)
	}
	algorithms, err := signature.NewAlgorithmRegistryConfig([]v1.PublicKeyDetails{v1.PublicKeyDetails_PKIX_ECDSA_P256_SHA_256})
	if err != nil {
		return nil, fmt.Errorf("choose Fulcio's algorithms: %w", err)
	}
	f := &fulcio{chain: chains[0]}
	if f.server, err = f.serve(ctx, server.NewGRPCCAServer(ctlog, authority, algorithms, server.NewIssuerPool(settings)), settings); err != nil {
		return nil, err
	}
	f.unlogged, err = f.serve(ctx, server.NewGRPCCAServer(nil, authority, algorithms, server.NewIssuerPool(settings)), settings)
	if err != nil {
		f.server.Close()
	}
	return f, err
}

// serve serves the HTTP API and counts requests for certificates.
func (f *fulcio) serve(ctx context.Context, api protobuf.CAServer, settings *config.FulcioConfig) (*httptest.Server, error) {
	mux := runtime.NewServeMux(runtime.WithMetadata(bearer))
	if err := protobuf.RegisterCAHandlerServer(ctx, mux, api); err != nil {
		return nil, fmt.Errorf("serve Fulcio: %w", err)
	}
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			f.requests.Add(1)
		}
		mux.ServeHTTP(w, r.WithContext(config.With(r.Context(), settings)))
	})), nil
}

// bearer hands the identity token on, as Fulcio's own HTTP server does.
func bearer(_ context.Context, r *http.Request) metadata.MD {
	if token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		return metadata.Pairs(server.MetadataOIDCTokenKey, token)
	}
	return nil
}
