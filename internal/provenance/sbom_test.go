package provenance_test

import (
	"bytes"
	"encoding/json"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/artifactctl/artifactctl/internal/inventory"
	"github.com/artifactctl/artifactctl/internal/provenance"
)

// schemas finds the schemas of CycloneDX in its library's module, whatever their address.
type schemas string

func (s schemas) Load(url string) (any, error) {
	name := strings.Replace(path.Base(url), "jsf-0.82.schema.json", "jsf-0.82.schemax.json", 1)
	return jsonschema.FileLoader{}.Load("file://" + filepath.ToSlash(filepath.Join(string(s), name)))
}

func cycloneDX(t *testing.T) *jsonschema.Schema {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/CycloneDX/cyclonedx-go").Output()
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.UseLoader(schemas(filepath.Join(strings.TrimSpace(string(out)), "schema")))
	c.AssertFormat()
	s, err := c.Compile("http://cyclonedx.org/schema/bom-1.6.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

type component struct {
	BOMRef             string `json:"bom-ref"`
	Type, Name         string
	Version, PURL      string
	Hashes, Properties []map[string]string
}

func TestSBOMIsCycloneDX(t *testing.T) {
	schema := cycloneDX(t)
	for name, i := range map[string]inventory.Inventory{
		"nothing": {},
		"all": {
			Images: []inventory.Image{
				inventory.ParseImage("nginx:1.27"), inventory.ParseImage("nginx:1.28"), inventory.ParseImage("bitnami/redis"),
				inventory.ParseImage("ghcr.io:443/Org/app:v1@sha256:" + sum), inventory.ParseImage("quay.io/a@sha256:short"), inventory.ParseImage("<odd & \"strange\">"),
			},
			Charts:    []inventory.Chart{{Name: "podinfo", Version: "v6.5.0", Repository: "https://charts.example.com"}, {Name: "podinfo", Version: "6.x"}, {Name: "./local"}},
			Artifacts: []inventory.Artifact{{URL: "ghcr.io/org/app", Tag: "edge", Digest: "sha256:" + sum}, {URL: "ghcr.io/org/app", Range: ">=1"}},
		},
	} {
		out, err := provenance.SBOM("web", "sha256:"+sum, "v1.0.0", i)
		if err != nil {
			t.Fatal(err)
		}
		document, err := jsonschema.UnmarshalJSON(bytes.NewReader(out))
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(document); err != nil {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
		again, err := provenance.SBOM("web", "sha256:"+sum, "v1.0.0", i)
		if err != nil || !bytes.Equal(out, again) {
			t.Errorf("%s: the same arguments give other bytes (%v)", name, err)
		}
	}
	if err := schema.Validate(map[string]any{"bomFormat": "CycloneDX"}); err == nil {
		t.Error("the schema accepts anything")
	}
}

func TestSBOMComponents(t *testing.T) {
	pinned := "sha256:" + sum
	out, err := provenance.SBOM("web", pinned, "v1.0.0", inventory.Inventory{
		Images:    []inventory.Image{inventory.ParseImage("ghcr.io:443/org/app:v1@" + pinned), inventory.ParseImage("nginx"), inventory.ParseImage("org/tool:1+x")},
		Charts:    []inventory.Chart{{Name: "podinfo", Version: "6.5.0", Repository: "oci://ghcr.io/charts"}, {Name: "podinfo", Version: ">=6"}},
		Artifacts: []inventory.Artifact{{URL: "ghcr.io/org/config", Range: "1.x"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	var bom struct {
		SpecVersion, SerialNumber string
		Metadata                  struct {
			Timestamp string
			Component component
		}
		Components   []component
		Dependencies []struct {
			Ref       string
			DependsOn []string
		}
	}
	if err := json.Unmarshal(out, &bom); err != nil {
		t.Fatal(err)
	}
	var got, refs []string
	for _, c := range bom.Components {
		refs = append(refs, c.BOMRef)
		got = append(got, strings.Join([]string{c.Type, c.Name, c.Version, c.PURL}, " "))
	}
	want := []string{
		"container ghcr.io:443/org/app v1 pkg:oci/app@sha256%3A" + sum + "?repository_url=ghcr.io%3A443/org/app&tag=v1",
		"container nginx  pkg:oci/nginx?repository_url=docker.io/library/nginx",
		"container org/tool 1+x pkg:oci/tool?repository_url=docker.io/org/tool&tag=1%2Bx",
		"application podinfo 6.5.0 pkg:helm/podinfo@6.5.0?repository_url=oci%3A//ghcr.io/charts",
		"application podinfo  pkg:helm/podinfo",
		"data ghcr.io/org/config  pkg:oci/config?repository_url=ghcr.io/org/config",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if h := bom.Components[0].Hashes; len(h) != 1 || h[0]["alg"] != "SHA-256" || h[0]["content"] != sum || bom.Components[1].Hashes != nil {
		t.Errorf("hashes %v", h)
	}
	if p := bom.Components[4].Properties; len(p) != 1 || p[0]["value"] != ">=6" {
		t.Errorf("properties %v", p)
	}
	if bom.SpecVersion != "1.6" || bom.SerialNumber != "" || bom.Metadata.Timestamp != "" || bom.Metadata.Component.Name != "web" {
		t.Errorf("got %+v", bom)
	}
	if len(bom.Dependencies) != 1 || !slices.Equal(bom.Dependencies[0].DependsOn, refs) {
		t.Errorf("dependencies %+v", bom.Dependencies)
	}
}
