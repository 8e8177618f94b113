package main

import (
	"context"
	"crypto"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	azruntime "github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/sigstore/sigstore/pkg/signature/kms/azure"

	"github.com/artifactctl/artifactctl/plugins/signer"
)

const (
	azureKeys        = "make a key of type EC with curve P-256, or of type RSA with 2048 bits; with others sigstore's driver signs over SHA-384 or SHA-512"
	azurePermissions = "the identity needs the role Key Vault Crypto User on this key, or an access policy with get and sign for keys; a firewall of the vault must let this machine in"
	azureCredentials = "list under `env` of this signer what gives the credentials: AZURE_TENANT_ID and AZURE_CLIENT_ID with AZURE_FEDERATED_TOKEN_FILE or AZURE_CLIENT_SECRET; or HOME and PATH, after az login; on a machine of Azure nothing"
)

// azureVersion is a version of a key, as it ends a URI.
var azureVersion = regexp.MustCompile(`^azurekms://[^/]+/[^/]+/[a-z0-9]+$`)

func azureProvider() provider {
	return provider{
		check: checkAzure, load: loadAzure, judge: judgeAzure, keys: azureKeys, credentials: azureCredentials,
		mismatch: "was the key rotated just now? name the version: azurekms://NAME.vault.azure.net/KEY/VERSION",
	}
}

func checkAzure(o *options) error {
	o.key = strings.TrimSuffix(o.key, "/")
	switch {
	case azureVersion.MatchString(o.key) && o.version != "":
		return signer.Invalidf("remove keyVersion", "the version is given twice: in the key and by keyVersion")
	case o.version != "":
		o.key, o.version = o.key+"/"+o.version, ""
	}
	host, path, _ := strings.Cut(strings.TrimPrefix(o.key, "azurekms://"), "/")
	if azure.ValidReference(o.key) == nil && strings.ContainsAny(host, ".:") {
		return nil
	}
	hint := "write key: azurekms://NAME.vault.azure.net/KEY/VERSION"
	if rest, ok := strings.CutPrefix(path, "keys/"); ok {
		hint = "write key: azurekms://" + host + "/" + rest
	} else if azure.ValidReference(o.key) == nil {
		hint = "name the vault by its host: azurekms://" + host + ".vault.azure.net/" + path
	}
	return signer.Invalidf(hint, "option \"key\": %q names no key of Azure Key Vault", o.key)
}

func loadAzure(ctx context.Context, o options, _ crypto.Hash) (service, error) {
	driver, err := azure.LoadSignerVerifier(ctx, o.key)
	if err != nil {
		return nil, &credentialsError{err}
	}
	return driver, nil
}

func judgeAzure(err error) failure {
	var (
		answer  *azcore.ResponseError
		refused *azidentity.AuthenticationFailedError
		noLogin *credentialsError
	)
	switch {
	case errors.As(err, &answer):
		return judgeAzureAnswer(answer)
	case errors.As(err, &refused):
		return judgeEntra(refused)
	case errors.As(err, &noLogin):
		return failure{class: signer.ErrDenied, text: firstLine(noLogin.Error()), hint: azureCredentials}
	case strings.Contains(err.Error(), "failed to acquire a token"):
		return failure{class: signer.ErrDenied, text: "no credentials were found", hint: azureCredentials}
	case strings.Contains(err.Error(), "WWW-Authenticate"), strings.Contains(err.Error(), "challenge resource"):
		return failure{class: signer.ErrInvalid, text: "the server is not a vault of Azure", hint: "write key: azurekms://NAME.vault.azure.net/KEY/VERSION"}
	case strings.Contains(err.Error(), "unsupported public key type"), strings.Contains(err.Error(), "unsupported key size"),
		strings.Contains(err.Error(), "decoding the jsonWebKey"):
		return failure{class: signer.ErrInvalid, text: "sigstore's driver cannot sign with a key of this kind", hint: azureKeys}
	}
	return judgeRest(err)
}

func judgeAzureAnswer(answer *azcore.ResponseError) failure {
	f := failure{class: judgeStatus(answer.StatusCode), text: strings.TrimSpace(fmt.Sprintf("HTTP status %d %s", answer.StatusCode, answer.ErrorCode))}
	var body struct {
		Error struct {
			Message string `json:"message"`
		} `json:"error"`
	}
	if readJSON(answer.RawResponse, &body) && body.Error.Message != "" {
		f.text += ": " + firstLine(body.Error.Message)
	}
	switch answer.StatusCode {
	case http.StatusUnauthorized:
		f.hint = azureCredentials
	case http.StatusForbidden:
		f.hint = azurePermissions
	case http.StatusNotFound:
		f.hint = "are the names of vault and key right, and the version?"
	case http.StatusBadRequest:
		f.hint = azureKeys
	}
	return f
}

// judgeEntra is for refusals of Microsoft Entra ID, which gives the tokens. Of its answers only the description is
// shown, which begins with a code that can be looked up.
func judgeEntra(refused *azidentity.AuthenticationFailedError) failure {
	f := failure{class: signer.ErrDenied, text: "Microsoft Entra ID gave no token", hint: azureCredentials}
	if refused.RawResponse == nil {
		if network, ok := judgeNetwork(refused); ok {
			return network
		}
		return f
	}
	if class := judgeStatus(refused.RawResponse.StatusCode); errors.Is(class, signer.ErrUnavailable) {
		f.class, f.hint = class, ""
	}
	var body struct {
		Description string `json:"error_description"`
	}
	if readJSON(refused.RawResponse, &body) && body.Description != "" {
		f.text += ": " + firstLine(body.Description)
	}
	return f
}

func readJSON(response *http.Response, into any) bool {
	if response == nil {
		return false
	}
	body, err := azruntime.Payload(response)
	return err == nil && json.Unmarshal(body, into) == nil
}
