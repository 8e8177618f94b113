package gate

import (
	"cmp"
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
	"github.com/yannh/kubeconform/pkg/resource"
	"github.com/yannh/kubeconform/pkg/validator"

	"github.com/artifactctl/artifactctl/internal/artifact"
	"github.com/artifactctl/artifactctl/internal/finding"
)

// Rules of kubeconform gates, besides the JSON schema keywords that were not kept to.
const (
	ruleYAML          = "yaml"
	ruleObject        = "object"
	ruleMissingSchema = "missing-schema"
	ruleRejected      = "rejected-kind"
	ruleSchema        = "schema"
)

// kustomizeGroup is the group of kustomization files: they lie among manifests, and are none.
const kustomizeGroup = "kustomize.config.k8s.io/"

// conform is a kubeconform gate.
type conform struct {
	Kubeconform
	version   string
	locations []location
	fleetCRDs bool
}

// newConform checks the options.
func newConform(k Kubeconform) (*conform, error) {
	c := &conform{Kubeconform: k, version: strings.TrimPrefix(cmp.Or(k.KubernetesVersion, "master"), "v"), fleetCRDs: k.FleetCRDs}
	if !versionForm.MatchString(c.version) {
		return nil, fmt.Errorf("kubernetes version %q: want one such as 1.34.1, or master", k.KubernetesVersion)
	}
	texts := k.Schemas
	if len(texts) == 0 {
		texts = []string{"default"}
	}
	for _, text := range texts {
		l, err := newLocation(text)
		if err != nil {
			return nil, err
		}
		c.locations = append(c.locations, l)
	}
	for _, pattern := range k.IgnoreFiles {
		if !doublestar.ValidatePattern(pattern) {
			return nil, fmt.Errorf("pattern %q of files to ignore: syntax error", pattern)
		}
	}
	return c, nil
}

// conformCheck is one look at one app.
type conformCheck struct {
	*conform
	app      string
	schemas  *schemas
	judges   *judges
	findings []finding.Finding
	uses     []use
	troubles []error
}

// check validates all objects of an app, until ctx is done. The errors are why the gate is broken; findings stand beside
// them.
func (c *conform) check(ctx context.Context, app string, files artifact.Files, s *schemas, j *judges) ([]finding.Finding, []use, []error) {
	check := &conformCheck{conform: c, app: app, schemas: s, judges: j}
	for _, name := range manifestFiles(files) {
		if c.ignoresFile(name) {
			continue
		}
		objects, problems := parse(name, files[name])
		for _, p := range problems {
			check.findings = append(check.findings, finding.Finding{File: p.file, Line: p.line, Rule: ruleYAML, Message: finding.Clean(p.text)})
		}
		for _, o := range objects {
			if ctx.Err() == nil {
				check.object(ctx, o)
			}
		}
	}
	slices.SortStableFunc(check.findings, func(a, b finding.Finding) int {
		return cmp.Or(strings.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line))
	})
	return check.findings, check.uses, check.troubles
}

// ignoresFile tells whether a pattern matches the whole path, or for one without a slash the name.
func (c *conform) ignoresFile(name string) bool {
	return slices.ContainsFunc(c.IgnoreFiles, func(pattern string) bool {
		return doublestar.MatchUnvalidated(pattern, name) ||
			!strings.Contains(pattern, "/") && doublestar.MatchUnvalidated(pattern, path.Base(name))
	})
}

// lists tells whether a kind is on a list, in either of kubeconform's spellings.
func lists(kinds []string, o object) bool {
	return slices.Contains(kinds, o.kind) || slices.Contains(kinds, o.apiVersion+"/"+o.kind)
}

func (c *conformCheck) object(ctx context.Context, o object) {
	switch {
	case !kindForm.MatchString(o.kind):
		c.find(o, nil, ruleObject, "the document has no usable kind")
		return
	case !apiVersionForm.MatchString(o.apiVersion):
		c.find(o, nil, ruleObject, "the document has no usable apiVersion")
		return
	case lists(c.IgnoreKinds, o) || strings.HasPrefix(o.apiVersion, kustomizeGroup):
		return
	case lists(c.RejectKinds, o):
		c.find(o, []string{"kind"}, ruleRejected, "the kind "+o.kind+" is not allowed")
		return
	}
	schema, uses, err := c.schemas.find(ctx, c.conform, c.app, o.apiVersion, o.kind)
	c.use(uses)
	switch {
	case err != nil:
		c.trouble(err)
	case schema != nil:
		c.judge(o, schema)
	case !c.IgnoreMissingSchemas:
		c.find(o, []string{"kind"}, ruleMissingSchema, fmt.Sprintf("there is no schema for %s %s", o.apiVersion, o.kind))
		c.findings[len(c.findings)-1].Hint = "name a place that has it in schemas, or the kind in ignoreKinds"
	}
}

// use notes places, each once.
func (c *conformCheck) use(uses []use) {
	for _, u := range uses {
		if !slices.Contains(c.uses, u) {
			c.uses = append(c.uses, u)
		}
	}
}

// trouble notes why the gate is broken, once for all objects of a kind.
func (c *conformCheck) trouble(err error) {
	if !slices.ContainsFunc(c.troubles, func(known error) bool { return known.Error() == err.Error() }) {
		c.troubles = append(c.troubles, err)
	}
}

// judge has kubeconform judge an object, and says where in it the faults are.
func (c *conformCheck) judge(o object, schema []byte) {
	j, err := c.judges.of(schema, c.Strict)
	if err != nil {
		c.trouble(fmt.Errorf("schema of %s %s: %w", o.apiVersion, o.kind, err))
		return
	}
	result, err := j.validate(resource.Resource{Path: o.file, Bytes: o.raw})
	switch {
	case err != nil:
		c.trouble(fmt.Errorf("validate %s: %w", o.title(), err))
	case result.Status == validator.Valid || result.Status == validator.Empty:
	case result.Status == validator.Invalid:
		for _, f := range j.faults(result, o) {
			c.find(o, f.at, f.rule, f.text)
		}
	case strings.HasPrefix(result.Err.Error(), "error unmarshalling"):
		p := yamlProblem(o.file, o.offset, result.Err)
		c.findings = append(c.findings, finding.Finding{Object: o.title(), File: p.file, Line: p.line, Rule: ruleYAML, Message: finding.Clean(p.text)})
	default: // no other answer is known; one that is not understood is no pass
		c.trouble(fmt.Errorf("validate %s: %w", o.title(), result.Err))
	}
}

func (c *conformCheck) find(o object, at []string, rule, text string) {
	c.findings = append(c.findings, finding.Finding{
		Object: finding.Clean(o.title()), File: o.file, Line: o.line(at), Rule: rule, Message: finding.Clean(text),
	})
}
