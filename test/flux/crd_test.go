// Package flux holds what the product writes for Flux against Flux's own definitions. It has a module of its own because
// a validator for custom resources brings much of Kubernetes with it.
package flux

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	apiextensions "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	v1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	"k8s.io/apimachinery/pkg/util/yaml"
	sigsyaml "sigs.k8s.io/yaml"

	"github.com/artifactctl/artifactctl/internal/flux/generate"
)

// source is a module that is read from and not linked: go.mod cannot name it, so version and checksum stand here.
type source struct{ path, version, sum string }

var (
	sourceController    = source{"github.com/fluxcd/source-controller", "v1.9.6", "h1:nG534/bI6nVpyHra7ONAk6xDB3xPsVT+EOLHZHXPrrc="}
	kustomizeController = source{"github.com/fluxcd/kustomize-controller", "v1.9.4", "h1:VBnBMhnemqnE5Zca2AoG2gC4472MoiTmk9rdqvLoMcY="}
	gosec               = source{"github.com/securego/gosec/v2", "v2.29.0", "h1:pF2HSLcnY5voqpxQumEe0O5YAAbvF4Syu4qeIewpLyc="} // brings the schema of SARIF
)

// dir returns where the module's files are.
func (s source) dir(t *testing.T) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "mod", "download", "-json", s.path+"@"+s.version)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	var module struct{ Dir, Sum string }
	if err == nil {
		err = json.Unmarshal(out, &module)
	}
	if err != nil {
		t.Fatalf("%s: %v %s%s", s.path, err, out, stderr.Bytes())
	}
	if module.Sum != s.sum {
		t.Fatalf("%s %s has checksum %s, want %s", s.path, s.version, module.Sum, s.sum)
	}
	return module.Dir
}

// definition validates one kind as an API server does: structure, then rules, and unknown fields by strict pruning.
type definition struct {
	structural *schema.Structural
	validator  validation.SchemaValidator
	rules      *cel.Validator
}

func definitions(t *testing.T) map[string]definition {
	t.Helper()
	all := map[string]definition{}
	for _, module := range []source{sourceController, kustomizeController} {
		files, err := filepath.Glob(filepath.Join(module.dir(t), "config", "crd", "bases", "*.yaml"))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s holds no definitions: %v", module.path, err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var crd v1.CustomResourceDefinition
			if err := sigsyaml.Unmarshal(text, &crd); err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			for _, version := range crd.Spec.Versions {
				all[crd.Spec.Group+"/"+version.Name+"/"+crd.Spec.Names.Kind] = define(t, version)
			}
		}
	}
	return all
}

func define(t *testing.T, version v1.CustomResourceDefinitionVersion) definition {
	t.Helper()
	var internal apiextensions.CustomResourceValidation
	if err := v1.Convert_v1_CustomResourceValidation_To_apiextensions_CustomResourceValidation(version.Schema, &internal, nil); err != nil {
		t.Fatal(err)
	}
	structural, err := schema.NewStructural(internal.OpenAPIV3Schema)
	if err != nil {
		t.Fatal(err)
	}
	validator, _, err := validation.NewSchemaValidator(internal.OpenAPIV3Schema)
	if err != nil {
		t.Fatal(err)
	}
	return definition{structural, validator, cel.NewValidator(structural, true, 10_000_000)}
}

// check returns everything that is wrong with an object.
func (d definition) check(t *testing.T, object map[string]any) error {
	t.Helper()
	var problems []error
	for _, e := range validation.ValidateCustomResource(nil, object, d.validator) {
		problems = append(problems, e)
	}
	if d.rules != nil {
		broken, _ := d.rules.Validate(t.Context(), nil, d.structural, object, nil, 10_000_000)
		for _, e := range broken {
			problems = append(problems, e)
		}
	}
	for _, path := range pruning.PruneWithOptions(object, d.structural, true, schema.UnknownFieldPathOptions{TrackUnknownFieldPaths: true}) {
		problems = append(problems, errors.New("unknown field "+path))
	}
	return errors.Join(problems...)
}

func objects(t *testing.T, stream []byte) []map[string]any {
	t.Helper()
	var all []map[string]any
	for d := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(stream), 4096); ; {
		var object map[string]any
		if err := d.Decode(&object); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		if object != nil {
			all = append(all, object)
		}
	}
}

func publicKey(t *testing.T) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}

func fleet() []generate.App {
	digest := "sha256:" + strings.Repeat("0123456789abcdef", 4)
	return []generate.App{
		{Name: "web", Repository: "registry.example.com:5000/org/oci-web", Ref: generate.Ref{Tag: "edge"}, DependsOn: []string{"database"}},
		{Name: "database", Repository: "registry.example.com/org/oci-database", Ref: generate.Ref{Semver: ">=1.2.0 <2.0.0"}, TargetNamespace: "data", Insecure: true},
		{Name: "pinned", Repository: "127.0.0.1:5000/pinned", Ref: generate.Ref{Tag: "1.10", Digest: digest}, Path: "./deploy"},
		{Name: "clusters", Repository: "registry.example.com/org/manifests", Ref: generate.Ref{Tag: "1.10"}, Bootstrap: true},
	}
}

func trusts(t *testing.T) map[string]generate.Options {
	t.Helper()
	return map[string]generate.Options{
		"keys": {Trust: generate.Trust{Keys: []generate.Key{{Name: "old.pub", PEM: publicKey(t)}, {Name: "new.pub", PEM: publicKey(t)}}}},
		"identity": {
			Namespace: "gitops", Interval: 90 * time.Second, RetryInterval: 1500 * time.Millisecond, Timeout: 26 * time.Hour, KeepRemoved: true, NoWait: true,
			PullSecret: "registry", CertSecret: "registry-ca", Provider: "aws", ServiceAccount: "deployer",
			Trust: generate.Trust{Issuer: "https://gitlab.com", SubjectRegExp: `^https://gitlab\.com/org/fleet//\.gitlab-ci\.yml@.*$`, TrustedRoot: []byte("{}")},
		},
	}
}

// Everything that is generated for Flux is valid by the definitions of the Flux release that is pinned here.
func TestGeneratedObjectsAreValid(t *testing.T) {
	kinds := definitions(t)
	for name, o := range trusts(t) {
		t.Run(name, func(t *testing.T) {
			files, err := generate.Flux(fleet(), o)
			if err != nil {
				t.Fatal(err)
			}
			validated := 0
			for _, object := range objects(t, generate.Stream(files)) {
				kind := object["apiVersion"].(string) + "/" + object["kind"].(string)
				if kind == "v1/Secret" {
					continue
				}
				d, ok := kinds[kind]
				if !ok {
					t.Errorf("Flux has no %s", kind)
					continue
				}
				validated++
				if err := d.check(t, object); err != nil {
					t.Errorf("%s: %v\n%v", kind, err, object)
				}
			}
			if validated != 2*len(fleet()) {
				t.Errorf("%d objects were validated", validated)
			}
		})
	}
}

// The validator is one: it finds what an API server would refuse or drop.
func TestValidatorRefuses(t *testing.T) {
	kinds := definitions(t)
	valid := "apiVersion: source.toolkit.fluxcd.io/v1\nkind: OCIRepository\nmetadata: {name: a}\nspec: {interval: 1m, url: oci://r.io/a, verify: {provider: cosign}}\n"
	chart := "apiVersion: source.toolkit.fluxcd.io/v1\nkind: HelmChart\nmetadata: {name: a}\nspec: {interval: 1m, chart: a, sourceRef: {kind: Bucket, name: b}, verify: {provider: cosign}}\n"
	for name, tt := range map[string]struct{ text, kind, want string }{
		"nothing":       {valid, "OCIRepository", ""},
		"scheme":        {strings.Replace(valid, "oci://", "https://", 1), "OCIRepository", "should match"},
		"interval":      {strings.Replace(valid, "1m", "1 minute", 1), "OCIRepository", "should match"},
		"provider":      {strings.Replace(valid, "cosign", "gpg", 1), "OCIRepository", "Unsupported value"},
		"unknown field": {strings.Replace(valid, "provider: cosign", "provider: cosign, key: a", 1), "OCIRepository", "unknown field spec.verify.key"},
		"rule":          {chart, "HelmChart", "only supported when"},
	} {
		t.Run(name, func(t *testing.T) {
			err := kinds["source.toolkit.fluxcd.io/v1/"+tt.kind].check(t, objects(t, []byte(tt.text))[0])
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}
