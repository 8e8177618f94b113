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

func newAzure(t *testing.T, kind string) (*cloud.Azure, *cloud.Internet, []string) {
	t.Helper()
	n := cloud.Start(t)
	a := cloud.NewAzure(n)
	a.AddVersion(t, "artifacts", "v1", kind)
	return a, n, slices.Concat(n.Env(), []string{
		"AZURE_TENANT_ID=" + cloud.AzureTenant, "AZURE_CLIENT_ID=" + cloud.AzureClient, "AZURE_CLIENT_SECRET=" + cloud.AzureSecret,
	})
}

func azureKey(name string) map[string]any {
	return map[string]any{"key": "azurekms://" + cloud.AzureVault + "/" + name}
}

func TestAzureConformance(t *testing.T) {
	for kind, algorithm := range map[string]string{cloud.P256: "ecdsa-p256-sha256", cloud.RSA2048: "rsa-pkcs1v15-2048-sha256"} {
		t.Run(kind, func(t *testing.T) {
			_, n, env := newAzure(t, kind)
			conform(t, env, azureKey("artifacts/v1"), algorithm)
			if asked := n.Asked(); !slices.Equal(asked, []string{cloud.AzureVault, cloud.AzureLogin}) {
				t.Errorf("the plugin asked for %v", asked)
			}
		})
	}
}

// However the version is named, and wherever credentials come from.
func TestAzureVersionsAndCredentials(t *testing.T) {
	a, n, env := newAzure(t, cloud.P256)
	a.AddVersion(t, "artifacts", "v2", cloud.P256)
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte(cloud.AzureFederated), 0o600); err != nil {
		t.Fatal(err)
	}
	federated := append(n.Env(), "AZURE_TENANT_ID="+cloud.AzureTenant, "AZURE_CLIENT_ID="+cloud.AzureClient, "AZURE_FEDERATED_TOKEN_FILE="+token)
	tests := map[string]struct {
		with map[string]any
		env  []string
		want string
	}{
		"in the key":     {azureKey("artifacts/v1"), env, "v1"},
		"by option":      {map[string]any{"key": "azurekms://" + cloud.AzureVault + "/artifacts", "keyVersion": "v1"}, env, "v1"},
		"latest":         {azureKey("artifacts"), env, "v2"},
		"token of a job": {azureKey("artifacts/v1"), federated, "v1"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			p := start(t, tt.env...)
			info, err := p.Open(t.Context(), tt.with)
			if err != nil {
				t.Fatal(err)
			}
			public, err := signer.MarshalPublicKey(cloud.Key(t, cloud.P256, "azure/artifacts/"+tt.want).Public())
			if err != nil || string(info.PublicKey) != string(public) {
				t.Errorf("announced another key: %v", err)
			}
			if _, err := p.Sign(t.Context(), request()); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestAzureOpenRefuses(t *testing.T) {
	a, n, env := newAzure(t, cloud.P256)
	for _, kind := range []string{cloud.P384, cloud.P521, cloud.RSA3072, cloud.RSA4096} {
		a.AddVersion(t, kind, "v1", kind)
	}
	tests := map[string]struct {
		with       map[string]any
		env        []string
		class      error
		text, hint string
	}{
		"P-384":          {azureKey("p384/v1"), env, signer.ErrInvalid, "it would sign over SHA-384 (ECDSA P-384)", "P-256"},
		"P-521":          {azureKey("p521/v1"), env, signer.ErrInvalid, "it would sign over SHA-512 (ECDSA P-521)", "P-256"},
		"RSA 3072":       {azureKey("rsa3072/v1"), env, signer.ErrInvalid, "it would sign over SHA-384 (RSA 3072)", "2048 bits"},
		"RSA 4096":       {azureKey("rsa4096/v1"), env, signer.ErrInvalid, "it would sign over SHA-512 (RSA 4096)", "2048 bits"},
		"missing":        {azureKey("other"), env, signer.ErrInvalid, "HTTP status 404 KeyNotFound: A key with (name/id) other was not found", "names"},
		"no version":     {azureKey("artifacts/v9"), env, signer.ErrInvalid, "404", "version"},
		"wrong secret":   {azureKey("artifacts"), append(env, "AZURE_CLIENT_SECRET=other"), signer.ErrDenied, "Microsoft Entra ID gave no token: AADSTS7000215", "AZURE_CLIENT_SECRET"},
		"no credentials": {azureKey("artifacts"), append(n.Env(), "AZURE_TOKEN_CREDENTIALS=EnvironmentCredential"), signer.ErrDenied, "no credentials were found", "AZURE_FEDERATED_TOKEN_FILE"},
		"not trusted":    {azureKey("artifacts"), append(env, "SSL_CERT_FILE=/dev/null"), signer.ErrInvalid, "certificate", "SSL_CERT_FILE"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := start(t, tt.env...).Open(t.Context(), tt.with)
			want(t, err, tt.class, tt.text, tt.hint)
		})
	}
	for _, action := range []string{"get", "sign"} {
		t.Run("denied "+action, func(t *testing.T) {
			a.Break(func(_ context.Context, w http.ResponseWriter, asked string, _ int) bool {
				if asked == action {
					cloud.WriteAzureError(w, http.StatusForbidden, "Forbidden", "Caller is not authorized to perform action on resource.\nAction: 'Microsoft.KeyVault/vaults/keys/"+action+"'")
				}
				return asked == action
			})
			defer a.Break(nil)
			_, err := start(t, env...).Open(t.Context(), azureKey("artifacts/v1"))
			want(t, err, signer.ErrDenied, "HTTP status 403 Forbidden: Caller is not authorized", "Key Vault Crypto User")
		})
	}
}

// A key without a version in its URI that is rotated in mid-run is found; one with a version does not care.
func TestAzureRotation(t *testing.T) {
	a, _, env := newAzure(t, cloud.P256)
	latest, pinned := start(t, env...), start(t, env...)
	if _, err := latest.Open(t.Context(), azureKey("artifacts")); err != nil {
		t.Fatal(err)
	}
	if _, err := pinned.Open(t.Context(), azureKey("artifacts/v1")); err != nil {
		t.Fatal(err)
	}
	a.AddVersion(t, "artifacts", "v2", cloud.P256)
	_, err := latest.Sign(t.Context(), request())
	want(t, err, nil, "the signature does not verify with the key as it was at the start of the run", "version")
	if _, err := pinned.Sign(t.Context(), request()); err != nil {
		t.Error(err)
	}
}

func TestAzureFaults(t *testing.T) {
	a, _, env := newAzure(t, cloud.P256)
	p := start(t, env...)
	if _, err := p.Open(t.Context(), azureKey("artifacts/v1")); err != nil {
		t.Fatal(err)
	}
	throttled := func(w http.ResponseWriter) {
		w.Header().Set("Retry-After-Ms", "1")
		cloud.WriteAzureError(w, http.StatusTooManyRequests, "Throttled", "Request was not processed because too many requests were received")
	}
	before := a.Count("sign")
	a.Break(func(_ context.Context, w http.ResponseWriter, _ string, n int) bool {
		if n == before+1 {
			throttled(w)
		}
		return n == before+1
	})
	if _, err := p.Sign(t.Context(), request()); err != nil || a.Count("sign") != before+2 {
		t.Errorf("after %d requests: %v", a.Count("sign")-before, err)
	}
	a.Break(func(_ context.Context, w http.ResponseWriter, _ string, _ int) bool { throttled(w); return true })
	_, err := p.Sign(t.Context(), request())
	want(t, err, signer.ErrUnavailable, "HTTP status 429 Throttled", "")
	arrived := make(chan struct{}, 1)
	a.Break(func(ctx context.Context, _ http.ResponseWriter, _ string, _ int) bool {
		arrived <- struct{}{}
		<-ctx.Done()
		return true
	})
	cancelled(t, p, arrived)
}
