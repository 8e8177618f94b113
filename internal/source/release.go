package source

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// release decides whether the run is a release, and of which version.
func (d *detection) release(ctx context.Context) error {
	if err := d.inferTag(ctx); err != nil {
		return err
	}
	tag := d.out.Tag
	if tag == "" {
		return nil
	}
	version, ok := releaseVersion(tag)
	switch {
	case !ok && d.out.Origins.Tag == fromFlag:
		return hinted(fmt.Errorf("tag %q is no semantic version", tag), "release tags look like v1.4.2, 1.4.2 or v1.5.0-rc.1")
	case !ok:
		d.warn("tag %s is no semantic version such as v1.4.2: this run is no release", tag)
		return nil
	}
	if d.repo != nil && d.out.Origins.Tag != fromGit {
		names, err := d.repo.tagged(ctx, tag)
		if err != nil {
			return err
		}
		if names != "" && names != d.out.Commit {
			return hinted(fmt.Errorf("tag %s names commit %s, not %s", tag, short(names), short(d.out.Commit)),
				fmt.Sprintf("check out the tag (git checkout %s), or release under a new tag", tag))
		}
	}
	d.out.Version = version
	return nil
}

// inferTag makes a checked-out tag the tag of the run: outside CI, on a detached head with exactly one release tag. In CI
// a detached head is nothing special, so there the CI system or the user must say it.
func (d *detection) inferTag(ctx context.Context) error {
	if d.out.Tag != "" || d.out.Branch != "" || d.repo == nil || d.repo.head != d.out.Commit {
		return nil
	}
	tags, err := d.repo.tagsAt(ctx, d.out.Commit)
	if err != nil {
		return err
	}
	var releases []string
	for _, tag := range tags {
		if _, ok := releaseVersion(tag); ok {
			releases = append(releases, tag)
		}
	}
	list := strings.Join(releases, ", ")
	switch inCI := d.claim.system != "" || d.env.on("CI"); {
	case len(releases) == 0 && len(tags) > 0:
		d.warn("tag %s is no semantic version such as v1.4.2: this run is no release", strings.Join(tags, ", "))
	case len(releases) == 0:
	case inCI:
		d.warn("%s points at this commit, but nothing says that this run is its release; pass --source-tag to release it", list)
	case len(releases) > 1:
		d.warn("%s point at this commit: this run is no release; pass --source-tag to choose one", list)
	default:
		d.out.Tag, d.out.Origins.Tag = releases[0], fromGit
	}
	return nil
}

// semantic matches a semantic version (semver.org, 2.0.0) without build metadata, which no OCI tag can hold, and with
// or without the "v" that git tags carry.
var semantic = regexp.MustCompile(`^v?((?:0|[1-9]\d*)\.(?:0|[1-9]\d*)\.(?:0|[1-9]\d*)(?:-(?:0|[1-9]\d*|\d*[A-Za-z-][0-9A-Za-z-]*)(?:\.(?:0|[1-9]\d*|\d*[A-Za-z-][0-9A-Za-z-]*))*)?)$`)

// releaseVersion returns the version that a git tag stands for.
func releaseVersion(tag string) (string, bool) {
	m := semantic.FindStringSubmatch(tag)
	if m == nil {
		return "", false
	}
	return m[1], true
}

// created decides on the time of the artifacts: the flag's, SOURCE_DATE_EPOCH (reproducible-builds.org), the commit's.
func (d *detection) created(ctx context.Context) error {
	if given := d.opts.Overrides.Created; given != "" {
		return d.setCreated(flag(given))
	}
	if epoch := d.env.get("SOURCE_DATE_EPOCH"); epoch.text != "" {
		seconds, err := strconv.ParseUint(epoch.text, 10, 63)
		if err != nil || seconds > maxEpoch {
			return hinted(fmt.Errorf("SOURCE_DATE_EPOCH=%s is no time", epoch.text), "set it to seconds since 1970-01-01, such as $(git log -1 --format=%ct), or unset it")
		}
		return d.setTime(time.Unix(int64(seconds), 0), epoch.origin)
	}
	if d.repo != nil {
		t, err := d.repo.time(ctx, d.out.Commit)
		if err == nil {
			return d.setTime(t, fromGit)
		}
		if d.claim.time.text == "" {
			return hinted(err, "fetch the commit, or pass --source-created or SOURCE_DATE_EPOCH")
		}
	}
	if d.claim.time.text != "" {
		return d.setCreated(d.claim.time)
	}
	return hinted(fmt.Errorf("when commit %s was made is not known: %w", short(d.out.Commit), d.noRepo), "pass --source-created or SOURCE_DATE_EPOCH")
}

// maxEpoch is the last second of the year 9999, the end of RFC 3339.
const maxEpoch = 253402300799

// setCreated takes a time in RFC 3339.
func (d *detection) setCreated(v value) error {
	t, err := time.Parse(time.RFC3339, v.text)
	if err != nil {
		return hinted(fmt.Errorf("created %q (%s) is no time", v.text, v.origin), "write it as 2026-01-31T12:00:00Z")
	}
	return d.setTime(t, v.origin)
}

func (d *detection) setTime(t time.Time, origin string) error {
	t = t.UTC()
	if t.Year() < 0 || t.Year() > 9999 {
		return fmt.Errorf("created (%s): the year %d cannot be written", origin, t.Year())
	}
	d.out.Created, d.out.Origins.Created = t.Format(time.RFC3339), origin
	return nil
}
