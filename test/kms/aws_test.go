package kms_test

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/artifactctl/artifactctl/plugins/signer"
	"github.com/artifactctl/artifactctl/test/kms/cloud"
)

// awsEnv is what publish.yaml would list for a job with keys of its own.
func awsEnv(n *cloud.Internet, more ...string) []string {
	return slices.Concat(n.Env(), []string{
		"AWS_ACCESS_KEY_ID=" + cloud.AWSAccessKey, "AWS_SECRET_ACCESS_KEY=" + cloud.AWSSecret, "AWS_SESSION_TOKEN=" + cloud.AWSSession,
		"AWS_EC2_METADATA_DISABLED=true", "AWS_MAX_ATTEMPTS=1",
	}, more)
}

func newAWS(t *testing.T, kinds ...string) (*cloud.Internet, *cloud.AWS) {
	t.Helper()
	n := cloud.Start(t)
	a := cloud.NewAWS(n)
	for i, kind := range kinds {
		a.AddKey(t, i+1, kind)
	}
	return n, a
}

func awsKey(i int) map[string]any { return map[string]any{"key": "awskms:///" + cloud.AWSKeyARN(i)} }

func TestAWSConformance(t *testing.T) {
	for kind, algorithm := range map[string]string{
		cloud.P256: "ecdsa-p256-sha256", cloud.RSA2048: "rsa-pkcs1v15-2048-sha256", cloud.RSA3072: "rsa-pkcs1v15-3072-sha256", cloud.RSA4096: "rsa-pkcs1v15-4096-sha256",
	} {
		t.Run(kind, func(t *testing.T) {
			n, _ := newAWS(t, kind)
			conform(t, awsEnv(n), awsKey(1), algorithm)
			if asked := n.Asked(); !slices.Equal(asked, []string{cloud.AWSHost}) {
				t.Errorf("the plugin asked for %v", asked)
			}
		})
	}
}

// However a key is named, and wherever credentials come from, the same key signs.
func TestAWSKeysAndCredentials(t *testing.T) {
	n, a := newAWS(t, cloud.P256)
	a.Alias("fleet", 1)
	token := filepath.Join(t.TempDir(), "token")
	home := t.TempDir()
	if err := os.WriteFile(token, []byte(cloud.AWSWebToken), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(home, ".aws"), 0o700); err != nil {
		t.Fatal(err)
	}
	profile := "[fleet]\naws_access_key_id = " + cloud.AWSAccessKey + "\naws_secret_access_key = " + cloud.AWSSecret + "\nregion = " + cloud.AWSRegion + "\n"
	if err := os.WriteFile(filepath.Join(home, ".aws", "credentials"), []byte(profile), 0o600); err != nil {
		t.Fatal(err)
	}
	region := "AWS_REGION=" + cloud.AWSRegion
	tests := map[string]struct {
		key string
		env []string
	}{
		"arn, without a region":    {"awskms:///" + cloud.AWSKeyARN(1), awsEnv(n)},
		"arn, with another region": {"awskms:///" + cloud.AWSKeyARN(1), awsEnv(n, "AWS_REGION=us-west-2")},
		"id":                       {"awskms:///" + cloud.AWSKeyID(1), awsEnv(n, region)},
		"alias":                    {"awskms:///alias/fleet", awsEnv(n, region)},
		"alias by arn":             {"awskms:///arn:aws:kms:" + cloud.AWSRegion + ":" + cloud.AWSAccount + ":alias/fleet", awsEnv(n)},
		"endpoint":                 {"awskms://" + n.Address() + "/" + cloud.AWSKeyARN(1), awsEnv(n)},
		"token of a job":           {"awskms:///" + cloud.AWSKeyARN(1), append(n.Env(), region, "AWS_ROLE_ARN="+cloud.AWSRole, "AWS_WEB_IDENTITY_TOKEN_FILE="+token)},
		"profile":                  {"awskms:///alias/fleet", append(n.Env(), "HOME="+home, "AWS_PROFILE=fleet")},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			p := start(t, tt.env...)
			if _, err := p.Open(t.Context(), map[string]any{"key": tt.key}); err != nil {
				t.Fatal(err)
			}
			if _, err := p.Sign(t.Context(), request()); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestAWSOpenRefuses(t *testing.T) {
	n, a := newAWS(t, cloud.P256, cloud.P384, cloud.P521, cloud.Ed25519, cloud.RSA2048, cloud.P256, cloud.P256)
	a.SetState(5, "Enabled", "ENCRYPT_DECRYPT")
	a.SetState(6, "Disabled", "SIGN_VERIFY")
	a.SetState(7, "PendingDeletion", "SIGN_VERIFY")
	tests := map[string]struct {
		with       map[string]any
		env        []string
		class      error
		text, hint string
	}{
		"P-384":          {awsKey(2), awsEnv(n), signer.ErrInvalid, "it would sign over SHA-384 (ECDSA P-384), but Flux and cosign verify with SHA-256", "ECC_NIST_P256"},
		"P-521":          {awsKey(3), awsEnv(n), signer.ErrInvalid, "SHA-512 (ECDSA P-521)", "ECC_NIST_P256"},
		"Ed25519":        {awsKey(4), awsEnv(n), signer.ErrInvalid, "Ed25519 key, with which sigstore's driver of this service cannot sign", "ECC_NIST_P256"},
		"encryption":     {awsKey(5), awsEnv(n), signer.ErrInvalid, "the driver failed over the service's answer", "SIGN_VERIFY"},
		"disabled":       {awsKey(6), awsEnv(n), signer.ErrInvalid, "DisabledException", "must be enabled"},
		"pending":        {awsKey(7), awsEnv(n), signer.ErrInvalid, "KMSInvalidStateException", "deletion"},
		"missing":        {awsKey(9), awsEnv(n), signer.ErrInvalid, "NotFoundException: Key '", "alias right"},
		"no region":      {map[string]any{"key": "awskms:///alias/fleet"}, awsEnv(n), signer.ErrInvalid, "the region of the key is not known", "AWS_REGION"},
		"no credentials": {awsKey(1), append(n.Env(), "AWS_EC2_METADATA_DISABLED=true"), signer.ErrDenied, "no usable credentials were found", "AWS_WEB_IDENTITY_TOKEN_FILE"},
		"unknown key":    {awsKey(1), awsEnv(n, "AWS_ACCESS_KEY_ID=AKIAOTHER"), signer.ErrDenied, "UnrecognizedClientException", "AWS_ACCESS_KEY_ID"},
		"wrong scope":    {map[string]any{"key": "awskms://" + n.Address() + "/alias/fleet"}, awsEnv(n, "AWS_REGION=us-west-2"), signer.ErrDenied, "InvalidSignatureException: the credentials do not fit together", ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := start(t, tt.env...).Open(t.Context(), tt.with)
			want(t, err, tt.class, tt.text, tt.hint)
		})
	}
	for _, action := range []string{"GetPublicKey", "DescribeKey", "Sign"} {
		t.Run("denied "+action, func(t *testing.T) {
			a.Deny(action, true)
			defer a.Deny(action, false)
			_, err := start(t, awsEnv(n)...).Open(t.Context(), awsKey(1))
			want(t, err, signer.ErrDenied, "is not authorized to perform: kms:"+action, "kms:Sign")
		})
	}
}

func TestAWSFederationRefused(t *testing.T) {
	n, _ := newAWS(t, cloud.P256)
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("of another provider"), 0o600); err != nil {
		t.Fatal(err)
	}
	env := append(n.Env(), "AWS_REGION="+cloud.AWSRegion, "AWS_ROLE_ARN="+cloud.AWSRole, "AWS_WEB_IDENTITY_TOKEN_FILE="+token, "AWS_MAX_ATTEMPTS=1")
	_, err := start(t, env...).Open(t.Context(), awsKey(1))
	want(t, err, signer.ErrDenied, "InvalidIdentityToken", "AWS_ROLE_ARN")
}

// An alias that is moved in mid-run is found, and so is a key that is switched off.
func TestAWSRotation(t *testing.T) {
	n, a := newAWS(t, cloud.P256, cloud.P256)
	a.Alias("fleet", 1)
	p := start(t, awsEnv(n, "AWS_REGION="+cloud.AWSRegion)...)
	if _, err := p.Open(t.Context(), map[string]any{"key": "awskms:///alias/fleet"}); err != nil {
		t.Fatal(err)
	}
	a.Alias("fleet", 2)
	_, err := p.Sign(t.Context(), request())
	want(t, err, nil, "the signature does not verify with the key as it was at the start of the run", "alias")
	a.SetState(2, "Disabled", "SIGN_VERIFY")
	_, err = p.Sign(t.Context(), request())
	want(t, err, signer.ErrInvalid, "DisabledException", "enabled")
}

// What passes is tried again; what stays is an outage.
func TestAWSFaults(t *testing.T) {
	n, a := newAWS(t, cloud.P256)
	p := start(t, awsEnv(n)...)
	if _, err := p.Open(t.Context(), awsKey(1)); err != nil {
		t.Fatal(err)
	}
	answers := map[string]func(http.ResponseWriter){
		"throttled": func(w http.ResponseWriter) { cloud.WriteAWSError(w, 400, "ThrottlingException", "Rate exceeded") },
		"internal":  func(w http.ResponseWriter) { cloud.WriteAWSError(w, 500, "KMSInternalException", "try again") },
		"unavailable": func(w http.ResponseWriter) {
			http.Error(w, "<html>AKIA token "+cloud.AWSSession, http.StatusServiceUnavailable)
		},
		"cut": func(http.ResponseWriter) { panic(http.ErrAbortHandler) },
	}
	for name, answer := range answers {
		t.Run(name, func(t *testing.T) {
			before := a.Count("Sign")
			a.Break(func(_ context.Context, w http.ResponseWriter, _ string, n int) bool {
				if n == before+1 {
					answer(w)
				}
				return n == before+1
			})
			if _, err := p.Sign(t.Context(), request()); err != nil || a.Count("Sign") != before+2 {
				t.Errorf("after %d requests: %v", a.Count("Sign")-before, err)
			}
			a.Break(func(_ context.Context, w http.ResponseWriter, _ string, _ int) bool { answer(w); return true })
			_, err := p.Sign(t.Context(), request())
			a.Break(nil)
			want(t, err, signer.ErrUnavailable, "sign with awskms:///", "")
		})
	}
	a.Break(func(_ context.Context, w http.ResponseWriter, _ string, _ int) bool {
		http.Error(w, "<html>your header was "+cloud.AWSSession, http.StatusNotFound)
		return true
	})
	_, err := p.Sign(t.Context(), request())
	want(t, err, signer.ErrInvalid, "HTTP status 404, in an answer that is not one of AWS KMS", "HTTPS_PROXY")
}

// A service that does not answer holds nobody longer than the caller's context.
func TestAWSSlow(t *testing.T) {
	n, a := newAWS(t, cloud.P256)
	p := start(t, awsEnv(n)...)
	if _, err := p.Open(t.Context(), awsKey(1)); err != nil {
		t.Fatal(err)
	}
	arrived := make(chan struct{}, 1)
	a.Break(func(ctx context.Context, _ http.ResponseWriter, _ string, _ int) bool {
		arrived <- struct{}{}
		<-ctx.Done()
		return true
	})
	cancelled(t, p, arrived)
}

// cancelled cancels a call to Sign once it has arrived, and wants it to return then.
func cancelled(t *testing.T, p signer.Signer, arrived <-chan struct{}) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	got := make(chan error, 1)
	go func() {
		_, err := p.Sign(ctx, request())
		got <- err
	}()
	<-arrived
	cancel()
	if err := <-got; err == nil || ctx.Err() == nil {
		t.Errorf("got %v", err)
	}
}

// Off-switches of TLS are a warning.
func TestAWSWithoutTLSChecks(t *testing.T) {
	n, _ := newAWS(t, cloud.P256)
	info, err := start(t, awsEnv(n, "AWS_TLS_INSECURE_SKIP_VERIFY=0")...).Open(t.Context(), awsKey(1))
	if err != nil || len(info.Warnings) != 0 {
		t.Errorf("warnings are %q, %v", info.Warnings, err)
	}
	env := awsEnv(n, "AWS_TLS_INSECURE_SKIP_VERIFY=1", "SSL_CERT_FILE=/dev/null")
	info, err = start(t, env...).Open(t.Context(), map[string]any{"key": "awskms://" + n.Address() + "/" + cloud.AWSKeyARN(1)})
	if err != nil || len(info.Warnings) != 1 {
		t.Errorf("warnings are %q, %v", info.Warnings, err)
	}
	_, err = start(t, awsEnv(n, "SSL_CERT_FILE=/dev/null")...).Open(t.Context(), awsKey(1))
	want(t, err, signer.ErrInvalid, "certificate", "SSL_CERT_FILE")
}
