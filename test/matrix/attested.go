package matrix

import (
	"context"
	"fmt"
	"slices"

	"github.com/artifactctl/artifactctl/internal/attest"
)

// billPredicate is the kind of statement that a bill of materials is.
const billPredicate = "https://cyclonedx.org/bom"

// predicates are what artifactctl states of an app, by kind.
func predicates() map[string]string {
	return map[string]string{
		provenancePredicate: `{"buildDefinition":{"buildType":"https://github.com/artifactctl/artifactctl/blob/main/docs/provenance.md#build-type-v1",` +
			`"externalParameters":{"app":"web","path":"apps/web","config":"publish.yaml","render":"kustomize","source":"git+https://git.example.com/org/fleet",` +
			`"revision":"main@sha1:0123456789012345678901234567890123456789"},"resolvedDependencies":[{"name":"source",` +
			`"digest":{"gitCommit":"0123456789012345678901234567890123456789"}}]},"runDetails":{"builder":{"id":"https://ci.example.com"}}}`,
		billPredicate: `{"$schema":"http://cyclonedx.org/schema/bom-1.6.schema.json","bomFormat":"CycloneDX","specVersion":"1.6","version":1,` +
			`"metadata":{"component":{"bom-ref":"app:web","type":"data","name":"web"}},"components":[{"bom-ref":"image:nginx:1.29","type":"container",` +
			`"name":"nginx","version":"1.29"}],"dependencies":[{"ref":"app:web","dependsOn":["image:nginx:1.29"]}]}`,
	}
}

// sealer makes the bundle of a statement.
type sealer func(statement []byte) ([]byte, error)

// WithAttestations returns the case with a provenance and a bill of materials by one whom its policy trusts: in one they
// were attached before anything else was done, in the other, where that can be, after all. Flux takes any statement of
// whoever is trusted for a signature, so that wherever it can read them it accepts, whatever else is there. Attestations
// of what the artifact was before somebody changed it help nobody.
func (c Case) WithAttestations() []Case {
	first, last := c, c
	first.Name, first.steps = c.Name+"-attested-first", append([]step{c.Policy.attestations}, c.steps...)
	last.Name, last.steps = c.Name+"-attested-last", append(slices.Clone(c.steps), c.Policy.attestations)
	if !c.stray {
		first.attested()
	}
	if c.closed {
		return []Case{first}
	}
	last.attested()
	return []Case{first, last}
}

// attested is what becomes of a case when attestations by somebody trusted are listed beside what Tag names.
func (c *Case) attested() {
	if c.Want == Missing || c.Want == Unknown && c.fault != nil && c.fault.part != legacyTag {
		return // they are not seen
	}
	c.Attested, c.Want, c.Reason, c.Stricter = true, Signed, "", ""
}

// attestations is the step that attaches them.
func (p Policy) attestations(ctx context.Context, w *work) error {
	for kind, predicate := range predicates() {
		r, err := attest.AttestationRequest(w.repo.Name(), w.subject.Digest.String(), kind, []byte(predicate))
		if err != nil {
			return err
		}
		b, err := p.seal(r.Payload)
		if err != nil {
			return fmt.Errorf("state %s: %w", kind, err)
		}
		layer, err := w.blob(ctx, bundleType, b)
		if err == nil {
			_, err = w.referrer(ctx, w.subject, func(m *manifest) { m.Annotations["dev.sigstore.bundle.predicateType"] = kind }, layer)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
