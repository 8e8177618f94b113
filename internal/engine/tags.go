package engine

import (
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/Masterminds/semver/v3"
)

// TagRules are the tag templates of publish.yaml. Placeholders: {app}, {commit} (7 hex digits), {version}, {branch}
// (made fit for a tag).
type TagRules struct {
	Commit  string            // on every artifact that is pushed; immutable; empty turns it off
	Rolling map[string]string // branch, or pattern of path.Match → template; never backwards; empty turns that branch off
	Release string            // on every app of a release; immutable; empty turns it off
}

// wantedTag is a tag that an app should get.
type wantedTag struct {
	name string
	kind TagKind
}

var (
	unfit       = regexp.MustCompile(`[^A-Za-z0-9._-]+`)
	placeholder = regexp.MustCompile(`\{[^{}]*\}`)
)

// shortCommit is how much of a commit id {commit} shows.
const shortCommit = 7

// expand fills in a template; what is unknown or leaves something that cannot be a tag is an error.
func expand(template, app string, s Source) (string, error) {
	commit := s.Commit
	if len(commit) > shortCommit {
		commit = commit[:shortCommit]
	}
	values := map[string]string{"{app}": app, "{commit}": commit, "{version}": s.Version, "{branch}": fitForTag(s.Branch)}
	var missing []string
	tag := placeholder.ReplaceAllStringFunc(template, func(p string) string {
		if values[p] == "" {
			missing = append(missing, p)
		}
		return values[p]
	})
	if len(missing) > 0 {
		return "", fmt.Errorf("tag template %q: this run has no value for %s", template, strings.Join(missing, ", "))
	}
	if !isTag(tag) {
		return "", fmt.Errorf("tag template %q gives %q, which cannot be a tag", template, tag)
	}
	return tag, nil
}

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

// fitForTag makes a branch name usable inside a tag: "feature/x" → "feature-x".
func fitForTag(branch string) string {
	return strings.Trim(unfit.ReplaceAllString(branch, "-"), "-.")
}

// rolling returns the template for a branch: its own entry, or the first pattern that matches, in lexical order.
func (t TagRules) rolling(branch string) (string, bool) {
	if branch == "" {
		return "", false
	}
	if template, ok := t.Rolling[branch]; ok {
		return template, template != ""
	}
	for _, pattern := range sortedKeys(t.Rolling) {
		if ok, err := path.Match(pattern, branch); err == nil && ok {
			return t.Rolling[pattern], t.Rolling[pattern] != ""
		}
	}
	return "", false
}

// baseline returns the tag to compare an app with: the branch's rolling tag or, on a branch that has none, the first
// rolling tag that needs no branch.
func (t TagRules) baseline(app string, s Source) (string, error) {
	if template, ok := t.rolling(s.Branch); ok {
		return expand(template, app, s)
	}
	for _, branch := range sortedKeys(t.Rolling) {
		if tag, err := expand(t.Rolling[branch], app, Source{Commit: s.Commit}); err == nil {
			return tag, nil
		}
	}
	return "", nil
}

// Follow returns the rolling tag that consumers of an app follow: that of a branch or, for no branch, the only one that
// needs none.
func (t TagRules) Follow(app, branch string) (string, error) {
	if branch != "" {
		template, ok := t.rolling(branch)
		if !ok {
			return "", fmt.Errorf("branch %q has no rolling tag", branch)
		}
		return expand(template, app, Source{Branch: branch})
	}
	var tags []string
	for _, branch := range sortedKeys(t.Rolling) {
		if tag, err := expand(t.Rolling[branch], app, Source{}); err == nil && !slices.Contains(tags, tag) {
			tags = append(tags, tag)
		}
	}
	switch len(tags) {
	case 0:
		return "", errors.New("there is no rolling tag that is the same for all branches")
	case 1:
		return tags[0], nil
	}
	return "", fmt.Errorf("there is more than one rolling tag: %s", strings.Join(tags, ", "))
}

// Ranges reports whether consumers can follow releases by a range of versions: whether release tags are the versions
// themselves, or these after a v.
func (t TagRules) Ranges() bool { return t.Release == "{version}" || t.Release == "v{version}" }

// wanted lists the tags of an app in the order in which they move: immutable ones first, the rolling one last.
// fresh says that the app's artifact is of this very commit, and not an older one that is kept.
func (t TagRules) wanted(app string, s Source, fresh bool) ([]wantedTag, error) {
	var tags []wantedTag
	add := func(kind TagKind, template string) error {
		name, err := expand(template, app, s)
		if err == nil {
			tags = append(tags, wantedTag{name, kind})
		}
		return err
	}
	// Bytes from a dirty tree are of no commit and no release: they get no immutable tag.
	if t.Commit != "" && fresh && !s.Dirty {
		if err := add(CommitTag, t.Commit); err != nil {
			return nil, err
		}
	}
	if t.Release != "" && s.Version != "" && !s.Dirty {
		if err := add(ReleaseTag, t.Release); err != nil {
			return nil, err
		}
	}
	if template, ok := t.rolling(s.Branch); ok {
		if err := add(RollingTag, template); err != nil {
			return nil, err
		}
	}
	return tags, nil
}

// versions returns what reads the version out of a tag that the release template could have made for an app.
func (t TagRules) versions(app string) func(tag string) (*semver.Version, bool) {
	made := reading(t.Release, app, "{version}")
	return func(tag string) (*semver.Version, bool) {
		found := made.FindStringSubmatch(tag)
		if t.Release == "" || len(found) < 2 {
			return nil, false
		}
		v, err := semver.StrictNewVersion(found[1])
		return v, err == nil
	}
}

// commits returns what reads the beginning of a commit out of a tag that the commit template made for an app. It is empty
// for a tag that may be another rule's.
func (t TagRules) commits(app string) func(tag string) string {
	made, version := reading(t.Commit, app, "{commit}"), t.versions(app)
	return func(tag string) string {
		found := made.FindStringSubmatch(tag)
		if _, release := version(tag); release || t.Commit == "" || len(found) < 2 || t.branchOf(app, tag, "") != "" {
			return ""
		}
		return found[1]
	}
}

// reading returns the pattern of the tags that a template makes for an app, with what stands for one placeholder as its
// first group.
func reading(template, app, placeholder string) *regexp.Regexp {
	pattern := regexp.QuoteMeta(template)
	for name, values := range map[string]string{
		"{app}": regexp.QuoteMeta(app), "{commit}": `[0-9a-f]{7}`, "{version}": `.+`, "{branch}": `.+`,
	} {
		quoted := regexp.QuoteMeta(name)
		if name == placeholder {
			pattern = strings.Replace(pattern, quoted, "("+values+")", 1)
		}
		pattern = strings.ReplaceAll(pattern, quoted, "(?:"+values+")")
	}
	return regexp.MustCompile("^(?:" + pattern + ")$")
}

// Version returns the version that a tag of an app stands for; false when the release template did not make it.
func (t TagRules) Version(app, tag string) (string, bool) {
	v, ok := t.versions(app)(tag)
	if !ok {
		return "", false
	}
	return v.String(), true
}

// IsRolling reports whether a tag of an app is one that a rule makes for a branch.
func (t TagRules) IsRolling(app, tag string) bool { return t.branchOf(app, tag, "") != "" }

// branchOf returns the branch whose rolling tag this is; empty when it is none, or only a pattern could have made it.
// The given branch is tried first.
func (t TagRules) branchOf(app, tag, first string) string {
	for _, branch := range append([]string{first}, sortedKeys(t.Rolling)...) {
		template, ok := t.rolling(branch)
		if !ok || strings.ContainsAny(branch, `*?[\`) {
			continue
		}
		if name, err := expand(template, app, Source{Branch: branch}); err == nil && name == tag {
			return branch
		}
	}
	return ""
}

func sortedKeys(m map[string]string) []string {
	var out []string
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}
