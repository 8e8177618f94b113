package engine

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
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
	tagGrammar  = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$`)
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
	if !tagGrammar.MatchString(tag) {
		return "", fmt.Errorf("tag template %q gives %q, which cannot be a tag", template, tag)
	}
	return tag, nil
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

func sortedKeys(m map[string]string) []string {
	var out []string
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}
