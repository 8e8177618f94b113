// Command signer-seed is the signer of docs/plugins.md: an Ed25519 key from a variable. Copy it to begin your own.
package main

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"os"

	"github.com/artifactctl/artifactctl/plugins/signer"
	"github.com/artifactctl/artifactctl/plugins/signer/rpc"
)

type seedSigner struct{ key ed25519.PrivateKey }

func (s *seedSigner) Open(_ context.Context, with map[string]any) (signer.Info, error) {
	for option := range with {
		return signer.Info{}, fmt.Errorf("%w: unknown option %q", signer.ErrInvalid, option)
	}
	seed, err := base64.StdEncoding.DecodeString(os.Getenv("SEED"))
	if err != nil || len(seed) != ed25519.SeedSize {
		return signer.Info{}, signer.WithHint(fmt.Errorf("%w: SEED is not 32 bytes in base64", signer.ErrInvalid), "list SEED under env")
	}
	s.key = ed25519.NewKeyFromSeed(seed)
	info := signer.Info{Name: "signer-seed", Version: "v0.1.0", Algorithm: "ed25519"}
	info.Identity, _ = signer.Fingerprint(s.key.Public())
	info.PublicKey, err = signer.MarshalPublicKey(s.key.Public())
	return info, err
}

func (s *seedSigner) Sign(ctx context.Context, r signer.Request) (signer.Signature, error) {
	input, err := signer.SigningInput(r)
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return signer.Signature{}, err
	}
	return signer.KeyBundle(r, s.key.Public(), ed25519.Sign(s.key, input))
}

func main() { os.Exit(rpc.Serve(rpc.ServeOptions{Name: "signer-seed", Signer: &seedSigner{}})) }
