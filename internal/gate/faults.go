package gate

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
	"github.com/yannh/kubeconform/pkg/validator"
	"go.yaml.in/yaml/v3"
	"golang.org/x/text/language"
	"golang.org/x/text/message"
)

// fault is one reason why an object is not valid.
type fault struct {
	at         []string // path below the object
	rule, text string
}

// faults explains kubeconform's verdict. Kubeconform itself keeps the outermost reasons only, which for an anyOf or a
// $ref say nothing; where the schema does not give a better answer, they have to do.
func (j *judge) faults(result validator.Result, o object) []fault {
	explainer := explainer{printer: message.NewPrinter(language.English), hide: strings.Contains(o.kind, "Secret")}
	var value any
	var invalid *jsonschema.ValidationError
	asJSON(o.node)
	if err := o.node.Decode(&value); err == nil && errors.As(j.explain(value), &invalid) {
		explainer.collect(invalid)
	}
	for _, e := range result.ValidationErrors {
		explainer.addUnlessKnown(strings.Split(strings.Trim(e.Path, "/"), "/"), e.Msg)
	}
	if len(explainer.faults) == 0 {
		explainer.add(nil, ruleSchema, "kubeconform says that the object is not valid")
	}
	return explainer.faults
}

// asJSON makes a node decode as it would from JSON: keys and dates are strings.
func asJSON(node *yaml.Node) {
	if node.Kind == yaml.ScalarNode && node.ShortTag() == "!!timestamp" {
		node.Tag = "!!str"
	}
	for i, below := range node.Content {
		if node.Kind == yaml.MappingNode && i%2 == 0 && below.Kind == yaml.ScalarNode && below.ShortTag() != "!!merge" {
			below.Tag = "!!str"
			continue
		}
		asJSON(below)
	}
}

// explain validates once more. A panic, or a value of a type that JSON does not have, leaves the verdict as it is.
func (j *judge) explain(value any) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("no explanation: %v", p)
		}
	}()
	return j.schema.Validate(value)
}

type explainer struct {
	printer *message.Printer
	hide    bool // the object holds secrets: values are not shown
	faults  []fault
}

func (e *explainer) add(at []string, rule, text string) {
	f := fault{at: slices.DeleteFunc(slices.Clone(at), func(s string) bool { return s == "" }), rule: rule, text: text}
	if where := dotted(f.at); where != "" {
		f.text = where + ": " + text
	}
	for _, known := range e.faults {
		if known.text == f.text {
			return
		}
	}
	e.faults = append(e.faults, f)
}

// addUnlessKnown adds a reason of kubeconform's, if there is none yet at its place or below it. The two read YAML a
// little differently: to kubeconform, an unquoted "on" is a boolean.
func (e *explainer) addUnlessKnown(at []string, text string) {
	at = slices.DeleteFunc(at, func(s string) bool { return s == "" })
	for _, f := range e.faults {
		if len(f.at) >= len(at) && slices.Equal(f.at[:len(at)], at) {
			return
		}
	}
	if e.hide {
		text = "the value is not valid"
	}
	e.add(at, ruleSchema, text)
}

// collect adds the innermost reasons.
func (e *explainer) collect(v *jsonschema.ValidationError) {
	switch k := v.ErrorKind.(type) {
	case *kind.AdditionalProperties:
		for _, name := range k.Properties {
			e.add(append(slices.Clone(v.InstanceLocation), name), "additionalProperties", "there is no such field")
		}
		return
	case *kind.Required:
		for _, name := range k.Missing {
			e.add(v.InstanceLocation, "required", fmt.Sprintf("the field %s is missing", name))
		}
		return
	case *kind.AnyOf, *kind.OneOf:
		if text := e.alternatives(v); text != "" {
			e.add(v.InstanceLocation, ruleOf(v), text)
			return
		}
	}
	if len(v.Causes) == 0 {
		e.add(v.InstanceLocation, ruleOf(v), e.text(v))
		return
	}
	for _, cause := range v.Causes {
		e.collect(cause)
	}
}

// alternatives joins the reasons why no alternative fits, if all of them are about the same place.
func (e *explainer) alternatives(v *jsonschema.ValidationError) string {
	inner := explainer{printer: e.printer, hide: e.hide}
	for _, cause := range v.Causes {
		inner.collect(cause)
	}
	var texts []string
	for _, f := range inner.faults {
		if !slices.Equal(f.at, v.InstanceLocation) {
			return ""
		}
		texts = append(texts, strings.TrimPrefix(f.text, dotted(f.at)+": "))
	}
	return strings.Join(texts, ", or ")
}

// text returns the words of the JSON schema library. Some of them have the value in it.
func (e *explainer) text(v *jsonschema.ValidationError) string {
	switch v.ErrorKind.(type) {
	case *kind.Type, *kind.Enum, *kind.MinLength, *kind.MaxLength, *kind.MinItems, *kind.MaxItems,
		*kind.MinProperties, *kind.MaxProperties:
	default:
		if e.hide {
			return fmt.Sprintf("the value does not keep to %q", ruleOf(v))
		}
	}
	return v.ErrorKind.LocalizedString(e.printer)
}

// ruleOf returns the schema keyword that was not kept to.
func ruleOf(v *jsonschema.ValidationError) string {
	keywords := v.ErrorKind.KeywordPath()
	if len(keywords) == 0 {
		return ruleSchema
	}
	return keywords[0]
}

// dotted writes a path as people do: spec.containers[0].image.
func dotted(path []string) string {
	var b strings.Builder
	for _, step := range path {
		_, notIndex := strconv.Atoi(step)
		switch {
		case notIndex == nil:
			fmt.Fprintf(&b, "[%s]", step)
		case strings.ContainsAny(step, "./[]"):
			fmt.Fprintf(&b, "[%q]", step)
		case b.Len() == 0:
			b.WriteString(step)
		default:
			b.WriteString("." + step)
		}
	}
	return b.String()
}
