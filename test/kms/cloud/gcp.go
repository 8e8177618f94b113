package cloud

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"hash/crc32"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"cloud.google.com/go/kms/apiv1/kmspb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// Where Google's test project is.
const (
	GCPHost      = "cloudkms.googleapis.com"
	GCPTokenHost = "sts.googleapis.com"
	GCPKeyRing   = "projects/fleet/locations/europe-west1/keyRings/ring"
	gcpFederated = "ya29.federated-token-of-the-test"
	gcpSubject   = "eyJ-subject-token-of-the-test"
)

// GCP is Cloud KMS over gRPC, and as much of STS as a workload identity federation needs.
type GCP struct {
	kmspb.UnimplementedKeyManagementServiceServer
	mu       sync.Mutex
	versions map[string]*gcpVersion // by full name
	account  *rsa.PrivateKey
	refuse   func(method string, n int) error
	count    map[string]int
}

type gcpVersion struct {
	key       crypto.Signer
	algorithm kmspb.CryptoKeyVersion_CryptoKeyVersionAlgorithm
	state     kmspb.CryptoKeyVersion_CryptoKeyVersionState
}

// NewGCP adds Google Cloud to an internet.
func NewGCP(t testing.TB, n *Internet) *GCP {
	t.Helper()
	account, ok := Key(t, RSA2048, "service-account").(*rsa.PrivateKey)
	if !ok {
		t.Fatal("no RSA key")
	}
	g := &GCP{versions: map[string]*gcpVersion{}, account: account, count: map[string]int{}}
	server := grpc.NewServer(grpc.UnaryInterceptor(g.intercept))
	kmspb.RegisterKeyManagementServiceServer(server, g)
	n.Handle(GCPHost, server)
	n.Handle(GCPTokenHost, http.HandlerFunc(g.serveSTS))
	return g
}

// AddVersion adds a version to a key.
func (g *GCP) AddVersion(t testing.TB, key, version, kind string, algorithm kmspb.CryptoKeyVersion_CryptoKeyVersionAlgorithm) crypto.PublicKey {
	t.Helper()
	name := GCPKeyRing + "/cryptoKeys/" + key + "/cryptoKeyVersions/" + version
	g.mu.Lock()
	defer g.mu.Unlock()
	g.versions[name] = &gcpVersion{key: Key(t, kind, name), algorithm: algorithm, state: kmspb.CryptoKeyVersion_ENABLED}
	return g.versions[name].key.Public()
}

// Disable disables a version.
func (g *GCP) Disable(key, version string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.versions[GCPKeyRing+"/cryptoKeys/"+key+"/cryptoKeyVersions/"+version].state = kmspb.CryptoKeyVersion_DISABLED
}

// Refuse has calls fail: refuse gets the method (AsymmetricSign, …) and how often it was called.
func (g *GCP) Refuse(refuse func(method string, n int) error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.refuse = refuse
}

// ServiceAccount writes the file of a service account and returns its path.
func (g *GCP) ServiceAccount(t testing.TB) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(g.account)
	if err != nil {
		t.Fatal(err)
	}
	return writeJSON(t, map[string]any{
		"type": "service_account", "project_id": "fleet", "private_key_id": "k1", "client_email": "publisher@fleet.iam.gserviceaccount.com",
		"client_id": "1", "token_uri": "https://oauth2.googleapis.com/token", "universe_domain": "googleapis.com",
		"private_key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
	})
}

// Federation writes the file of a workload identity federation, as a CI job has it, and returns its path.
func (g *GCP) Federation(t testing.TB) string {
	t.Helper()
	token := filepath.Join(t.TempDir(), "subject-token")
	if err := os.WriteFile(token, []byte(gcpSubject), 0o600); err != nil {
		t.Fatal(err)
	}
	return writeJSON(t, map[string]any{
		"type": "external_account", "audience": "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/ci/providers/ci",
		"subject_token_type": "urn:ietf:params:oauth:token-type:jwt", "token_url": "https://" + GCPTokenHost + "/v1/token",
		"universe_domain": "googleapis.com", "credential_source": map[string]any{"file": token},
	})
}

func writeJSON(t testing.TB, content any) string {
	t.Helper()
	text, err := json.Marshal(content)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "credentials.json")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func (g *GCP) serveSTS(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	if r.FormValue("subject_token") != gcpSubject {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = fmt.Fprint(w, `{"error":"invalid_grant","error_description":"The audience in ID Token does not match the expected audience."}`)
		return
	}
	_, _ = fmt.Fprintf(w, `{"access_token":%q,"issued_token_type":"urn:ietf:params:oauth:token-type:access_token","token_type":"Bearer","expires_in":3600}`, gcpFederated)
}

// intercept counts, refuses, and checks who asks: a federated token, or a JWT that the service account signed.
func (g *GCP) intercept(ctx context.Context, request any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	method := info.FullMethod[strings.LastIndex(info.FullMethod, "/")+1:]
	g.mu.Lock()
	g.count[method]++
	refuse, n := g.refuse, g.count[method]
	g.mu.Unlock()
	header, _ := metadata.FromIncomingContext(ctx)
	token, _ := strings.CutPrefix(strings.Join(header.Get("authorization"), ""), "Bearer ")
	if token != gcpFederated && !g.signedByAccount(token) {
		return nil, status.Error(codes.Unauthenticated, "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid authentication credential.")
	}
	if refuse != nil {
		if err := refuse(method, n); err != nil {
			return nil, err
		}
	}
	return handler(ctx, request)
}

func (g *GCP) signedByAccount(token string) bool {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return false
	}
	sig, err := base64.RawURLEncoding.DecodeString(parts[2])
	digest := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	return err == nil && rsa.VerifyPKCS1v15(&g.account.PublicKey, crypto.SHA256, digest[:], sig) == nil
}

// GetCryptoKey is Cloud KMS's.
func (g *GCP) GetCryptoKey(_ context.Context, r *kmspb.GetCryptoKeyRequest) (*kmspb.CryptoKey, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for name := range g.versions {
		if strings.HasPrefix(name, r.GetName()+"/") {
			return &kmspb.CryptoKey{Name: r.GetName(), Purpose: kmspb.CryptoKey_ASYMMETRIC_SIGN}, nil
		}
	}
	return nil, status.Errorf(codes.NotFound, "CryptoKey %s not found.", r.GetName())
}

func (g *GCP) find(name string) (gcpVersion, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	v := g.versions[name]
	if v == nil {
		return gcpVersion{}, status.Errorf(codes.NotFound, "CryptoKeyVersion %s not found.", name)
	}
	return *v, nil
}

func (v gcpVersion) message(name string) *kmspb.CryptoKeyVersion {
	return &kmspb.CryptoKeyVersion{Name: name, State: v.state, Algorithm: v.algorithm}
}

// GetCryptoKeyVersion is Cloud KMS's.
func (g *GCP) GetCryptoKeyVersion(_ context.Context, r *kmspb.GetCryptoKeyVersionRequest) (*kmspb.CryptoKeyVersion, error) {
	v, err := g.find(r.GetName())
	if err != nil {
		return nil, err
	}
	return v.message(r.GetName()), nil
}

// ListCryptoKeyVersions gives the enabled version with the greatest name only, which is all that is asked for.
func (g *GCP) ListCryptoKeyVersions(_ context.Context, r *kmspb.ListCryptoKeyVersionsRequest) (*kmspb.ListCryptoKeyVersionsResponse, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	best := ""
	for name, v := range g.versions {
		if strings.HasPrefix(name, r.GetParent()+"/") && v.state == kmspb.CryptoKeyVersion_ENABLED && name > best {
			best = name
		}
	}
	if best == "" {
		return &kmspb.ListCryptoKeyVersionsResponse{}, nil
	}
	return &kmspb.ListCryptoKeyVersionsResponse{CryptoKeyVersions: []*kmspb.CryptoKeyVersion{g.versions[best].message(best)}}, nil
}

// GetPublicKey is Cloud KMS's.
func (g *GCP) GetPublicKey(_ context.Context, r *kmspb.GetPublicKeyRequest) (*kmspb.PublicKey, error) {
	v, err := g.find(r.GetName())
	if err != nil {
		return nil, err
	}
	if err := v.enabled(r.GetName()); err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKIXPublicKey(v.key.Public())
	if err != nil {
		return nil, err
	}
	return &kmspb.PublicKey{Name: r.GetName(), Algorithm: v.algorithm, Pem: string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))}, nil
}

func (v gcpVersion) enabled(name string) error {
	if v.state != kmspb.CryptoKeyVersion_ENABLED {
		return status.Errorf(codes.FailedPrecondition, "%s is not enabled, current state is: %s.", name, v.state)
	}
	return nil
}

// AsymmetricSign is Cloud KMS's.
func (g *GCP) AsymmetricSign(_ context.Context, r *kmspb.AsymmetricSignRequest) (*kmspb.AsymmetricSignResponse, error) {
	v, err := g.find(r.GetName())
	if err != nil {
		return nil, err
	}
	if err := v.enabled(r.GetName()); err != nil {
		return nil, err
	}
	digest, hash := r.GetDigest().GetSha256(), crypto.SHA256
	opts := crypto.SignerOpts(hash)
	switch {
	case strings.Contains(v.algorithm.String(), "PSS"):
		opts = &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: hash}
	case !strings.HasSuffix(v.algorithm.String(), "SHA256"):
		return nil, status.Error(codes.InvalidArgument, "The digest type must match the algorithm of the key version.")
	}
	if len(digest) != hash.Size() {
		return nil, status.Error(codes.InvalidArgument, "The digest has the wrong length.")
	}
	table := crc32.MakeTable(crc32.Castagnoli)
	sig, err := v.key.Sign(rand.Reader, digest, opts)
	if err != nil {
		return nil, status.Error(codes.Internal, err.Error())
	}
	return &kmspb.AsymmetricSignResponse{
		Name: r.GetName(), Signature: sig, SignatureCrc32C: wrapperspb.Int64(int64(crc32.Checksum(sig, table))),
		VerifiedDigestCrc32C: r.GetDigestCrc32C().GetValue() == int64(crc32.Checksum(digest, table)),
	}, nil
}

// curveName is what Azure calls the curve of a key; empty when it is none of NIST's.
func curveName(public crypto.PublicKey) string {
	if key, ok := public.(*ecdsa.PublicKey); ok {
		return map[elliptic.Curve]string{elliptic.P256(): "P-256", elliptic.P384(): "P-384", elliptic.P521(): "P-521"}[key.Curve]
	}
	if _, ok := public.(ed25519.PublicKey); ok {
		return "Ed25519"
	}
	return ""
}
