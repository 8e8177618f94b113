package gate

import (
	"encoding/json"
	"fmt"
	"net/url"
	"path"
	"strings"

	"github.com/artifactctl/artifactctl/internal/finding"
)

// findings returns what a command said: lines are of the stream, File is the path that the command named.
func (o outcome) findings(r *Run) ([]finding.Finding, error) {
	var findings []finding.Finding
	var err error
	switch r.format() {
	case Conftest:
		findings, err = fromConftest(o.stdout)
	case Sarif:
		findings, err = fromSarif(o.stdout)
	}
	if err != nil {
		return nil, &failed{what: fmt.Sprintf("%s did not print %s (exit status %d): %v", r.Command[0], r.format(), o.status, err),
			words: lastLines(o.words), hint: outputHint(r.format())}
	}
	for _, f := range findings {
		if f.Severity == finding.Error {
			return findings, nil
		}
	}
	if o.status != 0 {
		findings = append(findings, finding.Finding{Severity: finding.Error, Rule: ruleRefused, Message: o.message(r.Command[0])})
	}
	return findings, nil
}

func outputHint(f Format) string {
	if f == Conftest {
		return "run conftest with --output json"
	}
	return "have the command print a SARIF 2.1.0 log to standard output, and all else to standard error"
}

// message returns the words of a refusal.
func (o outcome) message(name string) string {
	switch {
	case o.words == "":
		return fmt.Sprintf("%s refused with exit status %d, without a word", name, o.status)
	case o.dropped > 0:
		return fmt.Sprintf("%s\n(and %d bytes more)", o.words, o.dropped)
	}
	return o.words
}

// conftestFile is an element of what `conftest test --output json` prints.
type conftestFile struct {
	Filename  string            `json:"filename"`
	Namespace string            `json:"namespace"`
	Warnings  []conftestMessage `json:"warnings"`
	Failures  []conftestMessage `json:"failures"`
}

type conftestMessage struct {
	Message string `json:"msg"`
}

func fromConftest(output []byte) ([]finding.Finding, error) {
	var files []conftestFile
	if err := json.Unmarshal(output, &files); err != nil {
		return nil, plainJSON(err)
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("it has looked at nothing")
	}
	var findings []finding.Finding
	for _, file := range files {
		for _, m := range file.Failures {
			findings = append(findings, finding.Finding{Severity: finding.Error, File: file.Filename, Rule: file.Namespace, Message: finding.Clean(m.Message)})
		}
		for _, m := range file.Warnings {
			findings = append(findings, finding.Finding{Severity: finding.Warning, File: file.Filename, Rule: file.Namespace, Message: finding.Clean(m.Message)})
		}
	}
	return findings, nil
}

// sarifInput is the part of a SARIF log that is read.
type sarifInput struct {
	Version string `json:"version"`
	Runs    []struct {
		Tool struct {
			Driver struct {
				Rules []struct {
					ID            string `json:"id"`
					Configuration struct {
						Level string `json:"level"`
					} `json:"defaultConfiguration"`
				} `json:"rules"`
			} `json:"driver"`
		} `json:"tool"`
		Results []sarifInputResult `json:"results"`
	} `json:"runs"`
}

type sarifInputResult struct {
	RuleID  string `json:"ruleId"`
	Kind    string `json:"kind"`
	Level   string `json:"level"`
	Message struct {
		Text string `json:"text"`
	} `json:"message"`
	Suppressions []struct {
		Status string `json:"status"`
	} `json:"suppressions"`
	Locations []struct {
		Physical struct {
			Artifact struct {
				URI string `json:"uri"`
			} `json:"artifactLocation"`
			Region struct {
				StartLine int `json:"startLine"`
			} `json:"region"`
		} `json:"physicalLocation"`
	} `json:"locations"`
}

// fromSarif reads results (SARIF 2.1.0, 3.27). The level error is one of ours, any other but none is a warning.
func fromSarif(output []byte) ([]finding.Finding, error) {
	var log sarifInput
	if err := json.Unmarshal(output, &log); err != nil {
		return nil, plainJSON(err)
	}
	if log.Version == "" || len(log.Runs) == 0 {
		return nil, fmt.Errorf("it is a log without a run")
	}
	var findings []finding.Finding
	for _, run := range log.Runs {
		levels := map[string]string{}
		for _, rule := range run.Tool.Driver.Rules {
			levels[rule.ID] = rule.Configuration.Level
		}
		for _, result := range run.Results {
			if f, counts := result.finding(levels); counts {
				findings = append(findings, f)
			}
		}
	}
	return findings, nil
}

// finding returns a result as a finding, if it is one: a failure that is not suppressed.
func (r sarifInputResult) finding(levels map[string]string) (finding.Finding, bool) {
	level := r.Level
	if level == "" {
		level = levels[r.RuleID]
	}
	if level == "none" || len(r.Suppressions) > 0 || r.Kind != "" && r.Kind != "fail" {
		return finding.Finding{}, false
	}
	f := finding.Finding{Severity: finding.Warning, Rule: finding.Clean(r.RuleID), Message: finding.Clean(r.Message.Text)}
	if level == "error" {
		f.Severity = finding.Error
	}
	if len(r.Locations) > 0 {
		place := r.Locations[0].Physical
		f.File, f.Line = place.Artifact.URI, place.Region.StartLine
		if u, err := url.Parse(f.File); err == nil && u.Scheme == "file" {
			f.File = u.Path
		}
	}
	return f, true
}

// plainJSON takes the names of our types out of an error of the JSON decoder.
func plainJSON(err error) error {
	if strings.Contains(err.Error(), "unmarshal") {
		return fmt.Errorf("the JSON is of another form")
	}
	return err
}

// appOf returns the app that a path in a fleet's sheet belongs to; empty when there is none.
func appOf(file string, apps []App) string {
	name := strings.TrimSuffix(path.Base(strings.ReplaceAll(file, "\\", "/")), ".yaml")
	for _, app := range apps {
		if app.Name == name {
			return name
		}
	}
	return ""
}
