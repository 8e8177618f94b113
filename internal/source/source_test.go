package source

import (
	"errors"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

const (
	otherCommit = "0123456789abcdef0123456789abcdef01234567"
	commitTime  = "2026-03-01T06:30:00Z"
)

// warns says whether one of the warnings contains text.
func warns(s Source, text string) bool {
	return slices.ContainsFunc(s.Warnings, func(w string) bool { return strings.Contains(w, text) })
}

// hintOf returns the hint of an error, or "".
func hintOf(err error) string {
	var h interface{ Hint() string }
	if errors.As(err, &h) {
		return h.Hint()
	}
	return ""
}

func TestDetectFromGit(t *testing.T) {
	t.Setenv("TZ", "Asia/Tokyo")
	r := newRepo(t)
	want := Source{
		Remote: "https://example.com/org/fleet.git", Commit: r.head(), Branch: "main",
		Revision: "main@sha1:" + r.head(), Created: commitTime, Dir: ".",
		Origins: Origins{Remote: "git", Commit: "git", Branch: "git", Created: "git"},
	}
	if got := r.mustDetect("TZ=America/New_York", "LANG=de_DE.UTF-8"); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	want.Dir = "apps/web"
	sub := testRepo{t, filepath.Join(r.dir, "apps", "web")}
	if got := sub.mustDetect(); !reflect.DeepEqual(got, want) {
		t.Errorf("in a subdirectory: got  %+v\nwant %+v", got, want)
	}
}

func TestDetectReleases(t *testing.T) {
	tests := []struct {
		name     string
		tags     []string
		branch   bool // stay on the branch
		env      []string
		tag      string // flag
		version  string
		revision string // without the commit
		warning  string
	}{
		{name: "tag checked out", tags: []string{"v1.4.2"}, version: "1.4.2", revision: "v1.4.2"},
		{name: "annotated tag", tags: []string{"-mx v1.4.2-rc.1"}, version: "1.4.2-rc.1", revision: "v1.4.2-rc.1"},
		{name: "no v", tags: []string{"2.0.0"}, version: "2.0.0", revision: "2.0.0"},
		{name: "beside another tag", tags: []string{"nightly", "v1.4.2"}, version: "1.4.2", revision: "v1.4.2"},
		{name: "tag at the head of a branch", tags: []string{"v1.4.2"}, branch: true, revision: "main"},
		{name: "several tags", tags: []string{"v1.4.2", "v1.4.3"}, revision: "HEAD", warning: "v1.4.2, v1.4.3 point at this commit"},
		{name: "no semantic version", tags: []string{"nightly"}, revision: "HEAD", warning: "tag nightly is no semantic version"},
		{name: "no tag", revision: "HEAD"},
		{name: "in an unknown CI", tags: []string{"v1.4.2"}, env: []string{"CI=true"}, revision: "HEAD", warning: "pass --source-tag"},
		{name: "flag", tags: []string{"v1.4.2"}, branch: true, tag: "v1.4.2", version: "1.4.2", revision: "v1.4.2"},
		{name: "flag, tag not in the clone", tag: "v9.0.0", version: "9.0.0", revision: "v9.0.0"},
		{name: "flag wins over CI", tag: "v9.0.0", env: []string{"GITLAB_CI=true", "CI_COMMIT_TAG=v1.0.0"}, version: "9.0.0", revision: "v9.0.0"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newRepo(t)
			for _, tag := range tt.tags {
				r.git(append([]string{"tag"}, strings.Fields(tag)...)...)
			}
			if !tt.branch {
				r.git("checkout", "--quiet", "--detach")
			}
			got, err := r.detect(tt.env, func(o *Options) { o.Overrides.Tag = tt.tag })
			if err != nil {
				t.Fatal(err)
			}
			if got.Version != tt.version || got.Revision != tt.revision+"@sha1:"+r.head() {
				t.Errorf("version %q, revision %q, want %q and %q", got.Version, got.Revision, tt.version, tt.revision)
			}
			if tt.warning == "" && len(got.Warnings) > 0 || tt.warning != "" && !warns(got, tt.warning) {
				t.Errorf("warnings %q, want %q", got.Warnings, tt.warning)
			}
		})
	}
}

func TestDetectTrees(t *testing.T) {
	tests := []struct {
		name  string
		make  func(r testRepo)
		paths []string
	}{
		{"clean", func(testRepo) {}, nil},
		{"ignored output", func(r testRepo) { r.write("out/index.json", "{}") }, nil},
		{"only touched", func(r testRepo) { r.write("apps/web/kustomization.yaml", "resources: []\n") }, nil},
		{"changed", func(r testRepo) { r.write("apps/web/kustomization.yaml", "a: b\n") }, []string{"apps/web/kustomization.yaml"}},
		{"untracked", func(r testRepo) { r.write("apps/new app/ü.yaml", "a") }, []string{"apps/new app/"}},
		{"staged", func(r testRepo) { r.write("s", "a"); r.git("add", "s") }, []string{"s"}},
		{"deleted", func(r testRepo) { r.git("rm", "--quiet", "apps/web/kustomization.yaml") }, []string{"apps/web/kustomization.yaml"}},
		{"renamed", func(r testRepo) { r.git("mv", ".gitignore", ".ignore") }, []string{".gitignore", ".ignore"}},
		{"many", func(r testRepo) {
			for _, name := range strings.Split("abcdefgh", "") {
				r.write(name, name)
			}
		}, []string{"a", "b", "c", "d", "e"}},
		{"status hidden by configuration", func(r testRepo) {
			r.git("config", "status.showUntrackedFiles", "no")
			r.write("u", "a")
		}, []string{"u"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newRepo(t)
			tt.make(r)
			got, err := r.detect(nil, func(o *Options) { o.AllowDirty = true })
			if err != nil {
				t.Fatal(err)
			}
			if got.Dirty != (tt.paths != nil) || !slices.Equal(got.DirtyPaths, tt.paths) || strings.HasSuffix(got.Revision, "-dirty") != got.Dirty {
				t.Errorf("dirty %v %q, revision %q, want %q", got.Dirty, got.DirtyPaths, got.Revision, tt.paths)
			}
			_, err = r.detect(nil, nil)
			if (err != nil) != got.Dirty {
				t.Fatalf("without AllowDirty: %v", err)
			}
			if err != nil && (!strings.Contains(err.Error(), got.DirtyPaths[0]) || !strings.Contains(hintOf(err), "--allow-dirty")) {
				t.Errorf("error %q, hint %q", err, hintOf(err))
			}
		})
	}
}

func TestDetectSubmodulesAndIgnoredDirectories(t *testing.T) {
	lib, r := newRepo(t), newRepo(t)
	r.git("submodule", "--quiet", "add", lib.dir, "lib")
	r.commit("submodule")
	r.git("config", "submodule.lib.ignore", "all")
	if got := r.mustDetect(); got.Dirty {
		t.Errorf("clean submodule: %q", got.DirtyPaths)
	}
	r.write("lib/apps/web/kustomization.yaml", "changed: true\n")
	got, err := r.detect(nil, func(o *Options) { o.AllowDirty = true })
	if err != nil || !slices.Equal(got.DirtyPaths, []string{"lib"}) {
		t.Errorf("changed submodule: %v %q", err, got.DirtyPaths)
	}

	r = newRepo(t)
	r.write("out/fleet/publish.yaml", "version: v1\n")
	inner := testRepo{t, filepath.Join(r.dir, "out", "fleet")}
	if _, err := inner.detect(nil, nil); err == nil || !strings.Contains(err.Error(), "out/fleet/ (ignored by git)") {
		t.Errorf("a directory that git ignores: %v", err)
	}
}

func TestDetectClones(t *testing.T) {
	r := newRepo(t)
	r.write("a", "a")
	head := r.commit("second")

	t.Run("shallow", func(t *testing.T) {
		if got := r.clone("--depth=1").mustDetect(); !got.Shallow || got.Commit != head || got.Branch != "main" || got.Created != commitTime {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("worktree", func(t *testing.T) {
		w := testRepo{t, filepath.Join(t.TempDir(), "tree")}
		r.git("worktree", "add", "--quiet", "-b", "feature/x", w.dir)
		w.write("apps/new", "x")
		got, err := w.detect(nil, func(o *Options) { o.AllowDirty = true })
		if err != nil || got.Revision != "feature/x@sha1:"+head+"-dirty" || got.Remote != "https://example.com/org/fleet.git" {
			t.Errorf("%v: got %+v", err, got)
		}
		if main := r.mustDetect(); main.Dirty {
			t.Error("the dirty worktree makes its main repository dirty")
		}
	})
	t.Run("sparse checkout", func(t *testing.T) {
		c := r.clone("--filter=blob:none", "--sparse")
		if got := c.mustDetect(); got.Dirty || got.Commit != head {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("variables of a hook", func(t *testing.T) {
		other := newRepo(t)
		other.write("x", "x")
		other.commit("other")
		if got := r.mustDetect("GIT_DIR="+filepath.Join(other.dir, ".git"), "GIT_WORK_TREE="+other.dir); got.Commit != head {
			t.Errorf("GIT_DIR won over the directory: %+v", got)
		}
	})
	t.Run("SHA-256", func(t *testing.T) {
		s := newRepo(t, "--object-format=sha256")
		got := s.mustDetect()
		if len(got.Commit) != 64 || got.Revision != "main@sha256:"+got.Commit {
			t.Errorf("got %+v", got)
		}
	})
}

func TestDetectRemotes(t *testing.T) {
	tests := []struct {
		name    string
		remotes []string // name, URL, name, URL, …
		follows string
		flag    string
		want    string
		warning string
		err     string
	}{
		{name: "origin", remotes: []string{"origin", "git@example.com:org/a.git", "b", "https://b"}, follows: "b", want: "git@example.com:org/a.git"},
		{name: "the only one", remotes: []string{"upstream", "https://example.com/u"}, want: "https://example.com/u"},
		{name: "the one that the branch follows", remotes: []string{"a", "https://a", "b", "https://b"}, follows: "b", want: "https://b"},
		{name: "several", remotes: []string{"b", "https://b", "a", "https://a"}, err: "several remotes (a, b)"},
		{name: "none", want: "local", warning: "no remote"},
		{name: "flag", remotes: []string{"origin", "https://a"}, flag: "https://u:s3cret@f/x", want: "https://f/x"},
		{name: "flag with a path", flag: "/srv/fleet", want: "/srv/fleet"},
		{name: "path", remotes: []string{"origin", "/home/me/fleet.git"}, want: "fleet.git", warning: "path on this machine"},
		{name: "file URL", remotes: []string{"origin", "file:///home/me/fleet"}, want: "fleet", warning: "path on this machine"},
		{name: "path, and a better one", remotes: []string{"origin", "/home/me/fleet.git", "hub", "https://hub/x"}, want: "https://hub/x"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newRepo(t)
			r.git("remote", "remove", "origin")
			for i := 0; i < len(tt.remotes); i += 2 {
				r.git("config", "remote."+tt.remotes[i]+".url", tt.remotes[i+1])
			}
			if tt.follows != "" {
				r.git("config", "branch.main.remote", tt.follows)
			}
			got, err := r.detect(nil, func(o *Options) { o.Overrides.Remote = tt.flag })
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) || !strings.Contains(hintOf(err), "--source-remote") {
					t.Errorf("error %v, hint %q", err, hintOf(err))
				}
				return
			}
			if err != nil || got.Remote != tt.want {
				t.Fatalf("remote %q, %v, want %q", got.Remote, err, tt.want)
			}
			if tt.warning == "" && len(got.Warnings) > 0 || tt.warning != "" && !warns(got, tt.warning) {
				t.Errorf("warnings %q, want %q", got.Warnings, tt.warning)
			}
		})
	}
}

func TestDetectCreated(t *testing.T) {
	r := newRepo(t)
	tests := []struct {
		name, flag, epoch, want, origin, err string
	}{
		{name: "commit", want: commitTime, origin: "git"},
		{name: "epoch", epoch: "0", want: "1970-01-01T00:00:00Z", origin: "$SOURCE_DATE_EPOCH"},
		{name: "flag", flag: "2020-02-03T04:05:06+02:00", epoch: "0", want: "2020-02-03T02:05:06Z", origin: "flag"},
		{name: "no number", epoch: "yesterday", err: "SOURCE_DATE_EPOCH=yesterday is no time"},
		{name: "negative", epoch: "-1", err: "SOURCE_DATE_EPOCH=-1"},
		{name: "fraction", epoch: "1.5", err: "SOURCE_DATE_EPOCH=1.5"},
		{name: "too late", epoch: "253402300800", err: "SOURCE_DATE_EPOCH=253402300800"},
		{name: "wrong flag", flag: "2020-02-03", err: `created "2020-02-03" (flag) is no time`},
		{name: "flag out of range", flag: "9999-12-31T23:59:59-01:00", err: "the year 10000"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := r.detect([]string{"SOURCE_DATE_EPOCH=" + tt.epoch}, func(o *Options) { o.Overrides.Created = tt.flag })
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Errorf("error %v, want %q", err, tt.err)
				}
				return
			}
			if err != nil || got.Created != tt.want || got.Origins.Created != tt.origin {
				t.Errorf("%q from %q, %v; want %q from %q", got.Created, got.Origins.Created, err, tt.want, tt.origin)
			}
		})
	}
}

func TestDetectFlags(t *testing.T) {
	r := newRepo(t)
	old := r.head()
	r.write("a", "a")
	head := r.commit("second")
	got, err := r.detect(nil, func(o *Options) { o.Overrides = Overrides{Commit: old, Branch: "release-1"} })
	if err != nil || got.Revision != "release-1@sha1:"+old || !warns(got, "the tree is at commit "+head[:12]) || got.Origins.Commit != "flag" || got.Origins.Branch != "flag" {
		t.Errorf("%v: got %+v", err, got)
	}
	got, err = r.detect(nil, func(o *Options) { o.Overrides.Commit = old })
	if err != nil || got.Branch != "" {
		t.Errorf("the branch of another commit was taken: %+v, %v", got, err)
	}
	errs := []struct {
		overrides Overrides
		want      string
	}{
		{Overrides{Commit: "main"}, `source commit "main" is not a full commit id`},
		{Overrides{Commit: strings.ToUpper(head)}, "is not a full commit id"},
		{Overrides{Commit: otherCommit}, "commit 0123456789ab: not in this clone"},
		{Overrides{Tag: "nightly"}, `tag "nightly" is no semantic version`},
		{Overrides{Branch: "a b"}, `"a b" is not the name of a branch or tag`},
	}
	for _, tt := range errs {
		if _, err := r.detect(nil, func(o *Options) { o.Overrides = tt.overrides }); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%+v: error %v, want %q", tt.overrides, err, tt.want)
		}
	}
	r.git("tag", "v1.0.0", old)
	_, err = r.detect(nil, func(o *Options) { o.Overrides.Tag = "v1.0.0" })
	if err == nil || !strings.Contains(err.Error(), "tag v1.0.0 names commit "+old[:12]) || !strings.Contains(hintOf(err), "git checkout v1.0.0") {
		t.Errorf("a tag of another commit: %v, hint %q", err, hintOf(err))
	}
}
