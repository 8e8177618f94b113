package tree

import (
	"bytes"
	"strings"

	"sigs.k8s.io/kustomize/api/types"
	kyaml "sigs.k8s.io/kustomize/kyaml/yaml"
)

// kindOfReference is what a reference has to lead to.
type kindOfReference int

const (
	toFile      kindOfReference = iota
	toDirectory                 // one with a kustomization
	toEither                    // a file, or a directory with a kustomization
	toPlace                     // something inside, or nothing yet
)

// reference is a path in a kustomization.
type reference struct {
	field string // as in the file
	entry string // as in the file
	path  string
	kind  kindOfReference
	line  int // 0 when unknown
}

// kustomizationGroup is the API group of kustomize; files may leave it out. Kinds of other groups, such as the
// Kustomization of Flux, are no kustomizations, whatever their files are called.
const kustomizationGroup = "kustomize.config.k8s.io/"

// isKustomization tells whether content is meant for kustomize.
func isKustomization(content []byte) bool {
	var meta struct {
		APIVersion string `yaml:"apiVersion"`
	}
	if err := kyaml.Unmarshal(content, &meta); err != nil {
		return true // let kustomize itself say what is wrong
	}
	return meta.APIVersion == "" || strings.HasPrefix(meta.APIVersion, kustomizationGroup)
}

// references returns all paths that a kustomization names, and whether it needs helm. Paths inside the files that it
// names (a transformer's configuration, say) are not looked for.
func references(content []byte) (refs []reference, helm bool, err error) {
	var k types.Kustomization
	if err := k.Unmarshal(content); err != nil {
		return nil, false, err
	}
	var c collector
	c.addDeprecated(&k)
	c.add(toEither, "resources", k.Resources...)
	c.add(toDirectory, "components", k.Components...)
	c.add(toFile, "crds", k.Crds...)
	c.add(toFile, "configurations", k.Configurations...)
	c.add(toFile, "openapi", k.OpenAPI["path"])
	c.addUnlessInline(toEither, "generators", k.Generators)
	c.addUnlessInline(toEither, "transformers", k.Transformers)
	c.addUnlessInline(toEither, "validators", k.Validators)
	for _, p := range k.Patches {
		c.add(toFile, "patches", p.Path)
	}
	for _, r := range k.Replacements {
		c.add(toFile, "replacements", r.Path)
	}
	for _, g := range k.ConfigMapGenerator {
		c.addSources("configMapGenerator", g.KvPairSources)
	}
	for _, g := range k.SecretGenerator {
		c.addSources("secretGenerator", g.KvPairSources)
	}
	helm = c.addHelm(&k)
	c.locate(content)
	return c.refs, helm, nil
}

// collector gathers references.
type collector struct{ refs []reference }

func (c *collector) add(kind kindOfReference, field string, entries ...string) {
	for _, entry := range entries {
		if entry != "" {
			c.refs = append(c.refs, reference{field: field, entry: entry, path: entry, kind: kind})
		}
	}
}

// addUnlessInline adds entries of fields that take a path or a whole object.
func (c *collector) addUnlessInline(kind kindOfReference, field string, entries []string) {
	for _, entry := range entries {
		var object map[string]any
		if strings.Contains(entry, "\n") || kyaml.Unmarshal([]byte(entry), &object) == nil && len(object) > 0 {
			continue
		}
		c.add(kind, field, entry)
	}
}

// addDeprecated adds the entries of fields that kustomize still obeys.
func (c *collector) addDeprecated(k *types.Kustomization) {
	c.add(toEither, "bases", k.Bases...)        //nolint:staticcheck // deprecated, but built
	for _, p := range k.PatchesStrategicMerge { //nolint:staticcheck // deprecated, but built
		c.addUnlessInline(toFile, "patchesStrategicMerge", []string{string(p)})
	}
	for _, p := range k.PatchesJson6902 { //nolint:staticcheck // deprecated, but built
		c.add(toFile, "patchesJson6902", p.Path)
	}
}

// addSources adds the files of a generator; `files` entries may have the form key=path.
func (c *collector) addSources(field string, s types.KvPairSources) {
	for _, entry := range s.FileSources {
		p := entry
		if _, after, ok := strings.Cut(entry, "="); ok {
			p = after
		}
		c.refs = append(c.refs, reference{field: field, entry: entry, path: p, kind: toFile})
	}
	c.add(toFile, field, s.EnvSources...)
	c.add(toFile, field, s.EnvSource)
}

func (c *collector) addHelm(k *types.Kustomization) bool {
	if k.HelmGlobals != nil {
		c.add(toPlace, "helmGlobals", k.HelmGlobals.ChartHome, k.HelmGlobals.ConfigHome)
	}
	for _, chart := range k.HelmCharts {
		c.add(toFile, "helmCharts", chart.ValuesFile)
		c.add(toFile, "helmCharts", chart.AdditionalValuesFiles...)
	}
	for _, chart := range k.HelmChartInflationGenerator {
		c.add(toFile, "helmChartInflationGenerator", chart.Values)
		c.add(toPlace, "helmChartInflationGenerator", chart.ChartHome)
	}
	return len(k.HelmCharts)+len(k.HelmChartInflationGenerator) > 0
}

// locate finds the lines of the entries. The n-th reference with a text gets the n-th scalar with that text.
func (c *collector) locate(content []byte) {
	var document kyaml.Node
	if err := kyaml.NewDecoder(bytes.NewReader(content)).Decode(&document); err != nil {
		return
	}
	lines := map[string][]int{}
	stack := []*kyaml.Node{&document}
	for len(stack) > 0 {
		node := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if node.Kind == kyaml.ScalarNode {
			lines[node.Value] = append(lines[node.Value], node.Line)
		}
		for i := len(node.Content) - 1; i >= 0; i-- { // an alias has no content: its anchor has been seen
			stack = append(stack, node.Content[i])
		}
	}
	for i := range c.refs {
		entry := c.refs[i].entry
		if found := lines[entry]; len(found) > 0 {
			c.refs[i].line = found[0]
			if len(found) > 1 {
				lines[entry] = found[1:]
			}
		}
	}
}
