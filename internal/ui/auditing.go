package ui

import (
	"fmt"

	"github.com/artifactctl/artifactctl/internal/flux/audit"
)

// AuditURL names the schema of AuditEnvelope.
const AuditURL = "https://artifactctl.dev/schema/audit.v1.schema.json"

// KindAudit is the document that audit prints.
const KindAudit Kind = "Audit"

// AuditEnvelope is the outcome of audit as programs read it, sources and findings in the order of files and lines.
type AuditEnvelope struct {
	Schema     string       `json:"$schema" jsonschema:"format=uri"`
	APIVersion string       `json:"apiVersion" jsonschema:"enum=artifactctl.dev/v1"`
	Kind       Kind         `json:"kind" jsonschema:"enum=Audit"`
	Generator  Generator    `json:"generator"`
	Summary    AuditSummary `json:"summary"`
	audit.Report
}

// AuditSummary counts sources by how they are verified, and findings by how bad they are.
type AuditSummary struct {
	Sources       int `json:"sources"`
	Key           int `json:"key"`
	Keyless       int `json:"keyless"`
	Misconfigured int `json:"misconfigured"`
	None          int `json:"none"`
	Delegated     int `json:"delegated"`
	Errors        int `json:"errors"`
	Warnings      int `json:"warnings"`
	Infos         int `json:"infos"`
	Accepted      int `json:"accepted"` // findings that the baseline accepts
}

// NewAuditEnvelope returns the document of an audit.
func NewAuditEnvelope(g Generator, r *audit.Report) AuditEnvelope {
	return AuditEnvelope{Schema: AuditURL, APIVersion: APIVersion, Kind: KindAudit, Generator: g, Report: *r, Summary: AuditSummary{
		Sources: len(r.Sources), Key: r.InState(audit.Key), Keyless: r.InState(audit.Keyless), Misconfigured: r.InState(audit.Misconfigured),
		None: r.InState(audit.None), Delegated: r.InState(audit.Delegated),
		Errors: r.Count(audit.Error), Warnings: r.Count(audit.Warning), Infos: r.Count(audit.Info), Accepted: len(r.Accepted),
	}}
}

// Audit ends the status display and prints what was found: as text, JSON, YAML, markdown or SARIF.
func (u *UI) Audit(r *audit.Report, o Output) error {
	u.Close()
	switch o.Format {
	case Markdown:
		_, err := u.stdout.Write(u.AuditMarkdown(r))
		return err
	case SARIF:
		return Encode(u.stdout, JSON, r.SARIF(o.Generator.Version))
	}
	return u.document(o, NewAuditEnvelope(o.Generator, r), func(p *page) { p.b.WriteString(Clean(u.hide(r.Text()))) })
}

// AuditMarkdown returns an audit for a CI job's summary page, at most SummaryLimit bytes long.
func (u *UI) AuditMarkdown(r *audit.Report) []byte {
	text := u.hide(r.Markdown())
	if len(text) > SummaryLimit {
		text = clip(text, SummaryLimit-200) + fmt.Sprintf("\n\n_The rest is left out: %d bytes are too long for this page._\n", len(text))
	}
	return []byte(Clean(text))
}
