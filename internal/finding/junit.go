package finding

import (
	"encoding/xml"
	"fmt"
	"strconv"
	"strings"
)

// fleetCase is the name of the test case of a gate that looks at all apps at once.
const fleetCase = "fleet"

type junitSuites struct {
	XMLName  xml.Name     `xml:"testsuites"`
	Name     string       `xml:"name,attr"`
	Tests    int          `xml:"tests,attr"`
	Failures int          `xml:"failures,attr"`
	Errors   int          `xml:"errors,attr"`
	Suites   []junitSuite `xml:"testsuite"`
}

type junitSuite struct {
	Name     string      `xml:"name,attr"`
	Tests    int         `xml:"tests,attr"`
	Failures int         `xml:"failures,attr"`
	Errors   int         `xml:"errors,attr"`
	Time     string      `xml:"time,attr"`
	Cases    []junitCase `xml:"testcase"`
}

type junitCase struct {
	Name      string     `xml:"name,attr"`
	Class     string     `xml:"classname,attr"`
	File      string     `xml:"file,attr,omitempty"`
	Time      string     `xml:"time,attr"`
	Failure   *junitText `xml:"failure"`
	Error     *junitText `xml:"error"`
	SystemOut *junitOut  `xml:"system-out"`
}

type junitOut struct {
	Text string `xml:",cdata"`
}

type junitText struct {
	Message string `xml:"message,attr"`
	Type    string `xml:"type,attr,omitempty"`
	Text    string `xml:",cdata"`
}

// JUnit returns a report as JUnit XML: a suite for each gate, a case for each app. A refusal is a failure, a gate that
// could not judge is an error, and what does not keep an app from being published is the output of a case that passed.
func JUnit(r *Report) ([]byte, error) {
	all := junitSuites{Name: "gates"}
	index := map[string]int{}
	seconds := map[string]float64{}
	for _, result := range r.Results {
		n, known := index[result.Gate]
		if !known {
			n = len(all.Suites)
			index[result.Gate] = n
			all.Suites = append(all.Suites, junitSuite{Name: result.Gate})
		}
		suite, c := &all.Suites[n], caseOf(result)
		suite.Cases = append(suite.Cases, c)
		suite.Tests++
		if c.Failure != nil {
			suite.Failures++
		}
		if c.Error != nil {
			suite.Errors++
		}
		seconds[result.Gate] += result.Duration.Seconds()
		suite.Time = duration(seconds[result.Gate])
	}
	for _, s := range all.Suites {
		all.Tests, all.Failures, all.Errors = all.Tests+s.Tests, all.Failures+s.Failures, all.Errors+s.Errors
	}
	content, err := xml.MarshalIndent(all, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encode JUnit report: %w", err)
	}
	return append([]byte(xml.Header), append(content, '\n')...), nil
}

// caseOf makes a case. At most one of failure and error may be there, so a broken gate wins; the text has all.
func caseOf(result Result) junitCase {
	c := junitCase{Name: result.App, Class: result.Gate, Time: duration(result.Duration.Seconds())}
	if c.Name == "" {
		c.Name = fleetCase
	}
	blocks, stuck := false, false
	for _, f := range result.Findings {
		blocks = blocks || f.Severity == Error
		stuck = stuck || f.Severity == Error && f.Broken
		if c.File == "" {
			c.File = f.Source
		}
	}
	text := Clean(Lines(result.Findings)) // CDATA cannot escape what XML does not allow
	if text != "" {
		text += "\n"
	}
	switch {
	case stuck:
		c.Error = headline(result.Findings, text, func(f Finding) bool { return f.Broken })
	case blocks:
		c.Failure = headline(result.Findings, text, func(f Finding) bool { return f.Severity == Error })
	case text != "":
		c.SystemOut = &junitOut{Text: "\n" + text}
	}
	return c
}

// headline makes the text of a case: its title is that of the first finding that counts.
func headline(findings []Finding, text string, counts func(Finding) bool) *junitText {
	t := &junitText{Text: "\n" + text}
	more := -1
	for _, f := range findings {
		if !counts(f) {
			continue
		}
		if more++; more == 0 {
			line, _, _ := strings.Cut(f.Message, "\n")
			t.Message, t.Type = f.subject()+line, f.Rule
		}
	}
	if more > 0 {
		t.Message += fmt.Sprintf(" (and %d more)", more)
	}
	return t
}

func duration(seconds float64) string { return strconv.FormatFloat(seconds, 'f', 3, 64) }
