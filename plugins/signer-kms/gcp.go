package main

import (
	"context"
	"crypto"
	"errors"
	"regexp"
	"strings"

	"github.com/sigstore/sigstore/pkg/signature/kms/gcp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/artifactctl/artifactctl/plugins/signer"
)

const (
	gcpKeys        = "make a key of purpose asymmetric-signing with the algorithm ec-sign-p256-sha256, or rsa-sign-pkcs1-2048-sha256, -3072-sha256 or -4096-sha256"
	gcpPermissions = "the identity needs roles/cloudkms.signer, roles/cloudkms.publicKeyViewer and roles/cloudkms.viewer on this key"
	gcpCredentials = "list GOOGLE_APPLICATION_CREDENTIALS under `env` of this signer; it names the file of a service account or of a workload identity federation. Or HOME, after gcloud auth application-default login; on a machine of Google Cloud nothing"
)

// gcpVersion is a version of a key, as it ends a URI.
var gcpVersion = regexp.MustCompile(`/(cryptoKeyVersions|versions)/[^/]+$`)

func gcpProvider() provider {
	return provider{
		check: checkGCP, load: loadGCP, judge: judgeGCP, keys: gcpKeys, credentials: gcpCredentials,
		mismatch: "was a version added or disabled just now? name one: …/cryptoKeyVersions/1",
	}
}

func checkGCP(o *options) error {
	const form = "write key: gcpkms://projects/P/locations/L/keyRings/R/cryptoKeys/K/cryptoKeyVersions/V"
	has := gcpVersion.MatchString(o.key)
	switch {
	case has && o.version != "":
		return signer.Invalidf("remove keyVersion", "the version is given twice: in the key and by keyVersion")
	case o.version != "":
		o.key, o.version = o.key+"/cryptoKeyVersions/"+o.version, ""
	}
	if gcp.ValidReference(o.key) != nil {
		return signer.Invalidf(form, "option \"key\": %q names no key of Google Cloud KMS", o.key)
	}
	return nil
}

func loadGCP(ctx context.Context, o options, _ crypto.Hash) (service, error) {
	driver, err := gcp.LoadSignerVerifier(ctx, o.key)
	if err != nil {
		return nil, &credentialsError{err}
	}
	return driver, nil
}

// credentialsError is what went wrong before the service was asked at all: the client could not be set up.
type credentialsError struct{ err error }

func (e *credentialsError) Error() string { return e.err.Error() }
func (e *credentialsError) Unwrap() error { return e.err }

func judgeGCP(err error) failure {
	var (
		answer  interface{ GRPCStatus() *status.Status }
		noLogin *credentialsError
	)
	switch {
	case errors.As(err, &noLogin):
		return failure{class: signer.ErrDenied, text: "no usable credentials were found: " + firstLine(cause(noLogin.err).Error()), hint: gcpCredentials}
	case errors.As(err, &answer):
		return judgeGRPC(answer.GRPCStatus())
	case strings.Contains(err.Error(), "unknown algorithm"), strings.Contains(err.Error(), "cannot be used to sign"):
		return failure{class: signer.ErrInvalid, text: "sigstore's driver cannot sign with a key of this kind", hint: gcpKeys}
	case strings.Contains(err.Error(), "unable to find an enabled key version"):
		return failure{class: signer.ErrInvalid, text: "the key has no version that is enabled", hint: "enable one, or make one"}
	case strings.Contains(err.Error(), "corrupted in-transit"):
		return failure{class: signer.ErrUnavailable, text: "the request or the answer was damaged on its way"}
	}
	return judgeRest(err)
}

func judgeGRPC(s *status.Status) failure {
	f := failure{text: s.Code().String() + ": " + firstLine(s.Message())}
	switch s.Code() {
	case codes.PermissionDenied:
		f.class, f.hint = signer.ErrDenied, gcpPermissions
	case codes.Unauthenticated:
		f.class, f.hint = signer.ErrDenied, gcpCredentials
	case codes.Unavailable, codes.ResourceExhausted, codes.DeadlineExceeded, codes.Aborted, codes.Internal:
		f.class = signer.ErrUnavailable
		if strings.Contains(s.Message(), "x509:") || strings.Contains(s.Message(), "tls:") {
			f.class, f.hint = signer.ErrInvalid, caHint
		}
	case codes.NotFound:
		f.class, f.hint = signer.ErrInvalid, "are the names of project, location, key ring, key and version right?"
	case codes.FailedPrecondition:
		f.class, f.hint = signer.ErrInvalid, "the version must be enabled, and the API cloudkms.googleapis.com too"
	case codes.InvalidArgument, codes.OutOfRange, codes.Unimplemented:
		f.class, f.hint = signer.ErrInvalid, gcpKeys
	}
	return f
}
