package fault

import (
	"strings"
	"testing"
)

func TestError(t *testing.T) {
	for want, e := range map[string]Error{
		"words":          {Message: "words", Line: 3},
		"a/b: words":     {Message: "words", File: "a/b"},
		"a/b:3: words":   {Message: "words", File: "a/b", Line: 3},
		"a/b:30: words:": {Message: "words:", File: "a/b", Line: 30},
	} {
		if got := e.Error(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestHint(t *testing.T) {
	for reason, want := range map[Reason]string{
		Remote: "remoteBases: true", Helm: "helm: true", Plugin: "never run", Missing: "check the path",
		Duplicate: "keep one", Empty: "ignore patterns", Outside: "inside", Ignored: "re-include",
		OpenAPI: "openapi:", Timeout: "timeout", Memory: "memory limit", Crash: "kustomize build",
	} {
		if got := (&Error{Reason: reason}).Hint(); !strings.Contains(got, want) {
			t.Errorf("%s: got %q", reason, got)
		}
	}
	for _, e := range []Error{{Reason: Invalid}, {Reason: Syntax}, {Reason: Unfit}} {
		if got := e.Hint(); got != "" {
			t.Errorf("%s: got %q", e.Reason, got)
		}
	}
	if got := (&Error{Reason: Syntax, Message: "json: cannot unmarshal bool into x"}).Hint(); !strings.Contains(got, "quotes") {
		t.Errorf("got %q", got)
	}
	if got := (&Error{Reason: Missing, Message: "unable to find one of 'kustomization.yaml'"}).Hint(); !strings.Contains(got, "render: none") {
		t.Errorf("got %q", got)
	}
}

func TestKustomizationLine(t *testing.T) {
	const content = "namePrefix: x\npatches:\n- 'ptah': a\n  target: {}\n"
	for text, want := range map[string]int{
		`yaml: line 7: did not find`:              7,
		`json: unknown field "ptah"`:              3,
		`json: unknown field "target"`:            4,
		`json: unknown field "nowhere"`:           0,
		`yaml: line 99999999999999999999: mad`:    0,
		`json: cannot unmarshal bool into Go str`: 0,
	} {
		if got := KustomizationLine(text, []byte(content)); got != want {
			t.Errorf("%s: got %d, want %d", text, got, want)
		}
	}
}

func TestRedact(t *testing.T) {
	for text, want := range map[string]string{
		"get https://me:pw@host/x@y":           "get https://host/x@y",
		"'http:/me:pw@host/x' ssh://git@h/r":   "'http:/host/x' ssh://h/r",
		"git@github.com:org/repo and a://b c@": "git@github.com:org/repo and a://b c@",
	} {
		if got := Redact(text); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
