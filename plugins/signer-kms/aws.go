package main

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"github.com/sigstore/sigstore/pkg/signature/kms/aws"

	"github.com/artifactctl/artifactctl/plugins/signer"
)

const (
	awsKeys        = "make a key for SIGN_VERIFY with the spec ECC_NIST_P256, or RSA_2048, RSA_3072 or RSA_4096; AWS signs with larger curves over SHA-384 and SHA-512 only"
	awsPermissions = "the identity needs kms:GetPublicKey, kms:DescribeKey and kms:Sign on this key"
	awsCredentials = "list under `env` of this signer what gives the credentials: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN; or AWS_WEB_IDENTITY_TOKEN_FILE and AWS_ROLE_ARN; or HOME and AWS_PROFILE; on a machine of AWS nothing"
	awsRegion      = "write the key as an ARN, which names its region, or set AWS_REGION and list it under `env` of this signer"
)

// arnRegion finds the region in the URI of a key that is named by its ARN.
var arnRegion = regexp.MustCompile(`^awskms://[^/]*/arn:[a-z-]+:kms:([a-z0-9-]+):`)

func awsProvider() provider {
	return provider{
		check: checkAWS, load: loadAWS, judge: judgeAWS, keys: awsKeys, credentials: awsCredentials,
		mismatch: "does the alias name one key only?",
	}
}

func checkAWS(o *options) error {
	if o.version != "" {
		return signer.Invalidf("remove keyVersion; an alias can name another key later", "keys for signing have no versions in AWS KMS")
	}
	// The driver would take the first part of such an ARN for an endpoint.
	misplaced := strings.HasPrefix(o.key, "awskms://arn:")
	if aws.ValidReference(o.key) != nil || misplaced {
		hint := "write key: awskms:///arn:aws:kms:REGION:ACCOUNT:key/ID, awskms:///alias/NAME or awskms:///ID; between the second and third slash may stand an endpoint of your own, HOST:PORT"
		if misplaced {
			hint = "three slashes: key: awskms:///" + strings.TrimPrefix(o.key, "awskms://")
		}
		return signer.Invalidf(hint, "option \"key\": %q names no key of AWS KMS", o.key)
	}
	return nil
}

// loadAWS makes two things certain that sigstore's driver leaves to chance. The region of an ARN counts, whatever
// AWS_REGION says. And of the algorithms that a key can sign by, of which the driver takes the first, RSASSA-PKCS1-v1_5
// with SHA-256 comes first.
func loadAWS(ctx context.Context, o options, _ crypto.Hash) (service, error) {
	opts := []func(*config.LoadOptions) error{config.WithAPIOptions([]func(*middleware.Stack) error{preferPKCS1})}
	if m := arnRegion.FindStringSubmatch(o.key); m != nil {
		opts = append(opts, config.WithRegion(m[1]))
	}
	return aws.LoadSignerVerifier(ctx, o.key, opts...)
}

func preferPKCS1(stack *middleware.Stack) error {
	return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("PreferPKCS1", func(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (middleware.InitializeOutput, middleware.Metadata, error) {
		out, metadata, err := next.HandleInitialize(ctx, in)
		if answer, ok := out.Result.(*kms.DescribeKeyOutput); ok && answer != nil && answer.KeyMetadata != nil {
			slices.SortStableFunc(answer.KeyMetadata.SigningAlgorithms, func(a, b types.SigningAlgorithmSpec) int { return rank(a) - rank(b) })
		}
		return out, metadata, err
	}), middleware.Before)
}

func rank(a types.SigningAlgorithmSpec) int {
	if a == types.SigningAlgorithmSpecRsassaPkcs1V15Sha256 {
		return 0
	}
	return 1
}

func judgeAWS(err error) failure {
	var (
		api    smithy.APIError
		answer *smithyhttp.ResponseError
		region *awssdk.MissingRegionError
	)
	if errors.As(err, &answer) && answer.HTTPStatusCode() == 0 {
		answer = nil // there was none
	}
	switch {
	case errors.As(err, &region), strings.Contains(err.Error(), "Missing Region"):
		return failure{class: signer.ErrInvalid, text: "the region of the key is not known", hint: awsRegion}
	case answer != nil && errors.Is(judgeStatus(answer.HTTPStatusCode()), signer.ErrUnavailable):
		return failure{class: signer.ErrUnavailable, text: awsText(api, err, answer.HTTPStatusCode())}
	case errors.As(err, &api) && api.ErrorCode() != "UnknownError":
		return judgeAWSCode(api)
	case strings.Contains(err.Error(), "get credentials:"):
		return failure{class: signer.ErrDenied, text: "no usable credentials were found", hint: awsCredentials}
	case answer != nil:
		return failure{class: signer.ErrInvalid, text: fmt.Sprintf("HTTP status %d, in an answer that is not one of AWS KMS", answer.HTTPStatusCode()), hint: "is the endpoint in the key right, and what HTTPS_PROXY names?"}
	}
	return judgeRest(err)
}

// awsText is the error code of an answer and the service's own words, or its status when it has none.
func awsText(api smithy.APIError, err error, status int) string {
	if errors.As(err, &api) && api.ErrorCode() != "UnknownError" {
		return strings.TrimSuffix(api.ErrorCode()+": "+firstLine(api.ErrorMessage()), ": ")
	}
	return fmt.Sprintf("HTTP status %d", status)
}

// judgeAWSCode goes by the codes of KMS and STS. The words about a signature that does not fit repeat the request with
// its session token, so they are left out.
func judgeAWSCode(api smithy.APIError) failure {
	code := api.ErrorCode()
	text := awsText(api, api, 0)
	_, throttled := retry.DefaultThrottleErrorCodes[code]
	_, passing := retry.DefaultRetryableErrorCodes[code]
	switch {
	case throttled, passing:
		return failure{class: signer.ErrUnavailable, text: text}
	case code == "InvalidSignatureException", code == "SignatureDoesNotMatch", code == "IncompleteSignature":
		return failure{class: signer.ErrDenied, text: code + ": the credentials do not fit together", hint: awsCredentials}
	case code == "AccessDeniedException", code == "AccessDenied":
		return failure{class: signer.ErrDenied, text: text, hint: awsPermissions}
	}
	switch code {
	case "UnrecognizedClientException", "InvalidClientTokenId", "ExpiredTokenException", "ExpiredToken", "RequestExpired",
		"MissingAuthenticationToken", "MissingAuthenticationTokenException", "InvalidIdentityToken", "OptInRequired":
		return failure{class: signer.ErrDenied, text: text, hint: awsCredentials}
	case "KeyUnavailableException", "DependencyTimeoutException", "KMSInternalException", "InternalFailure",
		"ServiceUnavailable", "ServiceUnavailableException", "IDPCommunicationError":
		return failure{class: signer.ErrUnavailable, text: text}
	case "NotFoundException":
		return failure{class: signer.ErrInvalid, text: text, hint: "is the key's ID or alias right, and the region and account? " + awsRegion}
	case "DisabledException", "KMSInvalidStateException":
		return failure{class: signer.ErrInvalid, text: text, hint: "the key must be enabled and not be scheduled for deletion"}
	case "InvalidKeyUsageException", "UnsupportedOperationException":
		return failure{class: signer.ErrInvalid, text: text, hint: awsKeys}
	}
	return failure{class: signer.ErrInvalid, text: text}
}

// warnings are about variables that switch protection off. They are sigstore's and Vault's own.
func warnings() (all []string) {
	for name, off := range map[string]string{"AWS_TLS_INSECURE_SKIP_VERIFY": "1", "VAULT_SKIP_VERIFY": "true"} {
		if value := os.Getenv(name); value == off || value == "1" {
			all = append(all, name+" is set: whoever is between can read the requests and make up the answers")
		}
	}
	return all
}
