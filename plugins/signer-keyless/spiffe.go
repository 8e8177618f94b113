package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/spiffe/go-spiffe/v2/svid/jwtsvid"
	"github.com/spiffe/go-spiffe/v2/workloadapi"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/artifactctl/artifactctl/plugins/signer"
)

// spiffeSocket holds the address of the workload API (https://spiffe.io/docs/latest/spiffe-specs/spiffe_workload_endpoint).
const spiffeSocket = "SPIFFE_ENDPOINT_SOCKET"

// openSPIFFE asks the workload API for a fresh JWT-SVID each time.
func openSPIFFE(_ place, o options, _ network) (tokenSource, error) {
	address := os.Getenv(spiffeSocket)
	if strings.HasPrefix(address, "/") {
		address = "unix://" + address // cosign wants it so
	}
	if err := workloadapi.ValidateAddress(address); err != nil {
		return tokenSource{}, signer.Invalidf("write it like unix:///run/spire/agent.sock", "%s holds no address of a workload API: %v", spiffeSocket, err)
	}
	return tokenSource{where: "the SPIFFE workload API", get: func(ctx context.Context) (string, error) {
		ctx, cancel := context.WithTimeout(ctx, attemptTimeout)
		defer cancel()
		client, err := workloadapi.New(ctx, workloadapi.WithAddr(address))
		if err != nil {
			return "", fmt.Errorf("%w: %s: %w", signer.ErrInvalid, address, err)
		}
		defer func() { _ = client.Close() }()
		svid, err := client.FetchJWTSVID(ctx, jwtsvid.Params{Audience: o.audience})
		switch {
		case err == nil:
			return svid.Marshal(), nil
		case status.Code(err) == codes.PermissionDenied:
			return "", signer.WithHint(fmt.Errorf("%w: it knows no identity for this process", signer.ErrDenied), "register the workload with SPIRE")
		}
		return "", fmt.Errorf("%w: %s: %w", signer.ErrUnavailable, address, err)
	}}, nil
}
