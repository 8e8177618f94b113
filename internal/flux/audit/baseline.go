package audit

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"path"
	"regexp"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// Baseline lists findings that are accepted.
type Baseline struct {
	Version    string      `yaml:"version"` // v1
	Exceptions []Exception `yaml:"exceptions"`
}

// Exception accepts findings of one rule.
type Exception struct {
	Rule   string `yaml:"rule" json:"rule"`
	Object string `yaml:"object" json:"object"`                   // Kind/namespace/name; * and ? stand for part of one of them
	File   string `yaml:"file,omitempty" json:"file,omitempty"`   // optional, as Object; * does not cross a slash
	Reason string `yaml:"reason" json:"reason"`                   // needed: why it is accepted
	Until  string `yaml:"until,omitempty" json:"until,omitempty"` // optional: the last day, as 2027-03-31
	line   int
}

// Unused is an exception that accepts nothing.
type Unused struct {
	Exception
	Line int `json:"line"` // in the baseline
	// Expired is true when it would accept something, had its time not passed.
	Expired bool `json:"expired"`
}

const day = "2006-01-02"

// ReadBaseline reads a baseline and checks all of it. Errors name the file and the line.
func ReadBaseline(file string, content []byte) (*Baseline, error) {
	var b Baseline
	d := yaml.NewDecoder(bytes.NewReader(content))
	d.KnownFields(true)
	if err := d.Decode(&b); err != nil && !errors.Is(err, io.EOF) {
		return nil, notBaseline(file, err)
	}
	if b.Version != "v1" {
		return nil, fmt.Errorf("%s: version %q: want v1", file, b.Version)
	}
	var lines struct{ Exceptions []yaml.Node }
	if err := yaml.Unmarshal(content, &lines); err != nil {
		return nil, notBaseline(file, err)
	}
	var problems []error
	for i := range b.Exceptions {
		e := &b.Exceptions[i]
		e.line = lines.Exceptions[i].Line
		if err := e.check(); err != nil {
			problems = append(problems, fmt.Errorf("%s:%d: %w", file, e.line, err))
		}
	}
	return &b, errors.Join(problems...)
}

// What the decoder says of a value of the wrong kind and of a field that there is not.
var (
	wrongKind  = regexp.MustCompile("^cannot unmarshal !!([a-z]+)(?: `.*`)? into ")
	wrongField = regexp.MustCompile(`^field (\S+) not found in type `)
	atLine     = regexp.MustCompile(`^line (\d+): `)
)

// notBaseline says in terms of the file why it cannot be read.
func notBaseline(file string, err error) error {
	messages := []string{strings.TrimPrefix(err.Error(), "yaml: ")}
	var typed *yaml.TypeError
	if errors.As(err, &typed) {
		messages = typed.Errors
	}
	var problems []error
	for _, m := range messages {
		at := file
		if line := atLine.FindStringSubmatch(m); line != nil {
			at, m = file+":"+line[1], strings.TrimPrefix(m, line[0])
		}
		if kind := wrongKind.FindStringSubmatch(m); kind != nil {
			names := map[string]string{"seq": "a list", "map": "a map", "str": "text", "int": "a number", "float": "a number", "bool": "true or false"}
			m = "it cannot be " + cmp.Or(names[kind[1]], kind[1]) + " there"
		} else if field := wrongField.FindStringSubmatch(m); field != nil {
			m = "there is no field " + field[1]
		}
		problems = append(problems, fmt.Errorf("%s: %s", at, m))
	}
	return errors.Join(problems...)
}

func (e Exception) check() error {
	if ruleOf(e.Rule).Title == "" {
		return fmt.Errorf("there is no rule %q", e.Rule)
	}
	if strings.TrimSpace(e.Reason) == "" {
		return errors.New("an exception needs a reason")
	}
	if e.Object == "" {
		return errors.New("an exception needs an object: Kind/namespace/name")
	}
	for _, pattern := range []string{e.Object, e.File} {
		if _, err := path.Match(pattern, ""); err != nil {
			return fmt.Errorf("%q is no pattern", pattern)
		}
	}
	if e.Until != "" {
		if _, err := time.Parse(day, e.Until); err != nil {
			return fmt.Errorf("until %q is no day such as 2027-03-31", e.Until)
		}
	}
	return nil
}

func (e Exception) accepts(f Finding) bool {
	object, _ := path.Match(e.Object, f.Object)
	file, _ := path.Match(e.File, f.File)
	return e.Rule == f.Rule && object && (e.File == "" || file)
}

// expired reports whether the last day of the exception is over, in the time zone of now.
func (e Exception) expired(now time.Time) bool { return e.Until != "" && now.Format(day) > e.Until }

// Apply moves what the baseline accepts out of the findings, and notes exceptions that accept nothing.
func (b *Baseline) Apply(r *Report, now time.Time) {
	used, late := make([]bool, len(b.Exceptions)), make([]bool, len(b.Exceptions))
	findings := []Finding{}
	for _, f := range r.Findings {
		accepted := false
		for i, e := range b.Exceptions {
			switch {
			case !e.accepts(f):
			case e.expired(now):
				late[i] = true
			default:
				used[i] = true
				if !accepted {
					r.Accepted = append(r.Accepted, Accepted{Finding: f, Reason: e.Reason, Expires: e.Until})
				}
				accepted = true
			}
		}
		if !accepted {
			findings = append(findings, f)
		}
	}
	r.Findings = findings
	for i, e := range b.Exceptions {
		if !used[i] {
			r.Unused = append(r.Unused, Unused{Exception: e, Line: e.line, Expired: late[i]})
		}
	}
}

// NewBaseline returns a baseline that accepts all findings of a report but those that only inform, to start from.
func NewBaseline(r *Report, reason string) ([]byte, error) {
	b := Baseline{Version: "v1", Exceptions: []Exception{}}
	seen := map[Exception]bool{}
	for _, f := range r.Findings {
		e := Exception{Rule: f.Rule, Object: literal(f.Object), File: literal(f.File), Reason: reason}
		if f.Severity != Info && !seen[e] {
			seen[e] = true
			b.Exceptions = append(b.Exceptions, e)
		}
	}
	var text bytes.Buffer
	text.WriteString("# Findings of `artifactctl audit` that are accepted, each with its reason and, if you like, until: a last day.\n")
	e := yaml.NewEncoder(&text)
	e.SetIndent(2)
	if err := errors.Join(e.Encode(b), e.Close()); err != nil {
		return nil, fmt.Errorf("write a baseline: %w", err)
	}
	return text.Bytes(), nil
}

// literal escapes what path.Match would read as a pattern.
func literal(text string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(text)
}

// ExtendBaseline returns a baseline that also accepts what is left of a report, but for what only informs, and how many
// exceptions that took. What stood in it before stays, comments included; no text before is an empty baseline.
func ExtendBaseline(before []byte, r *Report, reason string) (int, []byte, error) {
	fresh, err := NewBaseline(r, reason)
	if err != nil {
		return 0, nil, err
	}
	var old, added yaml.Node
	if err := yaml.Unmarshal(fresh, &added); err != nil {
		return 0, nil, fmt.Errorf("write a baseline: %w", err)
	}
	more := exceptions(&added)
	if len(bytes.TrimSpace(before)) == 0 {
		return len(more.Content), fresh, nil
	}
	if err := yaml.Unmarshal(before, &old); err != nil {
		return 0, nil, fmt.Errorf("extend the baseline: %w", err)
	}
	list := exceptions(&old)
	if list == nil {
		list = &yaml.Node{Kind: yaml.SequenceNode}
		old.Content[0].Content = append(old.Content[0].Content, &yaml.Node{Kind: yaml.ScalarNode, Value: "exceptions"}, list)
	}
	list.Kind, list.Tag, list.Style = yaml.SequenceNode, "", 0
	list.Content = append(list.Content, more.Content...)
	var text bytes.Buffer
	e := yaml.NewEncoder(&text)
	e.SetIndent(2)
	if err := errors.Join(e.Encode(&old), e.Close()); err != nil {
		return 0, nil, fmt.Errorf("write a baseline: %w", err)
	}
	return len(more.Content), text.Bytes(), nil
}

// exceptions returns the list of a baseline, nil when there is none.
func exceptions(document *yaml.Node) *yaml.Node {
	if len(document.Content) == 0 || document.Content[0].Kind != yaml.MappingNode {
		return nil
	}
	m := document.Content[0].Content
	for i := 0; i+1 < len(m); i += 2 {
		if m[i].Value == "exceptions" {
			return m[i+1]
		}
	}
	return nil
}
