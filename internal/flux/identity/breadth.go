package identity

import (
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
)

// Breadth is how much an expression for subjects lets in.
type Breadth int

// The breadths, from narrow to wide.
const (
	One          Breadth = iota // nothing wider was found
	AnyRef                      // one workflow on any branch, pull requests included
	AnyWorkflow                 // any workflow of a repository
	Organization                // any repository of an owner, or anybody of a mail domain
	Anybody
)

// probe is a name that nobody has.
const probe = "artifactctl-audit-probe"

// SubjectBreadth tries an expression on identities that nobody should accept by accident. The expression must compile; it
// is searched for anywhere in the text, as Flux does.
func SubjectBreadth(pattern string) Breadth {
	re, err := regexp.Compile(pattern)
	if err != nil {
		return One
	}
	for _, stranger := range []string{
		"https://github.com/" + probe + "/x/.github/workflows/x.yaml@refs/heads/x",
		"https://gitlab.com/" + probe + "/x//.gitlab-ci.yml@refs/heads/x",
		probe + "@" + probe + ".invalid", "https://" + probe + ".invalid/x",
	} {
		if re.MatchString(stranger) {
			return Anybody
		}
	}
	widest := One
	for _, example := range examples(pattern) {
		widest = max(widest, around(re, example))
	}
	return widest
}

// around changes an identity that matches, part by part from its owner on.
func around(re *regexp.Regexp, example string) Breadth {
	any := func(texts ...string) bool { return slices.ContainsFunc(texts, re.MatchString) }
	scheme, rest, isURL := strings.Cut(example, "://")
	if !isURL {
		if _, domain, ok := strings.Cut(example, "@"); ok && any(probe+"@"+domain) {
			return Organization
		}
		return One
	}
	place, _, _ := strings.Cut(rest, "@")
	parts := strings.Split(place, "/")
	at := func(n int, tail ...string) string {
		return scheme + "://" + strings.Join(append(slices.Clone(parts[:n]), tail...), "/")
	}
	tails := func(prefix string) []string {
		return []string{
			prefix + ".github/workflows/" + probe + ".yaml@refs/heads/" + probe, prefix + ".github/workflows/" + probe + ".yaml@refs/pull/1/merge",
			prefix + "/.gitlab-ci.yml@refs/heads/" + probe, prefix + probe,
		}
	}
	if len(parts) >= 2 && any(tails(at(2, probe)+"/")...) {
		return Organization
	}
	if len(parts) >= 3 && any(tails(at(3)+"/")...) {
		return AnyWorkflow
	}
	if i := strings.LastIndex(example, "@"); i >= 0 && any(example[:i]+"@refs/pull/1/merge", example[:i]+"@refs/heads/"+probe) {
		return AnyRef
	}
	return One
}

// IssuerBroad reports whether an expression for issuers accepts one that nobody knows.
func IssuerBroad(pattern string) bool {
	re, err := regexp.Compile(pattern)
	if err != nil {
		return false
	}
	strangers := []string{"https://" + probe + ".invalid", "https://" + probe + ".invalid/realms/x"}
	if head, tail := Anchored(pattern); head && tail { // else that is what is wrong with it
		for _, e := range examples(pattern) {
			strangers = append(strangers, e+"."+probe+".invalid", e+"-"+probe+".invalid")
		}
	}
	return slices.ContainsFunc(strangers, re.MatchString)
}

// maxExamples bounds how many alternatives are tried.
const maxExamples = 64

// examples returns texts that a pattern matches, one for each way through its alternatives, short ones.
func examples(pattern string) []string {
	re, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return nil
	}
	return expand(re.Simplify())
}

func expand(re *syntax.Regexp) []string {
	switch re.Op {
	case syntax.OpLiteral:
		return []string{string(re.Rune)}
	case syntax.OpCharClass:
		return []string{classExample(re.Rune)}
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		return []string{"x"}
	case syntax.OpCapture, syntax.OpPlus:
		return expand(re.Sub[0])
	case syntax.OpRepeat:
		if re.Min == 0 {
			return []string{""}
		}
		return expand(re.Sub[0])
	case syntax.OpQuest:
		return bounded(append([]string{""}, expand(re.Sub[0])...))
	case syntax.OpAlternate:
		var all []string
		for _, sub := range re.Sub {
			all = append(all, expand(sub)...)
		}
		return bounded(all)
	case syntax.OpConcat:
		return concat(re.Sub)
	}
	return []string{""}
}

func concat(subs []*syntax.Regexp) []string {
	all := []string{""}
	for _, sub := range subs {
		var next []string
		for _, head := range all {
			for _, tail := range expand(sub) {
				next = append(next, head+tail)
			}
		}
		all = bounded(next)
	}
	return all
}

func bounded(texts []string) []string { return texts[:min(len(texts), maxExamples)] }

// classExample prefers a lower-case letter, then a digit, over the first character of a class.
func classExample(ranges []rune) string {
	for _, want := range []rune{'x', 'a', '1', '-', '/'} {
		for i := 0; i+1 < len(ranges); i += 2 {
			if ranges[i] <= want && want <= ranges[i+1] {
				return string(want)
			}
		}
	}
	if len(ranges) == 0 {
		return ""
	}
	return string(ranges[0])
}
