package audit

import (
	"crypto/sha256"
	"encoding/hex"
	"net/url"
)

// SARIF is a log of OASIS SARIF 2.1.0, as far as it is used here. Encode it as JSON.
type SARIF struct {
	Schema  string     `json:"$schema"`
	Version string     `json:"version"`
	Runs    []SARIFRun `json:"runs"`
}

// SARIFRun is one run of the tool.
type SARIFRun struct {
	Tool       SARIFTool     `json:"tool"`
	ColumnKind string        `json:"columnKind"`
	Results    []SARIFResult `json:"results"`
}

// SARIFTool names the program and its rules.
type SARIFTool struct {
	Driver SARIFDriver `json:"driver"`
}

// SARIFDriver is the program.
type SARIFDriver struct {
	Name            string      `json:"name"`
	SemanticVersion string      `json:"semanticVersion,omitempty"`
	Version         string      `json:"version,omitempty"`
	Rules           []SARIFRule `json:"rules"`
}

// SARIFRule describes a rule.
type SARIFRule struct {
	ID      string      `json:"id"`
	Short   SARIFText   `json:"shortDescription"`
	Full    SARIFText   `json:"fullDescription"`
	Default SARIFConfig `json:"defaultConfiguration"`
}

// SARIFConfig is the usual level of a rule.
type SARIFConfig struct {
	Level string `json:"level"`
}

// SARIFText is a message.
type SARIFText struct {
	Text     string `json:"text"`
	Markdown string `json:"markdown,omitempty"`
}

// SARIFResult is a finding.
type SARIFResult struct {
	RuleID       string             `json:"ruleId"`
	RuleIndex    int                `json:"ruleIndex"`
	Level        string             `json:"level"`
	Message      SARIFText          `json:"message"`
	Locations    []SARIFLocation    `json:"locations"`
	Fingerprints map[string]string  `json:"partialFingerprints"`
	Suppressions []SARIFSuppression `json:"suppressions,omitempty"`
}

// SARIFLocation is a place in a file, and the object there.
type SARIFLocation struct {
	Physical SARIFPhysical  `json:"physicalLocation"`
	Logical  []SARIFLogical `json:"logicalLocations,omitempty"`
}

// SARIFPhysical is a place in a file.
type SARIFPhysical struct {
	Artifact SARIFArtifact `json:"artifactLocation"`
	Region   SARIFRegion   `json:"region"`
}

// SARIFArtifact is a file, by a relative URI.
type SARIFArtifact struct {
	URI string `json:"uri"`
}

// SARIFRegion is a line, from 1.
type SARIFRegion struct {
	StartLine int `json:"startLine"`
}

// SARIFLogical names an object.
type SARIFLogical struct {
	Name string `json:"fullyQualifiedName"`
	Kind string `json:"kind"`
}

// SARIFSuppression says that the baseline accepts a finding.
type SARIFSuppression struct {
	Kind          string `json:"kind"`
	Justification string `json:"justification"`
}

// SARIF returns the report as a SARIF log. Accepted findings are in it, suppressed. version is that of this program.
func (r *Report) SARIF(version string) SARIF {
	index := map[string]int{}
	var rules []SARIFRule
	for i, rule := range Rules() {
		index[rule.ID] = i
		rules = append(rules, SARIFRule{ID: rule.ID, Short: SARIFText{Text: rule.Title}, Full: SARIFText{Text: rule.Why}, Default: SARIFConfig{level(rule.Severity)}})
	}
	results := []SARIFResult{}
	for _, f := range r.Findings {
		results = append(results, result(f, index))
	}
	for _, f := range r.Accepted {
		one := result(f.Finding, index)
		one.Suppressions = []SARIFSuppression{{Kind: "external", Justification: f.Reason}}
		results = append(results, one)
	}
	return SARIF{
		Schema: "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json", Version: "2.1.0",
		Runs: []SARIFRun{{Tool: SARIFTool{SARIFDriver{Name: "artifactctl", Version: version, Rules: rules}}, ColumnKind: "unicodeCodePoints", Results: results}},
	}
}

func result(f Finding, index map[string]int) SARIFResult {
	text := f.Object + ": " + f.Message + ". " + f.Why + " Fix: " + f.Fix + "."
	message := SARIFText{Text: text}
	if f.Block != "" {
		message.Text += "\n\n" + f.Block
		message.Markdown = text + "\n\n```yaml\n" + f.Block + "```\n"
	}
	return SARIFResult{
		RuleID: f.Rule, RuleIndex: index[f.Rule], Level: level(f.Severity), Message: message, Fingerprints: map[string]string{"artifactctl/v1": fingerprint(f)},
		Locations: []SARIFLocation{{
			Physical: SARIFPhysical{SARIFArtifact{(&url.URL{Path: f.File}).EscapedPath()}, SARIFRegion{max(f.Line, 1)}},
			Logical:  []SARIFLogical{{Name: f.Object, Kind: "resource"}},
		}},
	}
}

// fingerprint stays the same when lines move.
func fingerprint(f Finding) string {
	sum := sha256.Sum256([]byte(f.Rule + "\x00" + f.Object + "\x00" + f.File + "\x00" + f.Message))
	return hex.EncodeToString(sum[:])
}

func level(s Severity) string {
	if s == Info {
		return "note"
	}
	return string(s)
}
