package finding

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// sarifSchema is where the schema of SARIF 2.1.0 is published.
const sarifSchema = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"

// homepage of this program.
const homepage = "https://github.com/artifactctl/artifactctl"

type sarifLog struct {
	Schema  string     `json:"$schema"`
	Version string     `json:"version"`
	Runs    []sarifRun `json:"runs"`
}

type sarifRun struct {
	Tool        sarifTool         `json:"tool"`
	Invocations []sarifInvocation `json:"invocations"`
	Results     []sarifResult     `json:"results"`
	ColumnKind  string            `json:"columnKind"`
}

type sarifTool struct {
	Driver sarifDriver `json:"driver"`
}

type sarifDriver struct {
	Name           string      `json:"name"`
	Version        string      `json:"version,omitempty"`
	InformationURI string      `json:"informationUri"`
	Rules          []sarifRule `json:"rules"`
}

type sarifRule struct {
	ID               string    `json:"id"`
	ShortDescription sarifText `json:"shortDescription"`
}

type sarifText struct {
	Text string `json:"text"`
}

type sarifInvocation struct {
	Successful    bool                `json:"executionSuccessful"`
	Notifications []sarifNotification `json:"toolExecutionNotifications,omitempty"`
}

type sarifNotification struct {
	Level   string    `json:"level"`
	Message sarifText `json:"message"`
}

type sarifResult struct {
	RuleID       string            `json:"ruleId"`
	RuleIndex    int               `json:"ruleIndex"`
	Level        string            `json:"level"`
	Message      sarifText         `json:"message"`
	Locations    []sarifLocation   `json:"locations,omitempty"`
	Fingerprints map[string]string `json:"partialFingerprints"`
}

type sarifLocation struct {
	Physical *sarifPhysical `json:"physicalLocation,omitempty"`
	Logical  []sarifLogical `json:"logicalLocations,omitempty"`
}

type sarifPhysical struct {
	Artifact sarifArtifact `json:"artifactLocation"`
	Region   *sarifRegion  `json:"region,omitempty"`
}

type sarifArtifact struct {
	URI string `json:"uri"`
}

type sarifRegion struct {
	StartLine int `json:"startLine"`
}

type sarifLogical struct {
	Name               string `json:"name,omitempty"`
	FullyQualifiedName string `json:"fullyQualifiedName"`
	Kind               string `json:"kind"`
}

// SARIF returns a report as a SARIF 2.1.0 log of one run by this program, whose version is given. A result lies in the
// repository where there is such a place, and names the app and the object as its logical location. A gate that could
// not judge is a result, too, so that it is seen where results are shown, and makes the run an unsuccessful one.
func SARIF(r *Report, version string) ([]byte, error) {
	findings := r.Findings()
	ids := map[string]int{}
	run := sarifRun{
		Tool:        sarifTool{Driver: sarifDriver{Name: "artifactctl", Version: version, InformationURI: homepage, Rules: []sarifRule{}}},
		Invocations: []sarifInvocation{{Successful: true}}, Results: []sarifResult{}, ColumnKind: "unicodeCodePoints",
	}
	for _, id := range ruleIDs(findings) {
		ids[id] = len(run.Tool.Driver.Rules)
		run.Tool.Driver.Rules = append(run.Tool.Driver.Rules, sarifRule{ID: id, ShortDescription: sarifText{Text: describe(id)}})
	}
	for _, f := range findings {
		id := f.Title("/")
		run.Results = append(run.Results, sarifResult{
			RuleID: id, RuleIndex: ids[id], Level: string(f.Severity), Message: sarifText{Text: f.Summary()},
			Locations: locationsOf(f), Fingerprints: map[string]string{"artifactctl/v1": fingerprint(f)},
		})
		if f.Broken {
			run.Invocations[0].Successful = false
			run.Invocations[0].Notifications = append(run.Invocations[0].Notifications,
				sarifNotification{Level: string(f.Severity), Message: sarifText{Text: f.Gate + ": " + f.Summary()}})
		}
	}
	log := sarifLog{Schema: sarifSchema, Version: "2.1.0", Runs: []sarifRun{run}}
	var content bytes.Buffer
	encoder := json.NewEncoder(&content)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(log); err != nil {
		return nil, fmt.Errorf("encode SARIF log: %w", err)
	}
	return content.Bytes(), nil
}

// ruleIDs returns the ids of rules that were not kept to, sorted.
func ruleIDs(findings []Finding) []string {
	var ids []string
	for _, f := range findings {
		ids = append(ids, f.Title("/"))
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

func describe(id string) string {
	gate, rule, named := strings.Cut(id, "/")
	switch {
	case !named:
		return "gate " + gate
	case rule == RuleBroken:
		return "gate " + gate + " could not judge"
	}
	return "gate " + gate + ", rule " + rule
}

// locationsOf returns the place of a finding, as far as it is known.
func locationsOf(f Finding) []sarifLocation {
	var l sarifLocation
	if f.Source != "" {
		l.Physical = &sarifPhysical{Artifact: sarifArtifact{URI: (&url.URL{Path: f.Source}).EscapedPath()}, Region: &sarifRegion{StartLine: max(1, f.SourceLine)}}
	}
	if f.App != "" {
		l.Logical = append(l.Logical, sarifLogical{Name: f.App, FullyQualifiedName: f.App, Kind: "module"})
	}
	if f.Object != "" {
		l.Logical = []sarifLogical{{
			Name: f.Object[strings.LastIndexByte(f.Object, '/')+1:], FullyQualifiedName: strings.TrimPrefix(f.App+"/"+f.Object, "/"), Kind: "resource",
		}}
	}
	if l.Physical == nil && l.Logical == nil {
		return nil
	}
	return []sarifLocation{l}
}

// fingerprint names a finding beyond one run: lines move, and are not part of it.
func fingerprint(f Finding) string {
	sum := sha256.Sum256([]byte(strings.Join([]string{f.Gate, f.Rule, f.App, f.Object, f.File, f.Message}, "\x00")))
	return hex.EncodeToString(sum[:16])
}
