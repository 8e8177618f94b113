// Package source tells what commit a run publishes: remote, commit, branch, release, time, and whether the tree really is
// that commit. It asks flags, then the variables of the CI system, then the git binary. It reads only: it never fetches,
// never changes the repository or its index, runs no hook, and does not know what is published.
package source

import (
	"context"
	"fmt"
	"strings"
)

// Options says where to look. The zero value of a field gives nothing away.
type Options struct {
	// Dir is the directory of publish.yaml. The repository that holds it is the source.
	Dir string
	// Environ is the environment, in the form of os.Environ: the CI system's variables, SOURCE_DATE_EPOCH, and what git
	// needs of it (PATH, HOME, GIT_CONFIG_*). GIT_DIR and its like are not passed on: Dir alone names the repository.
	Environ []string
	// Overrides are the user's flags.
	Overrides Overrides
	// AllowDirty lets a tree pass that differs from its commit; Source.Dirty and Source.Revision then say so.
	AllowDirty bool
}

// Overrides are values that the user gives by flags; they win over everything else. Empty ones are not given.
type Overrides struct {
	Remote  string // URL; credentials are stripped from it all the same
	Commit  string // full hex id
	Branch  string
	Tag     string // name of a release tag, such as "v1.4.2"
	Created string // RFC 3339
}

// Source is the commit that a run publishes.
type Source struct {
	Remote   string // URL without credentials, query and fragment
	Commit   string // full hex id, 40 digits or (SHA-256 repositories) 64
	Branch   string // empty for a tag, and on a detached head that no CI variable names; "pull/…" for a pull request
	Tag      string // git tag that this run is for, as git spells it: "v1.4.2"
	Version  string // release version: Tag without its "v", when that is a semantic version; empty when this run is no release
	Revision string // "<tag, branch or HEAD>@sha1:<commit>" (or "@sha256:"), with "-dirty" when the tree is
	Created  string // RFC 3339, UTC
	Dirty    bool
	Shallow  bool   // history is cut off; see History
	Dir      string // Options.Dir relative to the root of the repository, slash-separated, "." for the root; empty without one

	DirtyPaths []string // the first few paths that make the tree dirty
	Warnings   []string // what the user should know though it does not stop the run
	Origins    Origins
}

// Origins says where each value came from: "flag", "git", "default", or the name of a variable ("$GITHUB_SHA"). It is
// empty for a value that is not known.
type Origins struct {
	Remote, Commit, Branch, Tag, Created string
}

// Where values come from, besides variables.
const (
	fromFlag    = "flag"
	fromGit     = "git"
	fromDefault = "default"
)

// value is a value and its origin.
type value struct{ text, origin string }

func flag(text string) value { return value{text, fromFlag} }

// first returns the first value that is there.
func first(values ...value) value {
	for _, v := range values {
		if v.text != "" {
			return v
		}
	}
	return value{}
}

// detection is a Detect under way.
type detection struct {
	opts   Options
	env    environment
	repo   *repository // nil without a repository
	noRepo error       // why repo is nil
	claim  claim       // what the CI system says; zero when it says nothing that can be used
	out    Source
}

// Detect finds out what a run in opts.Dir publishes. For each value flags win over CI variables, and those over git.
//
// A run is a release when the CI system builds a tag, when the flag names one, or, outside CI, when a tag is checked out
// (a detached head with exactly one such tag at it), and the tag is a semantic version without build metadata. A tag
// that happens to point at the head of a branch makes no release. A pull request never counts as its target branch.
//
// An error says what is missing or contradictory, and has a hint.
func Detect(ctx context.Context, opts Options) (Source, error) {
	d := detection{opts: opts, env: newEnvironment(opts.Environ)}
	var err error
	d.repo, err = openRepository(ctx, opts.Dir, d.env)
	switch {
	case isAbsent(err):
		d.noRepo = err
	case err != nil:
		return Source{}, err
	default:
		d.out.Shallow, d.out.Dir = d.repo.shallow, d.repo.inside()
	}
	d.claim = claimOf(d.env)
	for _, step := range []func(context.Context) error{d.commit, d.tree, d.ref, d.release, d.remote, d.created} {
		if err := step(ctx); err != nil {
			return Source{}, err
		}
	}
	d.out.Revision = revision(d.out)
	return d.out, nil
}

// revision is Flux's form of naming a commit.
func revision(s Source) string {
	ref := "HEAD"
	switch {
	case s.Tag != "":
		ref = s.Tag
	case s.Branch != "":
		ref = s.Branch
	}
	algorithm := "sha1"
	if len(s.Commit) == 64 {
		algorithm = "sha256"
	}
	r := ref + "@" + algorithm + ":" + s.Commit
	if s.Dirty {
		r += "-dirty"
	}
	return r
}

func (d *detection) warn(format string, args ...any) {
	d.out.Warnings = append(d.out.Warnings, fmt.Sprintf(format, args...))
}

// head returns the commit that is checked out, or "".
func (d *detection) head() string {
	if d.repo == nil {
		return ""
	}
	return d.repo.head
}

// commit decides which commit is published, and whether what CI says describes it.
func (d *detection) commit(context.Context) error {
	if given := d.opts.Overrides.Commit; given != "" && !isCommit(given) {
		return hinted(fmt.Errorf("source commit %q is not a full commit id", given), `pass all its hex digits: --source-commit "$(git rev-parse HEAD)"`)
	}
	if c := d.claim.commit; c.text != "" && !isCommit(c.text) {
		return fmt.Errorf("%s: %q is not a full commit id", c.origin, c.text)
	}
	if err := d.reconcile(); err != nil {
		return err
	}
	commit := first(flag(d.opts.Overrides.Commit), d.claim.commit, value{d.head(), fromGit})
	if commit.text == "" {
		return d.noCommit()
	}
	d.out.Commit, d.out.Origins.Commit = commit.text, commit.origin
	if head := d.head(); head != "" && head != commit.text {
		d.warn("the tree is at commit %s, not at %s as %s says", short(head), short(commit.text), commit.origin)
	}
	return nil
}

// reconcile compares CI's commit with the flag's and with the tree's. What CI says of another commit is not used.
func (d *detection) reconcile() error {
	said, head, given := d.claim.commit, d.head(), d.opts.Overrides.Commit
	switch {
	case said.text == "":
		return nil
	case given != "" && given != said.text:
		d.warn("%s names commit %s, not %s: the variables of %s are not used", said.origin, short(said.text), short(given), d.claim.system)
		d.claim = d.claim.ofAnotherCommit()
	case given == "" && head != "" && head != said.text && d.claim.pull:
		d.warn("the tree is at commit %s, not at %s as %s says; this pull request is published as %s", short(head), short(said.text), said.origin, short(head))
		d.claim.commit = value{}
	case given == "" && head != "" && head != said.text:
		return hinted(
			fmt.Errorf("the tree is at commit %s, but %s says %s", short(head), said.origin, short(said.text)),
			fmt.Sprintf("check out the commit that %s builds, or pass --source-commit %s to publish the tree as it is (%s's branch and tag then do not count)", d.claim.system, head, d.claim.system))
	}
	return nil
}

// noCommit says why there is no commit.
func (d *detection) noCommit() error {
	if d.repo != nil {
		return hinted(fmt.Errorf("the git repository of %s has no commit yet", d.opts.Dir), "commit first, then publish")
	}
	return hinted(fmt.Errorf("which commit is published is not known: %w", d.noRepo), needFlags)
}

// needFlags is what helps where there is no git.
const needFlags = "run in a git clone, or pass --source-remote, --source-commit and --source-created (and --source-branch or --source-tag)"

// tree finds out whether the tree is the commit.
func (d *detection) tree(ctx context.Context) error {
	if d.repo == nil {
		d.warn("whether the files are those of commit %s is not known: %v", short(d.out.Commit), d.noRepo)
		return nil
	}
	paths, err := d.repo.dirty(ctx)
	if err != nil || len(paths) == 0 {
		return err
	}
	d.out.Dirty = true
	d.out.DirtyPaths = paths[:min(len(paths), maxDirtyPaths)]
	if d.opts.AllowDirty {
		return nil
	}
	list := strings.Join(d.out.DirtyPaths, ", ")
	if len(paths) > maxDirtyPaths {
		list += ", …"
	}
	return hinted(fmt.Errorf("the tree differs from commit %s: %s", short(d.out.Commit), list),
		"commit, stash or ignore these files, or pass --allow-dirty: the artifacts then say that they are dirty")
}

// ref decides on branch and tag.
func (d *detection) ref(context.Context) error {
	o := d.opts.Overrides
	branch, tag := flag(o.Branch), flag(o.Tag)
	if branch.text == "" && tag.text == "" {
		branch, tag = d.claim.branch, d.claim.tag
	}
	if branch.text == "" && tag.text == "" && d.head() == d.out.Commit && d.repo != nil {
		branch = value{d.repo.branch, fromGit}
		if branch.text != "" && d.claim.system == "" && d.env.on("CI") {
			d.warn("this CI system is not known: %s counts as built because it is checked out; pass --source-branch to say it, above all in pull requests", branch.text)
		}
	}
	for _, v := range []value{branch, tag} {
		if strings.ContainsFunc(v.text, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
			return fmt.Errorf("%s: %q is not the name of a branch or tag", v.origin, v.text)
		}
	}
	d.out.Branch, d.out.Tag = branch.text, tag.text
	if branch.text != "" {
		d.out.Origins.Branch = branch.origin
	}
	if tag.text != "" {
		d.out.Origins.Tag = tag.origin
	}
	return nil
}

// short abbreviates a commit for messages.
func short(commit string) string {
	return commit[:min(len(commit), 12)]
}

// isCommit says whether s is a full commit id of either object format.
func isCommit(s string) bool {
	return (len(s) == 40 || len(s) == 64) && strings.Trim(s, "0123456789abcdef") == ""
}
