package kms_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/kms/apiv1/kmspb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/artifactctl/artifactctl/plugins/signer"
	"github.com/artifactctl/artifactctl/test/kms/cloud"
)

const gcpKeyURI = "gcpkms://" + cloud.GCPKeyRing + "/cryptoKeys/"

func newGCP(t *testing.T) (*cloud.GCP, *cloud.Internet, []string) {
	t.Helper()
	n := cloud.Start(t)
	g := cloud.NewGCP(t, n)
	g.AddVersion(t, "p256", "1", cloud.P256, kmspb.CryptoKeyVersion_EC_SIGN_P256_SHA256)
	return g, n, append(n.Env(), "GOOGLE_APPLICATION_CREDENTIALS="+g.ServiceAccount(t))
}

func gcpKey(name string) map[string]any { return map[string]any{"key": gcpKeyURI + name} }

func TestGCPConformance(t *testing.T) {
	for kind, tt := range map[string]struct {
		algorithm kmspb.CryptoKeyVersion_CryptoKeyVersionAlgorithm
		want      string
	}{
		cloud.P256:    {kmspb.CryptoKeyVersion_EC_SIGN_P256_SHA256, "ecdsa-p256-sha256"},
		cloud.RSA2048: {kmspb.CryptoKeyVersion_RSA_SIGN_PKCS1_2048_SHA256, "rsa-pkcs1v15-2048-sha256"},
		cloud.RSA3072: {kmspb.CryptoKeyVersion_RSA_SIGN_PKCS1_3072_SHA256, "rsa-pkcs1v15-3072-sha256"},
		cloud.RSA4096: {kmspb.CryptoKeyVersion_RSA_SIGN_PKCS1_4096_SHA256, "rsa-pkcs1v15-4096-sha256"},
	} {
		t.Run(kind, func(t *testing.T) {
			g, n, env := newGCP(t)
			g.AddVersion(t, "artifacts", "1", kind, tt.algorithm)
			conform(t, env, gcpKey("artifacts/cryptoKeyVersions/1"), tt.want)
			if asked := n.Asked(); !slices.Equal(asked, []string{cloud.GCPHost}) {
				t.Errorf("the plugin asked for %v", asked)
			}
		})
	}
}

// However the version is named, and wherever credentials come from.
func TestGCPVersionsAndCredentials(t *testing.T) {
	g, n, env := newGCP(t)
	g.AddVersion(t, "p256", "2", cloud.P256, kmspb.CryptoKeyVersion_EC_SIGN_P256_SHA256)
	federated := append(n.Env(), "GOOGLE_APPLICATION_CREDENTIALS="+g.Federation(t))
	tests := map[string]struct {
		with map[string]any
		env  []string
	}{
		"in the key":     {gcpKey("p256/cryptoKeyVersions/1"), env},
		"in short":       {gcpKey("p256/versions/1"), env},
		"by option":      {map[string]any{"key": gcpKeyURI + "p256", "keyVersion": 1}, env},
		"latest":         {gcpKey("p256"), env},
		"token of a job": {gcpKey("p256/cryptoKeyVersions/1"), federated},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			p := start(t, tt.env...)
			info, err := p.Open(t.Context(), tt.with)
			if err != nil {
				t.Fatal(err)
			}
			version := "1"
			if name == "latest" {
				version = "2"
			}
			public, err := signer.MarshalPublicKey(cloud.Key(t, cloud.P256, cloud.GCPKeyRing+"/cryptoKeys/p256/cryptoKeyVersions/"+version).Public())
			if err != nil || string(info.PublicKey) != string(public) {
				t.Errorf("announced another key: %v", err)
			}
			if _, err := p.Sign(t.Context(), request()); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestGCPOpenRefuses(t *testing.T) {
	g, n, env := newGCP(t)
	g.AddVersion(t, "p384", "1", cloud.P384, kmspb.CryptoKeyVersion_EC_SIGN_P384_SHA384)
	g.AddVersion(t, "pss", "1", cloud.RSA2048, kmspb.CryptoKeyVersion_RSA_SIGN_PSS_2048_SHA256)
	g.AddVersion(t, "sha512", "1", cloud.RSA4096, kmspb.CryptoKeyVersion_RSA_SIGN_PKCS1_4096_SHA512)
	g.AddVersion(t, "ed25519", "1", cloud.Ed25519, kmspb.CryptoKeyVersion_EC_SIGN_ED25519)
	g.AddVersion(t, "disabled", "1", cloud.P256, kmspb.CryptoKeyVersion_EC_SIGN_P256_SHA256)
	g.Disable("disabled", "1")
	broken := filepath.Join(t.TempDir(), "credentials.json")
	if err := os.WriteFile(broken, []byte(`{"type":"service_account","private_key":"`+sealedPassword), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		with       map[string]any
		env        []string
		class      error
		text, hint string
	}{
		"P-384":       {gcpKey("p384/cryptoKeyVersions/1"), env, signer.ErrInvalid, "it would sign over SHA-384 (ECDSA P-384), but Flux and cosign verify with SHA-256", "ec-sign-p256-sha256"},
		"PSS":         {gcpKey("pss/cryptoKeyVersions/1"), env, signer.ErrInvalid, "it signs by RSA-PSS with SHA-256, which Flux and cosign do not verify", "rsa-sign-pkcs1-2048-sha256"},
		"SHA-512":     {gcpKey("sha512/cryptoKeyVersions/1"), env, signer.ErrInvalid, "SHA-512 (RSA 4096)", "rsa-sign-pkcs1"},
		"Ed25519":     {gcpKey("ed25519/cryptoKeyVersions/1"), env, signer.ErrInvalid, "driver cannot sign with a key of this kind", "ec-sign-p256-sha256"},
		"disabled":    {gcpKey("disabled/cryptoKeyVersions/1"), env, signer.ErrInvalid, "is not enabled, current state is: DISABLED", "enabled"},
		"none left":   {gcpKey("disabled"), env, signer.ErrInvalid, "no version that is enabled", "enable one"},
		"missing":     {gcpKey("other"), env, signer.ErrInvalid, "NotFound: CryptoKey", "key ring"},
		"no version":  {gcpKey("p256/cryptoKeyVersions/9"), env, signer.ErrInvalid, "NotFound: CryptoKeyVersion", "version"},
		"no file":     {gcpKey("p256"), append(n.Env(), "GOOGLE_APPLICATION_CREDENTIALS=/nowhere"), signer.ErrDenied, "no usable credentials were found", "GOOGLE_APPLICATION_CREDENTIALS"},
		"broken file": {gcpKey("p256"), append(n.Env(), "GOOGLE_APPLICATION_CREDENTIALS="+broken), signer.ErrDenied, "no usable credentials were found", ""},
		"not trusted": {gcpKey("p256"), append(env, "SSL_CERT_FILE=/dev/null"), signer.ErrInvalid, "certificate", "SSL_CERT_FILE"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := start(t, tt.env...).Open(t.Context(), tt.with)
			want(t, err, tt.class, tt.text, tt.hint)
		})
	}
	for method, code := range map[string]codes.Code{"GetCryptoKey": codes.PermissionDenied, "GetPublicKey": codes.PermissionDenied, "AsymmetricSign": codes.PermissionDenied, "GetCryptoKeyVersion": codes.Unauthenticated} {
		t.Run("denied "+method, func(t *testing.T) {
			g.Refuse(func(m string, _ int) error {
				if m == method {
					return status.Error(code, "Permission 'cloudkms."+m+"' denied on resource")
				}
				return nil
			})
			defer g.Refuse(nil)
			_, err := start(t, env...).Open(t.Context(), gcpKey("p256/cryptoKeyVersions/1"))
			want(t, err, signer.ErrDenied, code.String()+": Permission 'cloudkms."+method, "")
		})
	}
}

// A version that is added in mid-run changes nothing when one is named; one that is switched off is found.
func TestGCPRotation(t *testing.T) {
	g, _, env := newGCP(t)
	p := start(t, env...)
	if _, err := p.Open(t.Context(), gcpKey("p256/cryptoKeyVersions/1")); err != nil {
		t.Fatal(err)
	}
	g.AddVersion(t, "p256", "2", cloud.P256, kmspb.CryptoKeyVersion_EC_SIGN_P256_SHA256)
	if _, err := p.Sign(t.Context(), request()); err != nil {
		t.Error(err)
	}
	// As if the service signed with another key under the same name.
	g.AddVersion(t, "p256", "1", cloud.RSA2048, kmspb.CryptoKeyVersion_RSA_SIGN_PKCS1_2048_SHA256)
	_, err := p.Sign(t.Context(), request())
	want(t, err, nil, "the signature does not verify with the key as it was at the start of the run", "rotated")
	g.Disable("p256", "1")
	_, err = p.Sign(t.Context(), request())
	want(t, err, signer.ErrInvalid, "FailedPrecondition", "enabled")
}

func TestGCPFaults(t *testing.T) {
	g, _, env := newGCP(t)
	p := start(t, env...)
	if _, err := p.Open(t.Context(), gcpKey("p256/cryptoKeyVersions/1")); err != nil {
		t.Fatal(err)
	}
	for _, code := range []codes.Code{codes.ResourceExhausted, codes.Unavailable, codes.Internal} {
		first := 0
		g.Refuse(func(_ string, n int) error {
			if first == 0 {
				first = n
			}
			if n == first {
				return status.Error(code, "Quota exceeded for quota metric 'Cryptographic requests'")
			}
			return nil
		})
		if _, err := p.Sign(t.Context(), request()); err != nil {
			t.Errorf("%s once: %v", code, err)
		}
	}
	g.Refuse(func(string, int) error { return status.Error(codes.ResourceExhausted, "Quota exceeded") })
	_, err := p.Sign(t.Context(), request())
	want(t, err, signer.ErrUnavailable, "ResourceExhausted: Quota exceeded", "")
	arrived, done := make(chan struct{}, 1), make(chan struct{})
	defer close(done)
	g.Refuse(func(string, int) error {
		arrived <- struct{}{}
		<-done
		return nil
	})
	cancelled(t, p, arrived)
}

// Without credentials the metadata service of a cloud machine is asked. Where it does not answer, Open does not wait long.
func TestNoCredentialsDoNotHang(t *testing.T) {
	n := cloud.Start(t)
	cloud.NewAzure(n)
	silent := cloud.Silent(t)
	for name, tt := range map[string]struct {
		key string
		env []string
	}{
		"aws": {"awskms:///" + cloud.AWSKeyARN(1), []string{"AWS_EC2_METADATA_SERVICE_ENDPOINT=http://" + silent}},
		"gcp": {gcpKeyURI + "p256", []string{"GCE_METADATA_HOST=" + silent}},
		// Azure's metadata service has a fixed address; here the proxy answers for it, with an error that is tried again for long.
		"azure": {"azurekms://" + cloud.AzureVault + "/artifacts", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			began := time.Now()
			_, err := start(t, append(n.Env(), tt.env...)...).Open(t.Context(), map[string]any{"key": tt.key})
			if took := time.Since(began); err == nil || took > 45*time.Second {
				t.Errorf("after %s: %v", took, err)
			}
			var h interface{ Hint() string }
			if !errors.As(err, &h) || !strings.Contains(h.Hint(), "under `env`") {
				t.Errorf("%v has no advice about credentials", err)
			}
			t.Logf("%v after %s", err, time.Since(began))
		})
	}
}
