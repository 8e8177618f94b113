package main

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"

	"github.com/hashicorp/vault/api"
	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/sigstore/sigstore/pkg/signature/kms/hashivault"
	sigopts "github.com/sigstore/sigstore/pkg/signature/options"

	"github.com/artifactctl/artifactctl/plugins/signer"
)

const (
	vaultKeys        = "make a key of type ecdsa-p256, or another of: ecdsa-p384, ecdsa-p521, rsa-2048, rsa-3072, rsa-4096, ed25519"
	vaultPermissions = "the token needs a policy with read on MOUNT/keys/KEY and update on MOUNT/sign/KEY/sha2-256 (for ed25519 MOUNT/sign/KEY), and must not have expired"
	vaultCredentials = "set VAULT_ADDR and VAULT_TOKEN, or HOME for ~/.vault-token, and list them under `env` of this signer"
)

var errNoAddress = errors.New("neither VAULT_ADDR nor BAO_ADDR is set")

func vaultProvider() provider {
	return provider{
		check: checkVault, load: loadVault, judge: judgeVault, ed25519: true, keys: vaultKeys, credentials: vaultCredentials,
		mismatch: "sigstore's driver knows the public key of the latest version only; signer-vault can sign with an earlier one",
	}
}

func checkVault(o *options) error {
	if hashivault.ValidReference(o.key) != nil {
		return signer.Invalidf("the URI names the key alone: hashivault://KEY; TRANSIT_SECRET_ENGINE_PATH says where the engine is mounted, and signer-vault has options for all of this",
			"option \"key\": %q names no key of a transit engine", o.key)
	}
	if o.version == "latest" {
		o.version = ""
	}
	if n, err := strconv.Atoi(o.version); o.version != "" && (err != nil || n < 1) {
		return signer.Invalidf("write keyVersion: 3, or leave it out for the latest", "option \"keyVersion\" must be a number from 1, or latest")
	}
	return nil
}

// loadVault looks for the address itself: the driver's words for a missing one cannot be told from others.
func loadVault(_ context.Context, o options, hash crypto.Hash) (service, error) {
	if os.Getenv("VAULT_ADDR") == "" && os.Getenv("BAO_ADDR") == "" {
		return nil, errNoAddress
	}
	var opts []signature.RPCOption
	if o.version != "" {
		opts = append(opts, sigopts.WithKeyVersion(o.version))
	}
	driver, err := hashivault.LoadSignerVerifier(o.key, hash, opts...)
	if err != nil {
		return nil, &credentialsError{err}
	}
	return driver, nil
}

func judgeVault(err error) failure {
	var (
		answer  *api.ResponseError
		noLogin *credentialsError
	)
	switch {
	case errors.Is(err, errNoAddress):
		return failure{class: signer.ErrInvalid, text: errNoAddress.Error(), hint: vaultCredentials}
	case errors.As(err, &answer):
		return judgeVaultAnswer(answer)
	case errors.As(err, &noLogin) && strings.Contains(err.Error(), "oken"):
		return failure{class: signer.ErrDenied, text: "no token was found", hint: vaultCredentials}
	case errors.As(err, &noLogin):
		return failure{class: signer.ErrInvalid, text: "the client cannot be set up: " + firstLine(cause(err).Error()), hint: vaultCredentials}
	case strings.Contains(err.Error(), "could not read data from transit key path"):
		return failure{class: signer.ErrInvalid, text: "there is no such key", hint: "is the name right, and TRANSIT_SECRET_ENGINE_PATH, and VAULT_NAMESPACE?"}
	case strings.Contains(err.Error(), "failed to read transit key keys"), strings.Contains(err.Error(), "could not parse"):
		return failure{class: signer.ErrInvalid, text: "the key is not for signing", hint: vaultKeys}
	}
	return judgeRest(err)
}

// judgeVaultAnswer shows Vault's own words, and not those of whatever stands between.
func judgeVaultAnswer(answer *api.ResponseError) failure {
	f := failure{class: judgeStatus(answer.StatusCode), text: fmt.Sprintf("HTTP status %d", answer.StatusCode)}
	words := strings.Join(strings.Fields(strings.Join(answer.Errors, "; ")), " ")
	if words != "" && !answer.RawError {
		f.text += ": " + firstLine(words)
	}
	switch {
	case answer.StatusCode == http.StatusPreconditionFailed:
		f.class = signer.ErrUnavailable // a replica that is behind
	case strings.Contains(words, "requested version for signing"):
		f.class, f.hint = signer.ErrInvalid, "was this version of the key retired? run again, or change keyVersion"
	case strings.Contains(words, "missing client token"), errors.Is(f.class, signer.ErrDenied):
		f.class, f.hint = signer.ErrDenied, vaultPermissions
	case answer.StatusCode == http.StatusServiceUnavailable:
		f.hint = "a sealed server must be unsealed; vault status tells"
	case errors.Is(f.class, signer.ErrInvalid):
		f.hint = "is the name right, and TRANSIT_SECRET_ENGINE_PATH, and VAULT_NAMESPACE? is VAULT_ADDR the address of Vault or OpenBao itself?"
	}
	return f
}
