package config

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

var (
	placeholders = regexp.MustCompile(`\{[^{}]*\}`)
	unfitForTag  = regexp.MustCompile(`[^A-Za-z0-9._-]+`)
)

// isTag reports whether text can be a tag (OCI distribution specification, "Pulling manifests").
func isTag(text string) bool {
	for i := range len(text) {
		switch c := text[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '_':
		case (c == '.' || c == '-') && i > 0:
		default:
			return false
		}
	}
	return 1 <= len(text) && len(text) <= 128
}

// tagPattern is the pattern of templates with these placeholders, of which one must stand in it.
func tagPattern(allowed, needed string) string {
	first := `(?:[A-Za-z0-9_]|\{(?:` + allowed + `)\})`
	next := `(?:[A-Za-z0-9._-]|\{(?:` + allowed + `)\}){0,127}`
	return `^(?:` + first + next + `)?\{` + needed + `\}` + next + `$`
}

// testTag refuses unknown placeholders, and what cannot be a tag whatever the placeholders stand for.
func testTag(allowed ...string) func(string) (string, string) {
	return func(text string) (message, hint string) {
		for _, m := range placeholders.FindAllString(text, -1) {
			if !slices.Contains(allowed, strings.Trim(m, "{}")) {
				return fmt.Sprintf("unknown placeholder %s", m), "placeholders here: {" + strings.Join(allowed, "}, {") + "}"
			}
		}
		tag := sample("main").expand(text, "a")
		switch {
		case !isTag(tag):
			return "", ""
		case signatureTags.MatchString(tag):
			return "tags that begin with sha256- or sha512- belong to signatures", "choose another prefix, such as sha-"
		case slices.Contains(allowed, "version") && !strings.Contains(text, "{version}"):
			return "without {version} each release would move the tag, which must be immutable", "put {version} into it"
		case slices.Contains(allowed, "branch") && slices.Contains(allowed, "commit") && !strings.Contains(text, "{commit}"):
			return "without {commit} each commit would move the tag, which must be immutable", "put {commit} into it"
		}
		return "", ""
	}
}

// values are what placeholders stand for.
type values struct{ commit, version, branch string }

// sample stands for any run of a branch.
func sample(branch string) values {
	return values{commit: "0123abc", version: "1.2.3", branch: branch}
}

func (v values) expand(template, app string) string {
	return strings.NewReplacer("{app}", app, "{commit}", v.commit, "{version}", v.version, "{branch}", v.branch).Replace(template)
}

// tagRule is one template of the effective configuration.
type tagRule struct {
	path, template string
	branch         string // key of a rolling tag
}

// tagRules lists the rules that are not turned off.
func tagRules(t Tags) []tagRule {
	var rules []tagRule
	add := func(r tagRule) {
		if r.template != "" {
			rules = append(rules, r)
		}
	}
	add(tagRule{path: "tags.commit", template: t.Commit})
	add(tagRule{path: "tags.release", template: t.Release})
	for _, branch := range keysOf(t.Rolling) {
		add(tagRule{path: member("tags.rolling", branch), template: t.Rolling[branch], branch: branch})
	}
	return rules
}

// tag is what a rule gives for an app in a run of its own branch.
func (r tagRule) tag(app string) string { return r.sample().expand(r.template, app) }

func (r tagRule) sample() values {
	branch := strings.Trim(unfitForTag.ReplaceAllString(r.branch, "-"), "-.")
	return sample(cmp.Or(branch, "main"))
}

// gives reports whether the rule can give this tag to an app, whatever commit or version is published.
func (r tagRule) gives(tag, app string) bool {
	pattern := strings.NewReplacer(
		`\{app\}`, regexp.QuoteMeta(app), `\{commit\}`, `[0-9a-f]{7}`, `\{branch\}`, `[A-Za-z0-9._-]+`,
		`\{version\}`, `[0-9]+\.[0-9]+\.[0-9]+(?:-[0-9A-Za-z.-]+)?`,
	).Replace(regexp.QuoteMeta(r.template))
	return regexp.MustCompile(`^` + pattern + `$`).MatchString(tag)
}

// collide reports whether two rules can give one tag to an app. Rolling tags are taken for their own branches.
func collide(a, b tagRule, app string) bool {
	switch {
	case a.branch != "" && b.branch != "":
		return a.tag(app) == b.tag(app)
	case a.branch != "":
		return b.gives(a.tag(app), app)
	case b.branch != "":
		return a.gives(b.tag(app), app)
	}
	return a.gives(b.tag(app), app) || b.gives(a.tag(app), app)
}

// checkTags finds rules that give one tag, and tags that no app can have.
func (e *effective) checkTags() {
	rules := tagRules(e.publish.Tags)
	for i, r := range rules {
		run := r.sample()
		for _, app := range e.apps {
			if tag := run.expand(r.template, app.Name); !isTag(tag) {
				e.problem(r.path, tagHint, "app %s would get a tag of %d characters that cannot be one", app.Name, len(tag))
				break
			}
		}
		for _, other := range rules[:i] {
			app := "app"
			if len(e.apps) > 0 {
				app = e.apps[0].Name
			}
			if collide(other, r, app) {
				e.problem(r.path, "give each rule a tag of its own", "this rule and %s can give the same tag", other.path)
			}
		}
	}
}
