package generate_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/pem"
	"flag"
	"math/big"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/artifactctl/artifactctl/internal/flux/generate"
)

var update = flag.Bool("update", false, "write the golden files")

const (
	root   = "{\n  \"mediaType\": \"application/vnd.dev.sigstore.trustedroot+json;version=0.1\"\n}\n"
	digest = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
)

// publicKey returns the same key in each run: golden files hold it.
func publicKey(t *testing.T, scalar int64) []byte {
	t.Helper()
	d := big.NewInt(scalar).FillBytes(make([]byte, 32))
	key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), d)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}

func byKeys(t *testing.T) generate.Options {
	return generate.Options{Trust: generate.Trust{Keys: []generate.Key{
		{Name: "cosign.pub", PEM: publicKey(t, 1)}, {Name: "cosign.pub", PEM: publicKey(t, 2)}, {Name: "next key.pem", PEM: publicKey(t, 3)},
	}}}
}

func byIdentity() generate.Options {
	return generate.Options{
		Namespace: "gitops", Interval: 90 * time.Second, RetryInterval: time.Minute, Timeout: time.Hour + 30*time.Minute, KeepRemoved: true, NoWait: true,
		PullSecret: "registry", CertSecret: "registry-ca", Provider: "aws", ServiceAccount: "deployer", RootSecret: "root",
		Trust: generate.Trust{
			Issuer: "https://token.actions.githubusercontent.com", TrustedRoot: []byte(root),
			SubjectRegExp: `^https://github\.com/org/fleet/\.github/workflows/publish\.yaml@refs/(heads/main|tags/v[0-9.]+)$`,
		},
	}
}

func fleet() []generate.App {
	return []generate.App{
		{Name: "web", Repository: "registry.example.com:5000/org/oci-web", Ref: generate.Ref{Tag: "edge"}, DependsOn: []string{"database", "clusters"}},
		{Name: "database", Repository: "registry.example.com/org/oci-database", Ref: generate.Ref{Semver: ">=1.2.0 <2.0.0"}, TargetNamespace: "data", Insecure: true},
		{Name: "pinned", Repository: "127.0.0.1:5000/pinned", Ref: generate.Ref{Tag: "1.10", Digest: digest}, Path: "./deploy"},
		{Name: "clusters", Repository: "registry.example.com/org/manifests", Ref: generate.Ref{Tag: "1.10"}, Path: "./production", Bootstrap: true},
	}
}

func TestGolden(t *testing.T) {
	for name, o := range map[string]generate.Options{"keys": byKeys(t), "identity": byIdentity()} {
		t.Run(name, func(t *testing.T) {
			files, err := generate.Flux(fleet(), o)
			if err != nil {
				t.Fatal(err)
			}
			golden := filepath.Join("testdata", name+".yaml")
			var got bytes.Buffer
			for _, f := range files {
				got.WriteString("# file: " + f.Path + "\n")
				got.Write(f.Content)
			}
			if *update {
				if err := os.WriteFile(golden, got.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got.Bytes(), want) {
				t.Errorf("it differs from %s; if that is meant, run the test with -update:\n%s", golden, got.Bytes())
			}
		})
	}
}

// The order of the apps is that of publish.yaml, and the output does not depend on it.
func TestOrderDoesNotMatter(t *testing.T) {
	apps := fleet()
	one, err := generate.Flux(apps, byIdentity())
	if err != nil {
		t.Fatal(err)
	}
	slices.Reverse(apps)
	two, err := generate.Flux(apps, byIdentity())
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(generate.Stream(one), generate.Stream(two)) {
		t.Error("another order of apps gives other bytes")
	}
}

func TestStreamIsEveryObjectOnce(t *testing.T) {
	files, err := generate.Flux(fleet(), byKeys(t))
	if err != nil {
		t.Fatal(err)
	}
	var kinds []string
	for d := yaml.NewDecoder(bytes.NewReader(generate.Stream(files))); ; {
		var o struct {
			Kind     string
			Metadata struct{ Name string }
		}
		if d.Decode(&o) != nil {
			break
		}
		kinds = append(kinds, o.Kind+"/"+o.Metadata.Name)
	}
	want := []string{
		"Secret/signing-keys", // before the sources that read it
		"OCIRepository/database", "Kustomization/database", "OCIRepository/pinned", "Kustomization/pinned", "OCIRepository/web", "Kustomization/web",
		"OCIRepository/flux-system", "Kustomization/flux-system",
	}
	if !slices.Equal(kinds, want) {
		t.Errorf("got %v\nwant %v", kinds, want)
	}
}

// What is written for an exact identity matches it, and nothing beside it.
func TestPatternsAreExact(t *testing.T) {
	o := byIdentity()
	subject := "https://github.com/org/fleet/.github/workflows/publish.yaml@refs/heads/main"
	o.Trust.Subject, o.Trust.SubjectRegExp = subject, ""
	files, err := generate.Flux(fleet()[:1], o)
	if err != nil {
		t.Fatal(err)
	}
	var source struct {
		Spec struct {
			Verify struct {
				MatchOIDCIdentity []struct{ Issuer, Subject string } `yaml:"matchOIDCIdentity"`
			}
		}
	}
	if err := yaml.Unmarshal(files[len(files)-2].Content, &source); err != nil { // behind the Secrets, before the index
		t.Fatal(err)
	}
	if len(source.Spec.Verify.MatchOIDCIdentity) != 1 {
		t.Fatalf("%d identities: with bundles Flux takes exactly one", len(source.Spec.Verify.MatchOIDCIdentity))
	}
	re := regexp.MustCompile(source.Spec.Verify.MatchOIDCIdentity[0].Subject)
	if !re.MatchString(subject) || re.MatchString(subject+"-evil") || re.MatchString("x"+subject) || re.MatchString(strings.Replace(subject, "github.com", "githubXcom", 1)) {
		t.Errorf("%s is not exact", re)
	}
}

func TestRefusals(t *testing.T) {
	private, _ := pem.Decode(publicKey(t, 1))
	private.Type = "PRIVATE KEY"
	for name, tt := range map[string]struct {
		change func(*[]generate.App, *generate.Options)
		want   string
	}{
		"nothing trusted":  {func(_ *[]generate.App, o *generate.Options) { o.Trust = generate.Trust{} }, "nothing is trusted"},
		"key and identity": {func(_ *[]generate.App, o *generate.Options) { o.Trust.Issuer, o.Trust.Subject = "i", "s" }, "both keys and an identity"},
		"half an identity": {func(_ *[]generate.App, o *generate.Options) { o.Trust = generate.Trust{Issuer: "i"} }, "one issuer and one subject"},
		"private key":      {func(_ *[]generate.App, o *generate.Options) { o.Trust.Keys[0].PEM = pem.EncodeToMemory(private) }, "PUBLIC KEY"},
		"two keys in one": {func(_ *[]generate.App, o *generate.Options) {
			k := o.Trust.Keys
			k[0].PEM = append(k[0].PEM, k[1].PEM...)
		}, "not one PEM block"},
		"root beside a key":   {func(_ *[]generate.App, o *generate.Options) { o.Trust.TrustedRoot = []byte(root) }, "means nothing beside a key"},
		"no app":              {func(a *[]generate.App, _ *generate.Options) { *a = nil }, "no app"},
		"twice":               {func(a *[]generate.App, _ *generate.Options) { *a = append(*a, (*a)[0]) }, "two apps would be called web"},
		"two bootstraps":      {func(a *[]generate.App, _ *generate.Options) { (*a)[0].Bootstrap = true }, "only one can be"},
		"wait for each other": {func(a *[]generate.App, _ *generate.Options) { (*a)[1].DependsOn = []string{"web"} }, "web → database → web"},
		"bad name":            {func(a *[]generate.App, _ *generate.Options) { (*a)[0].Name = "Web_1" }, `app "Web_1"`},
		"long name":           {func(a *[]generate.App, _ *generate.Options) { (*a)[0].Name = strings.Repeat("a", 64) }, "cannot be a name"},
		"a scheme":            {func(a *[]generate.App, _ *generate.Options) { (*a)[0].Repository = "oci://r.io/x" }, "is not a repository"},
		"a directory":         {func(a *[]generate.App, _ *generate.Options) { (*a)[0].Repository = "web" }, "is not a repository"},
		"no ref":              {func(a *[]generate.App, _ *generate.Options) { (*a)[0].Ref = generate.Ref{} }, "needs a tag"},
		"bad tag":             {func(a *[]generate.App, _ *generate.Options) { (*a)[0].Ref.Tag = "a b" }, "is not a tag"},
		"bad range":           {func(a *[]generate.App, _ *generate.Options) { (*a)[0].Ref = generate.Ref{Semver: ">=one"} }, "is not a range"},
		"bad digest":          {func(a *[]generate.App, _ *generate.Options) { (*a)[0].Ref.Digest = "sha256:1" }, "is not a sha256 digest"},
		"path leads out":      {func(a *[]generate.App, _ *generate.Options) { (*a)[0].Path = "./../x" }, "leads out"},
		"provider":            {func(_ *[]generate.App, o *generate.Options) { o.Provider = "ibm" }, "provider"},
		"interval":            {func(_ *[]generate.App, o *generate.Options) { o.Interval = -time.Minute }, "interval"},
		"secret name":         {func(_ *[]generate.App, o *generate.Options) { o.PullSecret = "a/b" }, "pull secret"},
	} {
		t.Run(name, func(t *testing.T) {
			apps, o := fleet(), byKeys(t)
			tt.change(&apps, &o)
			files, err := generate.Flux(apps, o)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want an error with %q", err, tt.want)
			}
			if files != nil {
				t.Error("files beside an error")
			}
		})
	}
}
