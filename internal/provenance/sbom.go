package provenance

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"

	cdx "github.com/CycloneDX/cyclonedx-go"
	"github.com/Masterminds/semver/v3"

	"github.com/artifactctl/artifactctl/internal/inventory"
)

// Names of properties for what CycloneDX has no field for.
const (
	propertyRange = "artifactctl:versionRange" // of a chart or an artifact whose version is chosen in the cluster
	propertyURL   = "artifactctl:repository"   // of a chart
)

// SBOM returns a CycloneDX 1.6 bill of materials, JSON: what the manifests of an app bring into a cluster. content is the
// digest of the files, tool the version of this program. It has no serial number and no time, so that it is a function
// of its arguments.
func SBOM(app, content, tool string, i inventory.Inventory) ([]byte, error) {
	components := slices.Concat(images(i.Images), charts(i.Charts), artifacts(i.Artifacts))
	refs := []string{}
	for _, c := range components {
		refs = append(refs, c.BOMRef)
	}
	root := "app:" + app
	bom := cdx.NewBOM()
	bom.Metadata = &cdx.Metadata{
		Component: &cdx.Component{BOMRef: root, Type: cdx.ComponentTypeData, Name: app, Version: content},
		Tools:     &cdx.ToolsChoice{Components: &[]cdx.Component{{Type: cdx.ComponentTypeApplication, Name: "artifactctl", Version: tool}}},
	}
	bom.Components = &components
	bom.Dependencies = &[]cdx.Dependency{{Ref: root, Dependencies: &refs}}
	var out bytes.Buffer
	if err := cdx.NewBOMEncoder(&out, cdx.BOMFileFormatJSON).EncodeVersion(bom, cdx.SpecVersion1_6); err != nil {
		return nil, fmt.Errorf("encode the bill of materials of %s: %w", app, err)
	}
	return bytes.TrimSpace(out.Bytes()), nil
}

func images(all []inventory.Image) []cdx.Component {
	out := []cdx.Component{} // a list, however empty: null is no list
	for _, i := range all {
		out = append(out, cdx.Component{
			BOMRef: "image:" + i.Ref, Type: cdx.ComponentTypeContainer, Name: i.Name, Version: cmp.Or(i.Tag, i.Digest),
			PackageURL: imageURL(i), Hashes: hashes(i.Digest),
		})
	}
	return out
}

// hashes is the digest that a reference is pinned to.
func hashes(digest string) *[]cdx.Hash {
	value, ok := strings.CutPrefix(digest, "sha256:")
	if !ok || len(value) != 64 {
		return nil
	}
	return &[]cdx.Hash{{Algorithm: cdx.HashAlgoSHA256, Value: value}}
}

func charts(all []inventory.Chart) []cdx.Component {
	var out []cdx.Component
	for _, c := range all {
		component := cdx.Component{
			BOMRef: "chart:" + strings.Join([]string{c.Repository, c.Name, c.Version}, "|"), Type: cdx.ComponentTypeApplication, Name: c.Name,
		}
		component.Version, component.Properties = version(c.Version)
		component.PackageURL = helmURL(c.Name, component.Version, c.Repository)
		if c.Repository != "" {
			component.Properties = add(component.Properties, propertyURL, c.Repository)
		}
		out = append(out, component)
	}
	return out
}

func artifacts(all []inventory.Artifact) []cdx.Component {
	var out []cdx.Component
	for _, a := range all {
		c := cdx.Component{
			BOMRef: "artifact:" + strings.Join([]string{a.URL, a.Tag, a.Range, a.Digest}, "|"), Type: cdx.ComponentTypeData, Name: a.URL,
			Version: cmp.Or(a.Tag, a.Digest), Hashes: hashes(a.Digest),
			PackageURL: imageURL(inventory.Image{Name: a.URL, Tag: a.Tag, Digest: a.Digest}),
		}
		if a.Range != "" {
			c.Properties = add(nil, propertyRange, a.Range)
		}
		out = append(out, c)
	}
	return out
}

// version tells a version from a range of versions.
func version(text string) (exact string, properties *[]cdx.Property) {
	if text == "" {
		return "", nil
	}
	if _, err := semver.StrictNewVersion(strings.TrimPrefix(text, "v")); err == nil {
		return text, nil
	}
	return "", add(nil, propertyRange, text)
}

func add(to *[]cdx.Property, name, value string) *[]cdx.Property {
	if to == nil {
		to = &[]cdx.Property{}
	}
	all := append(*to, cdx.Property{Name: name, Value: value})
	return &all
}
